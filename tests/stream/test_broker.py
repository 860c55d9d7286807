"""The embedded broker's process."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from stream.broker import EmbeddedBroker
from stream.errors import BrokerError
from stream.kafka import Cluster, problem_with, wait_for_broker


def running(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    try:
        return stat.read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_broker_answers_and_is_gone_within_a_second() -> None:
    with EmbeddedBroker() as broker:
        assert broker.cluster.bootstrap == f"127.0.0.1:{broker.port}"
        assert problem_with(broker.cluster) is None
        pid = broker.pid
        started = time.monotonic()
    assert time.monotonic() - started < 1.5  # a loaded machine included
    assert not running(pid)
    assert "refused" in (problem_with(broker.cluster) or "")


def test_broker_at_a_taken_port_is_refused() -> None:
    with EmbeddedBroker() as broker, pytest.raises(BrokerError, match=r"is taken; choose another"):
        EmbeddedBroker(port=broker.port)


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's help is Linux's")
def test_broker_ends_when_its_starter_is_killed() -> None:
    program = (
        "import sys, time; from stream.broker import EmbeddedBroker; "
        "broker = EmbeddedBroker(); print(broker.pid, flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as starter:
        assert starter.stdout is not None
        pid = int(starter.stdout.readline())
        assert running(pid)
        starter.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 5
    while running(pid):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_waiting_for_a_broker_gives_up_and_says_where() -> None:
    with pytest.raises(BrokerError, match=r"no broker answers at 127.0.0.1:1 .*bootstrap"):
        wait_for_broker(Cluster("127.0.0.1:1"), give_up_s=0.1)


def test_address_of_a_broker_may_be_of_ipv6() -> None:
    # whatever this machine has to say of the address: it is no unknown name
    problem = problem_with(Cluster("[::1]:1"))
    assert problem is not None
    assert "not known" not in problem

"""Runs a role in child processes that kill or stop themselves at a chosen step.

Started once with everything imported; each line on its standard input is a
JSON ``Run``, and the answer is the process id of a fork that runs the role.
"""

import faulthandler
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, NoReturn, Self

import stream.kafka.limits
from stream.broker import die_with_parent
from stream.kafka import Cluster, Consumer, Place, Producer
from stream.messages import EPOCH_KEY

Step = Literal["send", "flush", "flushed", "commit", "committed", "fsync", "replace"]


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What happens at the nth time that a step is reached.

    Parameters
    ----------
    step : str
        ``send`` and ``flush`` before, ``flushed`` after messages of ``topic`` go
        to the broker; ``commit`` before and ``committed`` after offsets do;
        ``fsync`` and ``replace`` before a file is made safe or put in place.
    topic : str
        Which messages; ``~`` before the name means announcements in that topic.
    nth : int
        The how manieth time.
    how : {"kill", "stop"}
        SIGKILL, or SIGSTOP until somebody sends SIGCONT.
    """

    step: Step
    topic: str = ""
    nth: int = 1
    how: Literal["kill", "stop"] = "kill"


class Runner:
    """A process that is ready to run a role again and again."""

    def __init__(self, role: str, cluster: Cluster, *more: str) -> None:
        self.started: list[int] = []
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tests.integration.runner",
                role,
                cluster.bootstrap,
                cluster.prefix,
                *more,
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=die_with_parent,
        )
        assert self._read() == "ready"

    def _read(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def start(self, fault: Fault | None = None) -> int:
        """Run the role in a new process and return its id."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(asdict(fault) if fault else None) + "\n")
        self._process.stdin.flush()
        pid = int(self._read())
        self.started.append(pid)
        return pid

    def close(self) -> None:
        """Kill everything that still runs: the kernel ends the forks with the process."""
        self._process.kill()
        self._process.communicate()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close."""
        self.close()


def _state(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "gone"


def alive(pid: int) -> bool:
    """Return whether a process runs or is stopped."""
    return _state(pid) not in ("gone", "Z", "X")


def stopped(pid: int) -> bool:
    """Return whether a process is stopped."""
    return _state(pid) == "T"


def wait_until(true: Callable[[], bool], *, give_up_s: float = 40.0) -> None:
    """Wait until something is true."""
    deadline = time.monotonic() + give_up_s
    while not true():
        assert time.monotonic() < deadline, "it has not happened"
        time.sleep(0.01)


def _install(fault: Fault) -> None:
    """Make the client reach the fault."""
    unsent: set[str] = set()
    count = 0

    def reach(step: Step, topics: set[str]) -> None:
        nonlocal count
        if step == fault.step and (not fault.topic or fault.topic in topics):
            count += 1
            if count == fault.nth:
                number = signal.SIGKILL if fault.how == "kill" else signal.SIGSTOP
                os.kill(os.getpid(), number)

    send, flush, commit = Producer.send, Producer.flush, Consumer.commit

    def faulty_send(
        self: Producer, topic: str, key: str | None, value: bytes | None, **how: Any
    ) -> None:
        name = f"~{topic}" if key == EPOCH_KEY else topic
        reach("send", {name})
        unsent.add(name)
        send(self, topic, key, value, **how)

    def faulty_flush(self: Producer) -> dict[Place, int]:
        reach("flush", unsent)
        ends = flush(self)
        reach("flushed", unsent)
        unsent.clear()
        return ends

    def faulty_commit(
        self: Consumer, offsets: Mapping[Place, int], notes: Mapping[Place, str] | None = None
    ) -> bool:
        reach("commit", set())
        done = commit(self, offsets, notes)
        reach("committed", set())
        return done

    fsync, replace = os.fsync, os.replace

    def faulty_fsync(fd: int) -> None:
        reach("fsync", set())
        fsync(fd)

    def faulty_replace(*paths: Any) -> None:
        reach("replace", set())
        replace(*paths)

    os.fsync, os.replace = faulty_fsync, faulty_replace  # type: ignore[assignment]  # faults, all
    Producer.send = faulty_send  # type: ignore[method-assign]  # this is the fault
    Producer.flush = faulty_flush  # type: ignore[method-assign]  # likewise
    Consumer.commit = faulty_commit  # type: ignore[method-assign, assignment]  # likewise


def _score(cluster: Cluster, many: str = "500") -> Callable[[threading.Event], None]:
    import stream.score
    from ecg.monitor import Monitor
    from ecg.warm import warm_up
    from stream.score import run_score

    stream.score.MANY = int(many)
    warm_up()  # compiled before the forks
    return lambda stop: run_score(cluster, Monitor, stop=stop, state_every_s=0.2)


def _archive(cluster: Cluster, root: str) -> Callable[[threading.Event], None]:
    from stream.archive import run_archive

    return lambda stop: run_archive(cluster, Path(root), stop=stop, every_s=0.2)


ROLES: dict[str, Callable[..., Callable[[threading.Event], None]]] = {
    "score": _score,
    "archive": _archive,
}


def _answer(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _run(run: Callable[[threading.Event], None]) -> NoReturn:
    faulthandler.register(signal.SIGUSR1)  # kill -USR1 says where it hangs
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda number, frame: stop.set())
    run(stop)
    os._exit(0)


def main(arguments: Sequence[str]) -> None:
    """Serve ``Runner``."""
    role, bootstrap, prefix, *more = arguments
    logging.basicConfig(
        level=logging.INFO, format="%(relativeCreated)d %(process)d %(name)s %(message)s"
    )
    stream.kafka.limits.SESSION_TIMEOUT_MS = 1500
    stream.kafka.limits.HEARTBEAT_INTERVAL_MS = 100
    logging.getLogger("kafka").setLevel(logging.WARNING)
    run = ROLES[role](Cluster(bootstrap, prefix), *more)
    # the dead are not reaped: nobody else can get their ids while tests still use them
    _answer("ready")
    for line in sys.stdin:
        said = json.loads(line)
        pid = os.fork()
        if pid:
            _answer(str(pid))
            continue
        die_with_parent()
        if said:
            _install(Fault(**said))
        _run(run)


if __name__ == "__main__":
    main(sys.argv[1:])

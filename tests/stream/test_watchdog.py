"""The watchdog."""

import subprocess
import sys
import threading

from stream.watchdog import EXIT_STATUS, Watchdog


def test_watchdog_acts_when_nothing_is_seen() -> None:
    barked = threading.Event()
    with Watchdog("it", limit_s=0.05, act=barked.set):
        assert barked.wait(10)


def test_watchdog_is_quiet_while_there_is_progress() -> None:
    barked = threading.Event()
    with Watchdog("it", limit_s=5.0, act=barked.set) as watchdog:
        for _ in range(20):
            watchdog.seen()
            assert not barked.wait(0.005)
    assert not barked.is_set()


def test_watchdog_ends_a_process_that_hangs() -> None:
    program = (
        "import threading; from stream.watchdog import Watchdog\n"
        "with Watchdog('it', limit_s=0.1): threading.Event().wait()"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60)
    assert ended.returncode == EXIT_STATUS
    assert b"it has made no progress" in ended.stderr

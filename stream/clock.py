"""The clock: wall-clock time is handed in, so that tests own it."""

import threading
import time
from typing import Protocol


class Clock(Protocol):
    """What tells the time."""

    def now_ns(self) -> int:
        """Return the time of day, in ns UTC."""

    def wait(self, seconds: float, stop: threading.Event) -> bool:
        """Wait, or until ``stop`` is set; return whether it is."""


class SystemClock:
    """The machine's clock."""

    def now_ns(self) -> int:
        """Return the time of day, in ns UTC."""
        return time.time_ns()

    def wait(self, seconds: float, stop: threading.Event) -> bool:
        """Wait, or until ``stop`` is set; return whether it is."""
        return stop.wait(max(0.0, seconds))


class ManualClock:
    """A clock that moves only when told, or when something waits for it.

    Examples
    --------
    >>> clock = ManualClock(10)
    >>> clock.advance(2.5)
    >>> clock.now_ns()
    2500000010
    """

    def __init__(self, now_ns: int = 0) -> None:
        self._now_ns = now_ns
        self._lock = threading.Lock()

    def now_ns(self) -> int:
        """Return the time it was set to, in ns UTC."""
        with self._lock:
            return self._now_ns

    def advance(self, seconds: float) -> None:
        """Move on."""
        with self._lock:
            self._now_ns += round(seconds * 1e9)

    def wait(self, seconds: float, stop: threading.Event) -> bool:
        """Move on by ``seconds`` at once; return whether ``stop`` is set."""
        if not stop.is_set():
            self.advance(seconds)
        return stop.is_set()

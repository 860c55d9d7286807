"""The clock: wall-clock time is handed in, so that tests own it."""

import threading
import time
from typing import Protocol

LEAP_NS = 3 * 10**9
"""A longer time between two looks at the clock was a stall of ours, or somebody set the clock: what
came meanwhile may still be waiting, so nobody's silence can be told from it."""


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


class Leaps:
    """Tells the look at a clock before which it leapt.

    Only the first of some in a row counts: who is held up every time is slow, and
    nobody's silence is to be put off for ever.

    Examples
    --------
    >>> leaps = Leaps()
    >>> [leaps.at(second * 10**9) for second in (0, 1, 9, 18, 27, 28, 5, 6)]
    [False, False, True, False, False, False, True, False]
    """

    def __init__(self) -> None:
        self._last_ns: int | None = None
        self._leapt = False

    def at(self, now_ns: int) -> bool:
        """Return whether the clock has leapt since the last look, and not before that one, too."""
        leapt = self._last_ns is not None and not 0 <= now_ns - self._last_ns <= LEAP_NS
        first, self._leapt, self._last_ns = leapt and not self._leapt, leapt, now_ns
        return first

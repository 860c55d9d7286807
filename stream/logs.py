"""How log lines look, and how many of a kind there are.

A device that sends four refused messages a second would write a line for each of
them for days: the disk fills, and nobody sees what else is said.
"""

import logging
import threading
import time
from dataclasses import dataclass

MOST = 20
"""Lines of a kind that are shown within ``WITHIN_S``; every refused message is a dead letter."""
WITHIN_S = 60.0


@dataclass(slots=True)
class _Kind:
    """Lines that say the same of different things."""

    since_s: float
    shown: int = 0
    left_out: int = 0


class Sparing(logging.Filter):
    """Leaves out warnings and errors of which there were many within a minute, and says so.

    Examples
    --------
    >>> sparing = Sparing(most=2)
    >>> lines = [logging.LogRecord("n", 30, "f", 1, "gave up %s", (k,), None) for k in range(3)]
    >>> [line.getMessage() for line in lines if sparing.filter(line)]
    ['gave up 0', 'gave up 1 (more like this are left out for a minute)']
    """

    def __init__(self, *, most: int = MOST) -> None:
        super().__init__()
        self._most = most
        self._kinds: dict[tuple[str, str], _Kind] = {}
        self._lock = threading.Lock()

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a line is to be shown; the last one before a pause says that more come."""
        if record.levelno < logging.WARNING:
            return True
        now_s = time.monotonic()
        with self._lock:
            kind = self._kinds.setdefault((record.name, str(record.msg)), _Kind(now_s))
            before = 0
            if now_s - kind.since_s >= WITHIN_S:
                before, kind.left_out = kind.left_out, 0
                kind.since_s, kind.shown = now_s, 0
            if kind.shown == self._most:
                kind.left_out += 1
                return False
            kind.shown += 1
            last = kind.shown == self._most
        if before:
            record.msg = f"{record.msg} ({before} more like this were left out)"
        if last:
            record.msg = f"{record.msg} (more like this are left out for a minute)"
        return True


class Lines(logging.Formatter):
    """One line a message, at its end where it stands: record=topic[partition]@offset."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line = super().format(record)
        place = getattr(record, "record", None)
        return line if place is None else f"{line} record={place}"

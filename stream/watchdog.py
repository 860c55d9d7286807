"""A watchdog: a role that hangs is ended, so that whoever supervises it starts it again.

The Kafka client has states that it does not leave; a monitor that says nothing
for minutes is worse than one that is started anew and takes over from itself.
"""

import logging
import os
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

logger = logging.getLogger(__name__)

LIMIT_S = 120.0
"""Longer than any tick or takeover, and than what the client itself waits for."""
EXIT_STATUS = 70
"""EX_SOFTWARE: an internal error."""


def end_process() -> None:
    """End the process at once; a graceful end would wait for what hangs."""
    os._exit(EXIT_STATUS)


class Watchdog:
    """Ends the process when ``seen`` has not been called for too long.

    Parameters
    ----------
    what : str
        Whom it watches, for the log.
    limit_s : float
        How long is too long, in s.
    act : callable
        What it does then.
    """

    def __init__(
        self, what: str, *, limit_s: float = LIMIT_S, act: Callable[[], None] = end_process
    ) -> None:
        self._what = what
        self._limit_s = limit_s
        self._act = act
        self._seen_s = time.monotonic()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name=f"watchdog-{what}", daemon=True)

    def seen(self) -> None:
        """Note that it makes progress."""
        self._seen_s = time.monotonic()

    def _watch(self) -> None:
        while not self._stop.wait(self._limit_s / 10):
            silent_s = time.monotonic() - self._seen_s
            if silent_s > self._limit_s:
                logger.critical("%s has made no progress for %.0f s", self._what, silent_s)
                self._act()
                return

    def __enter__(self) -> Self:
        """Begin to watch."""
        self.seen()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Watch no longer."""
        self._stop.set()
        self._thread.join()

"""Threads that make attempts, side by side."""

import queue
import threading
from collections.abc import Callable


class Workers:
    """Threads that make attempts; daemons, because a receiver that hangs must not keep us."""

    def __init__(self, name: str, n: int) -> None:
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._n = n
        for i in range(n):
            threading.Thread(target=self._run, name=f"{name}-{i}", daemon=True).start()

    def submit(self, attempt: Callable[[], None]) -> None:
        """Let a free thread do it."""
        self._work.put(attempt)

    def close(self) -> None:
        """Let the threads end after what they do now."""
        for _ in range(self._n):
            self._work.put(None)

    def _run(self) -> None:
        while (attempt := self._work.get()) is not None:
            attempt()

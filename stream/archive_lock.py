"""Locks of the archive: who has a partition writes its patients, and nobody beside it.

The kernel gives a lock back when its process ends, however it ends; one that is
only stopped keeps it, so nobody writes beside it when it wakes up.
"""

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self


class Lock:
    """A lock between processes that share a directory.

    Parameters
    ----------
    file : Path
        The lock's file; it stays when the lock is given back.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._opened: int | None = None

    def take(self, *, wait: bool = False) -> bool:
        """Take the lock; return whether it is ours.

        Raises
        ------
        OSError
            If the file cannot be made, or the file system has no locks.
        """
        if self._opened is not None:
            return True
        opened = os.open(self._file, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            os.close(opened)
            return False
        except OSError:
            os.close(opened)
            raise
        self._opened = opened
        return True

    def give_back(self) -> None:
        """Let somebody else have it."""
        if self._opened is not None:
            os.close(self._opened)
            self._opened = None

    def __enter__(self) -> Self:
        """Wait for it."""
        self.take(wait=True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give it back."""
        self.give_back()

"""Locks of the archive: who has a partition writes its patients, and nobody beside it.

The kernel gives a lock back when its process ends, however it ends; one that is
only stopped keeps it, so nobody writes beside it when it wakes up.
"""

import fcntl
import logging
import os
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

logger = logging.getLogger(__name__)

_SAY_EVERY_S = 5.0
"""How often it is said that somebody else has a partition."""


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


class PartitionLocks:
    """The locks of the partitions that a member of the role was given.

    Parameters
    ----------
    directory : Path
        The archive's; members on one machine share it.
    prefix : str
        What stands before every topic's name.
    """

    def __init__(self, directory: Path, prefix: str) -> None:
        self._directory = directory
        self._prefix = prefix
        self._held: dict[int, Lock] = {}
        self._wanted: dict[int, float] = {}
        """Partitions that are ours but locked by somebody else, and since when."""

    def want(self, partitions: Iterable[int], *, now_s: float) -> None:
        """Wait for the locks of partitions from now on."""
        self._wanted.update(dict.fromkeys(partitions, now_s))

    def take(self, *, now_s: float) -> list[int]:
        """Take the locks that nobody else has any more; return their partitions.

        Raises
        ------
        OSError
            If the disk has no room for them, or no locks.
        """
        taken = []
        for partition, since_s in list(self._wanted.items()):
            lock = Lock(self._directory / f".{self._prefix}{partition}.lock")
            if not lock.take():
                if now_s - since_s > _SAY_EVERY_S:
                    logger.warning("partition %d is still written by another process", partition)
                    self._wanted[partition] = now_s
                continue
            del self._wanted[partition]
            self._held[partition] = lock
            taken.append(partition)
        return taken

    def give_back(self, partitions: Iterable[int]) -> None:
        """Let somebody else have partitions, and wait for none of them."""
        for partition in partitions:
            self._wanted.pop(partition, None)
            if lock := self._held.pop(partition, None):
                lock.give_back()

    def close(self) -> None:
        """Give all back."""
        self.give_back(list(self._held))

"""Files that survive a power cut: whole or as they were, with their names."""

import contextlib
import os
from pathlib import Path


def put_in_place(new: Path, file: Path) -> None:
    """Put a finished file in place of another, so that a power cut leaves one of the two.

    Raises
    ------
    OSError
        If it cannot be done.
    """
    with new.open("rb") as written:
        os.fsync(written.fileno())
    os.replace(new, file)


def sync_directory(directory: Path) -> None:
    """See that the names in a directory survive a power cut."""
    # not every file system can do this, and not every system opens directories
    with contextlib.suppress(OSError):
        opened = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)

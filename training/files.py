"""Files that are there whole or not at all, and whether they can be written where they shall go."""

import hashlib
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import IO

from training.errors import PlaceError


def check_file(path: str | Path) -> None:
    """Make sure that a file can be written, before work whose figures would be lost.

    The folder that it goes into is made.

    Raises
    ------
    PlaceError
        If it cannot be written.
    """
    file = Path(path)
    check_folder(file.parent)
    if file.is_dir():
        raise PlaceError(f"{file} is a folder: name a file in it")
    if file.exists() and not os.access(file, os.W_OK):
        raise PlaceError(f"{file} is there and cannot be written: name another file")


def check_folder(path: str | Path) -> None:
    """Make sure that files can be written into a folder, which is made.

    Raises
    ------
    PlaceError
        If they cannot.
    """
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PlaceError(
            f"nothing can be written into {folder} ({error.strerror}): name another folder"
        ) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PlaceError(f"nothing can be written into {folder}: name another folder")


def write_whole(file: Path, write: Callable[[IO[bytes]], None]) -> None:
    """Write a file so that it is there whole or not at all, whatever ends this process."""
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f"{file.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as out:
            write(out)
            out.flush()
            os.fsync(out.fileno())
        part.replace(file)
    finally:
        with suppress(FileNotFoundError):
            part.unlink()


def digest_of(sources: Iterable[Path], *more: str) -> str:
    """Return a short hash of files and words."""
    digest = hashlib.sha256()
    for source in sources:
        digest.update(source.read_bytes())
    for word in more:
        digest.update(word.encode() + b"\n")
    return digest.hexdigest()[:16]

"""Files that are there whole or not at all."""

import hashlib
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import IO


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

"""The archive's directory: what its files are called, its lists, and whether it can be written."""

import hashlib
import re
from collections.abc import Iterable
from os.path import isfile
from pathlib import Path

from ecg.files import put_in_place, sync_directory
from stream.archive_lock import Lock
from stream.errors import ArchiveError

INDEX = "RECORDS"
_LOCK = f".{INDEX}.lock"

_UNSAFE = re.compile(r"[^A-Za-z0-9-]")


def safe_name(text: str, *, longest: int | None = None) -> str:
    """Return an id as part of a file or record name; no two ids share one.

    Examples
    --------
    >>> safe_name("demo-208"), safe_name("a.b"), safe_name("a_b")
    ('demo-208', 'a_2eb', 'a_5fb')
    >>> safe_name("x" * 64, longest=36)
    'xxxxxxxxxxxxxxxxxxxxxxxxx-7ce100971f'
    >>> safe_name("RECORDS")
    '_52ECORDS'
    """
    safe = _UNSAFE.sub(lambda found: f"_{ord(found.group()):02x}", text)
    if safe == INDEX:  # the list's own file stands there; no other id is written so
        safe = f"_{ord(INDEX[0]):02x}{INDEX[1:]}"
    if longest is None or len(safe) <= longest:
        return safe
    return f"{safe[: longest - 11]}-{hashlib.sha256(text.encode()).hexdigest()[:10]}"


def prepare(root: Path) -> None:
    """Make the archive's directory, and see that it can be written.

    Raises
    ------
    ArchiveError
        If it cannot, or holds records of others, whose list would be lost.
    """
    if (root / INDEX).exists() and not (root / _LOCK).exists():
        raise ArchiveError(
            f"{root} has a file {INDEX} and no {_LOCK}: it is a database that the archive did not "
            f"write; name another folder (for a copy of an archive: make an empty {_LOCK} there)"
        )
    probe = root / ".probe"
    try:
        root.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"probe")
        probe.unlink(missing_ok=True)  # another member that starts may have taken it away
    except OSError as error:
        raise not_written(error, root) from error


def not_written(error: OSError, root: Path) -> ArchiveError:
    """Return what a disk's error means for the archive, and the next step."""
    where = error.filename or root
    return ArchiveError(
        f"the archive cannot be written: {error.strerror or error} ({where}); "
        "nothing is lost while Kafka keeps the waveforms: make room, or make it writable"
    )


def list_patients(root: Path) -> None:
    """List the patients; other members of the role do the same.

    Raises
    ------
    OSError
        If the disk does not take it.
    """
    with Lock(root / _LOCK):
        write_index(
            root,
            # a folder that we may not enter, as lost+found, is none of ours; Path.is_file raises
            (f"{entry.name}/" for entry in sorted(root.iterdir()) if isfile(entry / INDEX)),
        )
    sync_directory(root)


def write_index(directory: Path, entries: Iterable[str]) -> None:
    """Write the list of what a directory holds; no reader ever sees half of it.

    Other names than ASCII are nothing that the archive wrote, and are left out.

    Raises
    ------
    OSError
        If the disk does not take it.
    """
    scratch = directory / f".{INDEX}.new"
    lines = (f"{entry}\n" for entry in entries if entry.isascii())
    scratch.write_text("".join(lines), encoding="ascii")
    put_in_place(scratch, directory / INDEX)

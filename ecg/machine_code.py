"""Where machine code is kept for the next process: beside the sources, or in a place of one's own.

Whoever can write there decides what other processes run. So it is a directory that
nobody else can write to; what an image or an administrator compiled beside the
sources is copied there, where this user cannot write beside them: compiling takes
half a minute, during which a role that starts judges nobody.
"""

import hashlib
import os
import shutil
import stat
import tempfile
from functools import cache
from pathlib import Path


@cache
def directory() -> Path:
    """Return where the machine code of these sources is kept; the name changes with any of them."""
    package = Path(__file__).parent
    digest = hashlib.sha256()
    for source in sorted(package.glob("*.py")):
        digest.update(source.read_bytes())
    name = f"machine-code-{digest.hexdigest()[:16]}"
    beside = package / "__pycache__" / name
    if os.access(package, os.W_OK):
        return beside
    return own_copy(beside, Path(tempfile.gettempdir()) / f"rhythmwatch-{_user()}-{name}")


def own_copy(made: Path, place: Path) -> Path:
    """Return a directory that only this user can write to, which holds what ``made`` does.

    Parameters
    ----------
    made : Path
        Directory of what was compiled before; need not exist.
    place : Path
        Where the copy should lie. If it is there it is taken as it is, so that processes share it;
        if it is somebody else's it is left alone, and the copy is this process's alone.
    """
    if _is_ours(place):
        return place
    fresh = Path(tempfile.mkdtemp(prefix=f"{place.name}-", dir=place.parent))
    if made.is_dir():
        shutil.copytree(made, fresh, dirs_exist_ok=True)
        fresh.chmod(0o700)  # a copy has the mode of what it is copied from
    try:
        fresh.rename(place)  # whole, or not at all
    except OSError:
        if not _is_ours(place):
            return fresh
        shutil.rmtree(fresh)  # another process was faster
    return place


def _is_ours(place: Path) -> bool:
    try:
        found = place.lstat()
    except FileNotFoundError:
        return False
    others_write = found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return stat.S_ISDIR(found.st_mode) and found.st_uid == _user() and not others_write


def _user() -> int:
    # Windows has no such number, and a folder of temporary files for each user
    return os.getuid() if hasattr(os, "getuid") else 0

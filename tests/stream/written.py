"""What an archive has on disk."""

from pathlib import Path


def written(root: Path) -> dict[str, bytes]:
    """Return every file but the locks."""
    return {
        str(file.relative_to(root)): file.read_bytes()
        for file in sorted(root.rglob("*"))
        if file.is_file() and file.suffix != ".lock"
    }

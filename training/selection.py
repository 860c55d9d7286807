"""Which records of a directory are evaluated."""

import logging
from pathlib import Path

from ecg.annotation import read_annotations
from ecg.errors import RecordError
from ecg.reader import record_names
from training.split import NAMED

logger = logging.getLogger(__name__)


def select(directory: str | Path, records: str) -> tuple[str, ...]:
    """Return the names of the records to evaluate.

    Parameters
    ----------
    directory : str or Path
        Where they are.
    records : str
        ``all`` (those with beat annotations), the name of a list of
        ``training.split``, or names with commas between.

    Returns
    -------
    tuple of str
        Their names.

    Raises
    ------
    RecordError
        If one is not there, none has beat annotations, or two are called the same.
    """
    there = record_names(directory)
    if records == "all":
        names = tuple(name for name in there if _has_beats(Path(directory) / name))
        if not names:
            raise RecordError(
                f"no record in {directory} has beat annotations (.atr) to score against; "
                "name a directory that has them, such as mitdb"
            )
        if without := [name for name in there if name not in names]:
            logger.warning(
                "%d of %d records in %s have no beat annotations (.atr) and are left out: %s",
                len(without), len(there), directory, ", ".join(without),
            )  # fmt: skip
        return _apart(names, directory)
    names = NAMED.get(records.lower()) or tuple(
        dict.fromkeys(name.strip() for name in records.split(",") if name.strip())
    )
    absent = [name for name in names if name not in there]
    if absent or not names:
        raise RecordError(
            f"records must be all, {', '.join(NAMED)}, or names in {directory} with commas "
            f"between; not there: {', '.join(absent) or repr(records)}"
        )
    for name in names:
        if not _has_beats(Path(directory) / name):
            raise RecordError(f"record {name} in {directory} has no beat annotations to score by")
    return _apart(names, directory)


def called(name: str) -> str:
    """Return what a record is called in figures: an EDF file goes without ``.edf``."""
    return name.removesuffix(".edf")


def _apart(names: tuple[str, ...], directory: str | Path) -> tuple[str, ...]:
    """Refuse two records that figures could not tell apart."""
    seen: dict[str, str] = {}
    for name in names:
        if (other := seen.setdefault(called(name), name)) != name:
            raise RecordError(
                f"{other} and {name} in {directory} are both called {called(name)}: "
                "name one of them with --records"
            )
    return names


def _has_beats(path: Path) -> bool:
    if not path.with_name(f"{path.name}.atr").is_file():
        return False
    return len(read_annotations(path).beats()[0]) > 0

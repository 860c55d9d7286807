"""Which records teach, where they come from, and how each of them is observed."""

from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path

from ecg.errors import RecordError
from ecg.reader import record_names
from training import noise
from training.ablation import Observed
from training.dataset import fibrillation_records
from training.split import DS1, DS2, check_apart
from training.store import Kind, observe

BEAT_DATABASES = ("mitdb", "svdb")
"""Databases whose beats can be learnt from; of mitdb only DS1."""

FIBRILLATION = "challenge2017"
"""Database of short records whose rhythm is known; those of atrial fibrillation teach."""

OPINIONS = ("vfdb", FIBRILLATION, "challenge2015")
"""Databases whose beats nobody named; a student learns what its teachers think of them."""

NOISE = noise.DATABASE
"""Database of noise, with which records teach a second time."""

DATABASES = (*BEAT_DATABASES, "vfdb", FIBRILLATION, NOISE)
"""The same, and databases of rhythms and of noise."""

SOURCES = {
    "mitdb": "MIT-BIH Arrhythmia Database 1.0.0 (Moody & Mark, IEEE EMB 2001;20(3):45-50)",
    "vfdb": "MIT-BIH Malignant Ventricular Ectopy Database 1.0.0 (Greenwald, MS thesis, MIT, 1986)",
    FIBRILLATION: "PhysioNet/CinC Challenge 2017 (Clifford et al., Computing in Cardiology 2017)",
    "challenge2015": "PhysioNet/CinC Challenge 2015 (Clifford et al., Comput. Cardiol. 2015)",
    NOISE: "MIT-BIH Noise Stress Test Database 1.0.0 (Moody et al., Comput. Cardiol. 1984;11:381)",
    "svdb": "MIT-BIH Supraventricular Arrhythmia Database 1.0.0 (Greenwald, PhD thesis, 1990)",
}


def kinds(path: Path) -> tuple[Kind, ...]:
    """Return how a record to learn from is observed."""
    if path.parent.name == FIBRILLATION:
        return ("fibrillating",)
    if path.parent.name == "mitdb":
        return ("seconds", "detected")
    return ("seconds",) if path.parent.name == "vfdb" else ("detected",)


def training_paths(data: Path, databases: tuple[str, ...]) -> list[Path]:
    """Return the records to learn from, and make sure that no examined person is among them.

    Raises
    ------
    RecordError
        If a database is not in ``data``.
    ValueError
        If a database is unknown, mitdb is not among them, or a person is on both sides.
    """
    unknown = sorted(set(databases) - set(DATABASES))
    if unknown or "mitdb" not in databases:
        raise ValueError(
            f"databases must be mitdb and any of {', '.join(DATABASES)}, got {', '.join(databases)}"
        )
    # 201 teaches although its person's other record, 202, examines: the field's split, and said
    check_apart(DS1, [name for name in DS2 if name != "202"])
    paths: list[Path] = []
    for database in databases:
        directory = data / database
        if not directory.is_dir():
            raise RecordError(
                f"no {database} in {data}: fetch it with: rhythmwatch records download {database}, "
                f"or leave it out with --databases"
            )
        if database != NOISE:
            paths += [directory / name for name in _names(directory)]
    return paths


def noisy_copies(paths: Sequence[Path]) -> list[tuple[Path, Kind]]:
    """Return which of the records to learn from can be observed in noise as well."""
    return [(path, "noisy") for path in paths if path.parent.name in BEAT_DATABASES]


def observed_to_learn(
    data: Path, work: Path, *, progress: Callable[[str, int, int], None] | None = None
) -> tuple[list[Path], list[Path]]:
    """Return the observed records that teach beats, of all databases, and their noisy copies.

    Raises
    ------
    RecordError
        If recordings are absent or cannot be read.
    """
    paths = training_paths(data, (*BEAT_DATABASES, FIBRILLATION, NOISE))
    asked = [(path, kinds(path)[-1]) for path in paths]
    found = observe([*asked, *noisy_copies(paths)], work, progress=progress)
    return found[: len(paths)], found[len(paths) :]


def observed_both_ways(
    data: Path,
    work: Path,
    *,
    ds2: bool = False,
    progress: Callable[[str, int, int], None] | None = None,
) -> Observed:
    """Return the records that teach beats at detected and annotated R peaks, or those of DS2.

    Raises
    ------
    RecordError
        If recordings are absent or cannot be read.
    """
    paths = training_paths(data, (*BEAT_DATABASES, NOISE))
    more = training_paths(data, ("mitdb", FIBRILLATION))[len(DS1) :]
    noisy = noisy_copies(paths)
    if ds2:
        paths, more, noisy = [data / "mitdb" / name for name in DS2], [], []
    asked: list[tuple[Path, Kind]] = [(path, "detected") for path in paths]
    asked += [(path, "annotated") for path in paths]
    asked += noisy
    asked += [(path, "fibrillating") for path in more]
    files = iter(observe(asked, work, progress=progress))
    return Observed(
        detected=tuple(islice(files, len(paths))),
        annotated=tuple(islice(files, len(paths))),
        noisy=tuple(islice(files, len(noisy))),
        more=tuple(files),
    )


def opinion_paths(data: Path) -> list[Path]:
    """Return the records on which only teachers have an opinion, of databases that are there."""
    return [
        directory / name
        for directory in (data / database for database in OPINIONS)
        if directory.is_dir()
        for name in record_names(directory)
        if directory.name != FIBRILLATION or name not in fibrillation_records(directory)
    ]


def _names(directory: Path) -> Sequence[str]:
    if directory.name == "mitdb":
        return DS1
    if directory.name == FIBRILLATION:
        return fibrillation_records(directory)
    return record_names(directory)

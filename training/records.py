"""Which records teach, where they come from, and how each of them is observed."""

import csv
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path

from ecg.errors import RecordError
from ecg.reader import record_names
from training import noise
from training.ablation import Observed
from training.of_rhythm import fibrillation_records, rhythms_named
from training.split import DS1, DS2, MITDB, check_apart
from training.store import NOISY, Kind, observe

BEAT_DATABASES = ("mitdb", "svdb")
"""Databases whose beats can be learnt from; of mitdb only DS1."""

TACHYCARDIA = "vfdb"
"""Database in which rhythms are marked, and no beats; of ventricular tachycardia it has most."""

FIBRILLATION = "challenge2017"
"""Database of short records whose rhythm is known; those of atrial fibrillation teach."""

BEDSIDE = "challenge2015"
"""Database of alarms at bedsides; where no lethal one was true, it teaches what looks like one."""

OPINIONS = (TACHYCARDIA, FIBRILLATION, BEDSIDE)
"""Databases whose beats nobody named; a student learns what its teachers think of them."""

NOISE = noise.DATABASE
"""Database of noise, in which records teach again, twice."""

DATABASES = (*BEAT_DATABASES, TACHYCARDIA, FIBRILLATION, BEDSIDE, NOISE)
"""The same, and databases of rhythms and of noise."""

IN_BETWEEN = "vfdb/418"
"""A dying heart: what is marked N are waves as wide as those of flutter, at half its rate. Where it
teaches what is not fibrillation, less is found of other people's: see docs/concepts/accuracy.md.
No rhythm of it says what a beat is, either; a student hears what its teachers think of them."""

_BY_RHYTHM: dict[str, Kind] = {FIBRILLATION: "fibrillating", TACHYCARDIA: "tachycardia"}
"""Databases whose rhythms say what some of their beats are."""

_LETHAL = ("Asystole", "Ventricular_Tachycardia", "Ventricular_Flutter_Fib")
"""Alarms of ``BEDSIDE`` which, if true, leave open what the rhythm model should have said."""

SOURCES = {
    "mitdb": "MIT-BIH Arrhythmia Database 1.0.0 (Moody & Mark, IEEE EMB 2001;20(3):45-50)",
    TACHYCARDIA: "MIT-BIH Malignant Ventricular Ectopy Database 1.0.0 (Greenwald, MS thesis, 1986)",
    FIBRILLATION: "PhysioNet/CinC Challenge 2017 (Clifford et al., Computing in Cardiology 2017)",
    BEDSIDE: "PhysioNet/CinC Challenge 2015 (Clifford et al., Comput. Cardiol. 2015)",
    NOISE: "MIT-BIH Noise Stress Test Database 1.0.0 (Moody et al., Comput. Cardiol. 1984;11:381)",
    "svdb": "MIT-BIH Supraventricular Arrhythmia Database 1.0.0 (Greenwald, PhD thesis, 1990)",
}


def beat_kind(path: Path) -> Kind:
    """Return how a record of ``training_paths`` is observed."""
    return _BY_RHYTHM.get(path.parent.name, "detected")


def training_paths(data: Path, databases: tuple[str, ...]) -> list[Path]:
    """Return the records that teach beats, and make sure that no examined person is among them.

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
            without = "" if database == MITDB else " (train can do without it: see --databases)"
            raise RecordError(
                f"no {database} in {data}: fetch it with: rhythmwatch records download {database}"
                f"{without}"
            )
        if database != NOISE:
            paths += [directory / name for name in _names(directory)]
    return paths


def noisy_copies(paths: Sequence[Path]) -> list[tuple[Path, Kind]]:
    """Return which of the records to learn from are observed in noise as well, and how."""
    in_noise = [path for path in paths if path.parent.name in BEAT_DATABASES]
    return [(path, kind) for kind in NOISY for path in in_noise]


def observed_to_learn(
    data: Path, work: Path, *, progress: Callable[[str, int, int], None] | None = None
) -> tuple[list[Path], list[Path]]:
    """Return the observed records that teach beats, of all databases, and their noisy copies.

    Raises
    ------
    RecordError
        If recordings are absent or cannot be read.
    """
    paths = training_paths(data, (*BEAT_DATABASES, *_BY_RHYTHM, NOISE))
    asked = [(path, beat_kind(path)) for path in paths]
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
    more = training_paths(data, ("mitdb", *_BY_RHYTHM))[len(DS1) :]
    noisy = noisy_copies(paths)
    if ds2:
        paths, more, noisy = [data / "mitdb" / name for name in DS2], [], []
    asked: list[tuple[Path, Kind]] = [(path, "detected") for path in paths]
    asked += [(path, "annotated") for path in paths]
    asked += noisy
    asked += [(path, beat_kind(path)) for path in more]
    files = iter(observe(asked, work, progress=progress))
    return Observed(
        detected=tuple(islice(files, len(paths))),
        annotated=tuple(islice(files, len(paths))),
        noisy=tuple(islice(files, len(noisy))),
        more=tuple(files),
    )


def rhythm_records(data: Path, databases: tuple[str, ...]) -> list[tuple[Path, Kind]]:
    """Return the records that teach rhythms, and how each is observed.

    In most the ventricles neither fibrillate nor stand still, which whoever labelled them had seen:
    those of svdb; those of the 2017 challenge whose rhythm could be named; those of the 2015
    challenge in which no asystole, ventricular tachycardia or fibrillation was a true alarm.
    ``IN_BETWEEN`` is not among them.
    """
    found: list[tuple[Path, Kind]] = []
    for database in databases:
        directory = data / database
        names: Sequence[str] = ()
        if database == "mitdb":
            names = DS1
        elif database in (TACHYCARDIA, "svdb"):
            names = _without_in_between(directory)
        elif database == FIBRILLATION:
            named = rhythms_named(directory)
            names = [name for name in record_names(directory) if named[name] != "~"]
        elif database == BEDSIDE:
            names = _without_lethal_alarm(directory)
        kind: Kind = "seconds" if database in ("mitdb", TACHYCARDIA) else "organised"
        found += [(directory / name, kind) for name in names]
    return found


def opinion_records(data: Path, databases: tuple[str, ...]) -> list[tuple[Path, Kind]]:
    """Return the records of these databases of which a student hears what teachers think."""
    found: list[tuple[Path, Kind]] = []
    for directory in (data / database for database in OPINIONS if database in databases):
        named = rhythms_named(directory) if directory.name == FIBRILLATION else {}
        labelled = set(_names(directory)) if directory.name in _BY_RHYTHM else set()
        for name in record_names(directory):
            if name not in labelled:
                kind: Kind = "normal" if named.get(name) == "N" else "unmarked"
                found.append((directory / name, kind))
    return found


def _without_lethal_alarm(directory: Path) -> list[str]:
    listed = directory / "ALARMS"
    if not listed.is_file():
        raise RecordError(f"no {listed}: it says which alarms were true")
    with listed.open(encoding="ascii", newline="") as lines:
        return [name for name, alarm, true in csv.reader(lines)
                if not (alarm in _LETHAL and true == "1")]  # fmt: skip


def _without_in_between(directory: Path) -> list[str]:
    names = record_names(directory)
    return [name for name in names if f"{directory.name}/{name}" != IN_BETWEEN]


def _names(directory: Path) -> Sequence[str]:
    if directory.name == "mitdb":
        return DS1
    if directory.name == BEDSIDE:
        return ()  # nobody named its beats
    if directory.name == TACHYCARDIA:
        return _without_in_between(directory)
    if directory.name == FIBRILLATION:
        return fibrillation_records(directory)
    return record_names(directory)

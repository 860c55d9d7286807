"""What was observed and what was learnt, kept on disk: minutes of work are done once.

A work directory has one file for each record and way of observing it, under a
name that changes with everything that decides its bytes: the record's files,
and the source of the path from samples to features and labels. Files are written
whole or not at all, and read by mapping, so that processes share the memory.
"""

import hashlib
from collections.abc import Callable, Sequence
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

import ecg
from ecg.model import OUTPUTS
from training import noise
from training.annotated import observe_annotated
from training.dataset import (
    BeatSequence,
    observe_noisy,
    observe_record,
    observe_unmarked,
)
from training.files import digest_of, write_whole
from training.of_rhythm import observe_fibrillation, observe_normal, observe_tachycardia
from training.processes import PROCESSES, Tell, run_apart
from training.rhythm import SecondSequence, observe_organised, observe_rhythm

Kind = Literal[
    "detected",
    "noisy",
    "noisier",
    "fibrillating",
    "tachycardia",
    "normal",
    "unmarked",
    "annotated",
    "seconds",
    "organised",
]
"""How a record is observed: detected beats with labels, the same in two noises, with those that
fibrillation, tachycardia or a normal rhythm allows, with none; beats at annotated R peaks; seconds
of rhythm as it is marked, and of one that is organised throughout."""

NOISY: tuple[Kind, ...] = ("noisy", "noisier")
"""Those in noise. The second copy taught more of what noise is, and that a beat in it is one: see
docs/concepts/accuracy.md."""

_OBSERVE: dict[str, Callable[[Path], BeatSequence]] = {
    "detected": observe_record,
    "noisy": observe_noisy,
    "noisier": partial(observe_noisy, copy=1),
    "fibrillating": observe_fibrillation,
    "tachycardia": observe_tachycardia,
    "normal": observe_normal,
    "unmarked": observe_unmarked,
    "annotated": observe_annotated,
}
_OBSERVE_SECONDS: dict[str, Callable[[Path], SecondSequence]] = {
    "seconds": observe_rhythm,
    "organised": observe_organised,
}
_OF_BEATS = ("annotated.py", "dataset.py", "noise.py", "of_rhythm.py")
"""Sources that say how beats are observed."""
_AFTER_FEATURES = {"model.py", "device.py", "judge.py", "call.py", "draft.py", "checkpoint.py"}
"""Sources of ``ecg`` that see features and do not make them."""

_COUNTING = ("numba", "numpy", "scipy", "wfdb")
"""Libraries that make features of files; another version may make others."""


def default_work() -> Path:
    """Return where work is kept unless told otherwise: in the user's cache directory."""
    return Path.home() / ".cache" / "rhythmwatch" / "work"


def observe(
    asked: Sequence[tuple[Path, Kind]],
    work: Path,
    *,
    processes: int = PROCESSES,
    fresh: bool = False,
    progress: Callable[[str, int, int], None] | None = None,
) -> list[Path]:
    """Observe records that have not been observed yet, and return the files.

    Parameters
    ----------
    asked : sequence of (Path, Kind)
        Records without extension, and how to observe each.
    work : Path
        The work directory.
    processes : int
        Records at a time.
    fresh : bool
        Observe again also what is there.
    progress : callable, optional
        Told a record's name, how many are done, and of how many.

    Raises
    ------
    RecordError
        If a record or its annotations cannot be read.
    """
    files = [place(path, kind, work) for path, kind in asked]
    todo = [
        (path, kind, file)
        for (path, kind), file in zip(asked, files, strict=True)
        if fresh or not file.exists()
    ]
    done = len(asked) - len(todo)

    def tell(_: int, name: object) -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(str(name), done, len(asked))

    if progress is not None:
        progress("kept", done, len(asked))
    parts = [todo[k :: max(processes, 1)] for k in range(max(processes, 1))]
    run_apart(_observe, [part for part in parts if part], processes=processes, on_news=tell)
    return files


def place(path: Path, kind: Kind, work: Path) -> Path:
    """Return the file that holds, or will hold, a record observed in this way.

    Raises
    ------
    FileNotFoundError
        If there is no such record.
    """
    digest = hashlib.sha256()
    beside = sorted(path.parent.glob(f"{path.name}.*"))
    if not beside:
        raise FileNotFoundError(f"no record {path}")
    if kind in NOISY:
        beside += sorted((path.parent.parent / noise.DATABASE).glob("*.dat"))
    for file in beside:
        status = file.stat()
        digest.update(f"{file.name} {status.st_size} {status.st_mtime_ns}\n".encode())
    name = f"{path.name}-{digest.hexdigest()[:12]}.npy"
    return work / "observed" / source_key(kind) / kind / path.parent.name / name


@cache
def source_key(kind: Kind) -> str:
    """Return a name of the code between samples and observations."""
    package, here = Path(ecg.__file__).parent, Path(__file__).parent
    sources = [p for p in sorted(package.glob("*.py")) if p.name not in _AFTER_FEATURES]
    of_kind = ("rhythm.py",) if kind in _OBSERVE_SECONDS else _OF_BEATS
    sources += [here / name for name in of_kind]
    versions = [f"{name} {version(name)}" for name in _COUNTING]
    return digest_of(sources, ",".join([*OUTPUTS, *versions]))


def write_beats(file: Path, sequence: BeatSequence) -> None:
    """Keep a sequence of beats."""
    _write_columns(
        file,
        samples=sequence.samples,
        windows=sequence.windows,
        contexts=sequence.contexts,
        fibrillation=sequence.fibrillation,
        targets=sequence.targets,
    )


def read_beats(file: Path) -> BeatSequence:
    """Return the beats of a file, mapped: their pages are read when they are looked at."""
    rows = _map(file)
    return BeatSequence(
        record=record_of(file),
        samples=rows["samples"],
        windows=rows["windows"],
        contexts=rows["contexts"],
        fibrillation=rows["fibrillation"],
        targets=rows["targets"],
    )


def read_seconds(file: Path) -> SecondSequence:
    """Return the seconds of a file, in memory: there are few."""
    rows = _map(file)
    return SecondSequence(
        record=record_of(file),
        descriptors=rows["descriptors"].copy(),
        targets=rows["targets"].copy(),
    )


def record_of(file: Path) -> str:
    """Return database and record of a file of the store.

    Examples
    --------
    >>> record_of(Path("work/observed/0a1b/detected/mitdb/101-2c3d.npy"))
    'mitdb/101'
    """
    return f"{file.parent.name}/{file.stem.rpartition('-')[0]}"


def _observe(task: list[tuple[Path, Kind, Path]], tell: Tell) -> None:
    for path, kind, file in task:
        if kind in _OBSERVE_SECONDS:
            seconds = _OBSERVE_SECONDS[kind](path)
            _write_columns(file, descriptors=seconds.descriptors, targets=seconds.targets)
        else:
            write_beats(file, _OBSERVE[kind](path))
        tell(f"{path.parent.name}/{path.name}")


def _write_columns(file: Path, **columns: NDArray[np.generic]) -> None:
    rows = np.empty(
        len(columns["targets"]),
        np.dtype([(name, c.dtype, c.shape[1:]) for name, c in columns.items()]),
    )
    for name, column in columns.items():
        rows[name] = column
    write_whole(file, lambda out: np.save(out, rows))


def _map(file: Path) -> NDArray[np.void]:
    rows: NDArray[np.void] = np.load(file, mmap_mode="r")
    return rows

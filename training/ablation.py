"""``rhythmwatch ablate``: what each ingredient of the beat model gave, in one table.

All rows are fitted by one loop, with the same seeds, folds and number of beats, few enough
for an hour on two cores: the rows compare with each other, and none is the model that
ships. Each person is judged by a fit that did not know them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecg.model import BeatLSTMSize
from training.ensemble import by_strangers, members_of
from training.exam import JUDGED, called_other_than_n, examine
from training.fit import Epoch, FitSettings
from training.ingredients import LIVE, ROWS, Peaks, Row
from training.lesson import Learnt, Lesson, carry_out
from training.split import DS2
from training.store import record_of
from training.tables import percent_of_seeds

WITHOUT = ("mitdb/219", "mitdb/232")
"""Two people of DS2 who hold most of its S beats and of the false ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """The records of a table, each at detected and at annotated R peaks, in one order.

    Parameters
    ----------
    detected, annotated : tuple of Path
        Records with labels.
    more : tuple of Path
        Records of which the rhythm is known; they teach, and examine none.
    noisy : tuple of Path
        Those with labels again, in noise; they teach.
    """

    detected: tuple[Path, ...]
    annotated: tuple[Path, ...]
    more: tuple[Path, ...] = ()
    noisy: tuple[Path, ...] = ()

    def at(self, peaks: Peaks, *, svdb: bool = True) -> tuple[Path, ...]:
        """Return the files of R peaks of one kind, with those of svdb or without."""
        return _kept(self.detected if peaks == "detected" else self.annotated, svdb=svdb)

    def by_rhythm(self, row: Row) -> tuple[Path, ...]:
        """Return the files of which the rhythm is known that teach a row."""
        return tuple(f for f in self.more if row.tachycardia or _database(f) != "vfdb")

    def copies(self, row: Row) -> tuple[Path, ...]:
        """Return the files in noise that teach a row; there are none at annotated R peaks."""
        in_noise = row.noise and row.taught == "detected"
        return _kept(self.noisy, svdb=row.svdb) if in_noise else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a row came to: F1 of each column, one value a seed, and what it called."""

    row: Row
    f1: dict[str, list[float]]
    other_than_n: float


def ablate(
    observed: Observed,
    work: Path,
    settings: FitSettings,
    *,
    seeds: int = 1,
    ds2: Observed | None = None,
    rows: Sequence[Row] = ROWS,
    size: BeatLSTMSize | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[Result]:
    """Fit all rows and examine them.

    Parameters
    ----------
    observed : Observed
        Records of the training databases.
    work : Path
        The work directory.
    settings : FitSettings
        ``members`` are the folds, ``beats`` the beats of an epoch.
    seeds : int
        Fits of each row and fold.
    ds2 : Observed, optional
        Records that examine in place of the folds; models then learn from all of
        ``observed``.
    rows : sequence of Row
    size : BeatLSTMSize, optional
    progress : callable, optional
        Told how many epochs are done, and of how many.
    """
    size = size or BeatLSTMSize()
    lessons = [
        lesson
        for row in rows
        for k in range(seeds)
        for lesson in _lessons(row, observed, _of_row(settings, row, k), size, ds2)
    ]
    seen: set[tuple[int, int]] = set()

    def tell(k: int, epoch: Epoch) -> None:
        seen.add((k, epoch.number))
        if progress is not None:
            progress(len(seen), len(lessons) * settings.epochs)

    learnt = carry_out(lessons, work, progress=tell)
    n = 1 if ds2 else settings.members
    results = []
    for number, row in enumerate(rows):
        first = number * seeds * n
        of_seeds = [learnt[first + k * n : first + (k + 1) * n] for k in range(seeds)]
        results.append(_result(row, observed, of_seeds, ds2))
    return results


def _of_row(settings: FitSettings, row: Row, k: int) -> FitSettings:
    return replace(
        settings,
        seed=settings.seed + k,
        learning_rate=row.steepness * settings.learning_rate,
        record_power=settings.record_power if row.even else 0.0,
    )


def _lessons(
    row: Row, observed: Observed, settings: FitSettings, size: BeatLSTMSize, ds2: Observed | None
) -> list[Lesson]:
    taught = (*observed.at(row.taught, svdb=row.svdb), *observed.by_rhythm(row))
    if ds2 is not None:
        examined = ds2.at(row.examined)
        return [
            Lesson(
                taught=(*taught, *observed.copies(row)),
                examined=examined,
                settings=settings,
                size=size,
                variant=row.variant,
            )
        ]
    examined = (*observed.at(row.examined, svdb=row.svdb), *observed.by_rhythm(row))
    return members_of(
        taught,
        settings,
        size=size,
        variant=row.variant,
        examined=examined,
        copies=observed.copies(row),
    )


def _result(
    row: Row, observed: Observed, of_seeds: Sequence[Sequence[Learnt]], ds2: Observed | None
) -> Result:
    f1: dict[str, list[float]] = {}
    calls: list[NDArray[np.float32]] = []
    source = ds2 or observed
    files, truth = source.at(row.examined, svdb=row.svdb), source.at("annotated", svdb=row.svdb)
    for learnt in of_seeds:
        if ds2 is None:
            said = by_strangers([*files, *observed.by_rhythm(row)], learnt)[: len(files)]
        else:
            said = learnt[0].logits
        calls += said
        for database in ("mitdb", "svdb"):
            chosen = [k for k, file in enumerate(files) if _database(file) == database]
            if not chosen:
                continue
            looks: list[tuple[str, tuple[str, ...]]] = [(database, ())]
            if ds2 is not None:
                looks = [("DS2", ()), ("DS2 without 219, 232", WITHOUT)]
            for column, without in looks:
                figures = examine(
                    [said[k] for k in chosen],
                    [files[k] for k in chosen],
                    [truth[k] for k in chosen],
                    without=without,
                    gate=row.gate,
                )
                for name in JUDGED:
                    shown = "DS1" if column == "mitdb" else column
                    f1.setdefault(f"{shown}: {name}", []).append(figures[name].f1)
    return Result(row=row, f1=f1, other_than_n=called_other_than_n(calls))


def _kept(files: tuple[Path, ...], *, svdb: bool) -> tuple[Path, ...]:
    return tuple(file for file in files if svdb or _database(file) != "svdb")


def _database(file: Path) -> str:
    return record_of(file).split("/")[0]


def markdown_of(results: Sequence[Result]) -> str:
    """Return the table, F1 in %; mean and standard deviation where there are several seeds."""
    columns = list(dict.fromkeys(name for result in results for name in result.f1))
    lines = [f"| F1, % | {' | '.join(columns)} |", f"|---|{'---:|' * len(columns)}"]
    for result in results:
        cells = [percent_of_seeds(result.f1.get(column, ())) for column in columns]
        lines.append(f"| {result.row.name} | {' | '.join(cells)} |")
    for result in results:
        if result.other_than_n < 0.001:
            share = f"{100 * result.other_than_n:.2f} %"
            lines += ["", f"{result.row.name}: calls all beats N ({share} anything else)."]
    return "\n".join(lines) + "\n"


def live_of(results: Sequence[Result]) -> dict[str, Any]:
    """Return what the live row came to on DS2, as the log of its runs takes it."""
    f1 = next(result.f1 for result in results if result.row.name == LIVE)
    return {
        "records": list(DS2),
        "beats": {name: {"f1": float(np.mean(f1[f"DS2: {name}"]))} for name in JUDGED},
        "S_without_232_219": {"f1": float(np.mean(f1["DS2 without 219, 232: S"]))},
    }


def conditions_of(settings: FitSettings, *, seeds: int, command: str) -> str:
    """Return how the table was made, as a paragraph."""
    beats = "all" if settings.beats is None else f"{settings.beats:,}"
    return (
        f"Made by `{command}`: {settings.epochs} epochs of {beats} beats, {seeds} "
        f"{'seed' if seeds == 1 else 'seeds'} from {settings.seed} on, judged from the first "
        "beat on; beats that the detector missed are missed, F called V is neither right nor wrong."
    )

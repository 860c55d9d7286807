"""``rhythmwatch search``: which hyper-parameters judge unknown people best.

Every choice is fitted on folds of people: DS1 and svdb together, each person judged by
a model that did not know them, and svdb alone, which judges DS1. DS2 has no part in it.
After each round the better half goes on, with twice the epochs. What was fitted
is kept, so that a search that was killed goes on.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ecg.model import BeatLSTMSize
from training.ensemble import by_strangers, members_of
from training.exam import JUDGED, examine
from training.fit import Epoch, FitSettings
from training.lesson import Learnt, Lesson, carry_out
from training.space import Choice, apply, draw
from training.store import record_of
from training.tables import percent_of_seeds

TRANSFER = "svdb -> DS1"
VIEWS = ("DS1", "svdb", TRANSFER)
"""What choices are ranked by, each alike: unknown people of two databases, and of another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A choice and how it did.

    Parameters
    ----------
    choice : dict
    epochs : int
        Of its last round.
    f1 : dict of dict of list of float
        By view and class, one value a seed.
    """

    choice: Choice
    epochs: int
    f1: dict[str, dict[str, list[float]]]

    @property
    def scores(self) -> list[float]:
        """The mean over views and classes, one value a seed."""
        values = [of_seeds for view in self.f1.values() for of_seeds in view.values()]
        return [float(score) for score in np.mean(values, axis=0)]

    @property
    def mean(self) -> float:
        """What choices are ranked by: the mean over seeds."""
        return float(np.mean(self.scores))

    @property
    def spread(self) -> float:
        """Standard deviation over seeds, of a sample; 0 with a single one."""
        return float(np.std(self.scores, ddof=1)) if len(self.scores) > 1 else 0.0


def search(
    files: Sequence[Path],
    work: Path,
    space: Mapping[str, Sequence[Any]],
    *,
    settings: FitSettings,
    trials: int,
    halvings: int = 0,
    folds: int = 4,
    seeds: int = 2,
    copies: Sequence[Path] = (),
    progress: Callable[[int, int, int], None] | None = None,
) -> list[Row]:
    """Try choices and return them, those of the last round first, best first.

    Parameters
    ----------
    files : sequence of Path
        Observed records of mitdb (DS1), svdb and others that only teach.
    work : Path
        The work directory.
    space : mapping
        Values to try by name.
    settings : FitSettings
        What is not searched; its seed is the first, ``epochs`` those of the last round.
    trials : int
        Choices to draw.
    halvings : int
        Rounds before the last, each of which half of the choices pass.
    folds : int
        Parts that people are dealt into.
    seeds : int
        Fits of each choice and fold.
    copies : sequence of Path
        Some of the records again, observed with noise; they only teach.
    progress : callable, optional
        Told the round, how many epochs of it are done, and of how many.
    """
    choices = draw(space, trials, seed=settings.seed)
    out: list[Row] = []
    for turn in range(halvings + 1):
        epochs = max(settings.epochs >> (halvings - turn), 1)
        now = replace(settings, epochs=epochs, members=folds)
        lessons = [
            lesson
            for choice in choices
            for k in range(seeds)
            for lesson in _lessons(files, copies, choice, replace(now, seed=settings.seed + k))
        ]
        seen: set[tuple[int, int]] = set()

        def tell(
            k: int,
            epoch: Epoch,
            turn: int = turn,
            seen: set[tuple[int, int]] = seen,
            total: int = len(lessons) * epochs,
        ) -> None:
            seen.add((k, epoch.number))
            if progress is not None:
                progress(turn, len(seen), total)

        learnt = iter(carry_out(lessons, work, progress=tell))
        rows = [
            Row(choice=choice, epochs=epochs, f1=_figures(files, learnt, folds, seeds))
            for choice in choices
        ]
        rows.sort(key=lambda row: -row.mean)
        going_on = -(-len(rows) // 2) if turn < halvings else len(rows)
        out = [*rows, *(r for r in out if r.choice not in choices)]
        choices = [row.choice for row in rows[:going_on]]
    return out


def _lessons(
    files: Sequence[Path], copies: Sequence[Path], choice: Choice, settings: FitSettings
) -> list[Lesson]:
    """Return the lessons of the folds, and the one that only svdb teaches."""
    settings, size = apply(choice, settings, BeatLSTMSize())
    return [
        *members_of(files, settings, size=size, copies=copies),
        Lesson(
            taught=_of("svdb", [*files, *copies]),
            examined=_of("mitdb", files),
            settings=settings,
            size=size,
        ),
    ]


def _figures(
    files: Sequence[Path], learnt: Iterator[Learnt], folds: int, seeds: int
) -> dict[str, dict[str, list[float]]]:
    """Take the next results of a choice, seed by seed, and score them."""
    f1: dict[str, dict[str, list[float]]] = {view: {c: [] for c in JUDGED} for view in VIEWS}
    for _ in range(seeds):
        members: list[Learnt] = [next(learnt) for _ in range(folds)]
        logits = dict(zip(files, by_strangers(files, members), strict=True))
        views = {view: _of(name, files) for view, name in (("DS1", "mitdb"), ("svdb", "svdb"))}
        said = {view: [logits[file] for file in chosen] for view, chosen in views.items()}
        views[TRANSFER], said[TRANSFER] = views["DS1"], next(learnt).logits
        for view, chosen in views.items():
            for name, figures in examine(said[view], chosen).items():
                f1[view][name].append(figures.f1)
    return f1


def _of(database: str, files: Sequence[Path]) -> tuple[Path, ...]:
    return tuple(file for file in files if record_of(file).split("/")[0] == database)


def json_of(rows: Sequence[Row]) -> str:
    """Return the rows as JSON."""
    said = [
        {
            "choice": row.choice,
            "epochs": row.epochs,
            "mean": row.mean,
            "spread": row.spread,
            "f1": row.f1,
        }
        for row in rows
    ]
    return json.dumps(said, indent=2) + "\n"


def markdown_of(rows: Sequence[Row]) -> str:
    """Return the rows as a Markdown table, F1 in %, mean and standard deviation over seeds."""
    columns = [f"{view}: {name}" for view in VIEWS for name in JUDGED]
    lines = [
        f"| choice | epochs | mean | {' | '.join(columns)} |",
        f"|---|---:|---:|{'---:|' * len(columns)}",
    ]
    for row in rows:
        cells = [percent_of_seeds(row.f1[view][name]) for view in VIEWS for name in JUDGED]
        choice = ", ".join(f"{name} {value}" for name, value in row.choice.items())
        lines.append(
            f"| {choice} | {row.epochs} | {percent_of_seeds(row.scores)} | {' | '.join(cells)} |"
        )
    return "\n".join(lines) + "\n"

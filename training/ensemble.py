"""Fit ensembles: each member without some patients, who then examine it.

The patients are dealt into as many parts as there are members; member k does
not learn from part k. So every patient is judged once by a member who does not know
the patient, which gives figures and calibration without a fit that is thrown away.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from ecg.model import BeatEnsemble, BeatLSTM, BeatLSTMSize
from training.fit import Epoch, FitSettings
from training.lesson import Learnt, Lesson
from training.split import person_of
from training.store import record_of
from training.variant import Variant


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """An ensemble and what its members said of the patients they did not know.

    Parameters
    ----------
    model : BeatEnsemble
    epochs : list of list of Epoch
        Of each member.
    logits : list of ndarray, each of shape (n_beats, len(OUTPUTS))
        Of each record that was given, by the one member that did not learn from it.
    """

    model: BeatEnsemble
    epochs: list[list[Epoch]]
    logits: list[NDArray[np.float32]]


def deal(records: Sequence[str], parts: int) -> list[int]:
    """Return for each record the part it belongs to; records of one person belong together.

    Persons are dealt in order, each round one further, so that no part gets every
    fourth record of a list that has an order.

    Examples
    --------
    >>> deal(["mitdb/201", "mitdb/202", "mitdb/203", "svdb/800", "svdb/801"], 2)
    [0, 0, 1, 1, 0]
    """
    places: dict[str, int] = {}
    dealt = []
    for record in records:
        k = places.setdefault(person_of(record), len(places))
        dealt.append((k + k // parts) % parts)
    return dealt


def members_of(
    files: Sequence[Path],
    settings: FitSettings,
    *,
    size: BeatLSTMSize | None = None,
    variant: Variant | None = None,
    examined: Sequence[Path] | None = None,
    copies: Sequence[Path] = (),
) -> list[Lesson]:
    """Return the lessons of an ensemble's members, each without a part of the patients.

    Parameters
    ----------
    files : sequence of Path
        Observed records.
    settings : FitSettings
        Of each member; they differ in their seed and in who is left out.
    size : BeatLSTMSize, optional
        Of each member.
    variant : Variant, optional
        Of each member.
    examined : sequence of Path, optional
        The same records as those of ``files``, observed in another way, to examine by.
    copies : sequence of Path, optional
        Some of the records again, observed with noise; they only teach.

    Raises
    ------
    ValueError
        If there are fewer persons than members.
    """
    n, all_taught = len(files), (*files, *copies)
    dealt = deal([record_of(file) for file in all_taught], settings.members)
    parts = dealt[:n]
    if len(set(parts)) < settings.members:
        raise ValueError(
            f"{settings.members} members need as many persons to leave out, got {len(set(parts))}"
        )
    return [
        Lesson(
            taught=tuple(f for f, part in zip(all_taught, dealt, strict=True) if part != k),
            examined=tuple(f for f, p in zip(examined or files, parts, strict=True) if p == k),
            settings=replace(settings, seed=settings.seed * settings.members + k),
            size=size or BeatLSTMSize(),
            variant=variant or Variant(),
        )
        for k in range(settings.members)
    ]


def assemble(files: Sequence[Path], members: Sequence[Learnt]) -> Fitted:
    """Put the members together that learnt the lessons of ``members_of``."""
    return Fitted(
        model=BeatEnsemble([cast(BeatLSTM, member.model) for member in members]),
        epochs=[member.epochs for member in members],
        logits=by_strangers(files, members),
    )


def by_strangers(files: Sequence[Path], members: Sequence[Learnt]) -> list[NDArray[np.float32]]:
    """Return the logits of each record, by the one member that did not learn from it."""
    waiting = [iter(member.logits) for member in members]
    return [next(waiting[part]) for part in deal([record_of(f) for f in files], len(members))]

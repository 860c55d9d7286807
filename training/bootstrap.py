"""How far figures would move with other patients: 95 % intervals by bootstrap.

Patients are drawn again with replacement, as many as there are, each with all of
his or her beats: the beats of one patient are not independent, and intervals over
beats would be far too narrow.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecg.finding import BEAT_CLASSES, BeatClass
from ecg.metrics import tallies

REPLICATES = 2000
"""Draws; the ends of an interval then move by less than a hundredth of its width."""
SEED = 0
LEVEL = 0.95

_MISSED = 6
_SCORED: tuple[BeatClass, ...] = ("S", "V", "F")


def draw(n_patients: int, *, replicates: int = REPLICATES, seed: int = SEED) -> NDArray[np.int64]:
    """Return how often each patient is drawn, shape (replicates, n_patients); rows sum alike."""
    generator = np.random.default_rng(seed)
    return generator.multinomial(n_patients, np.full(n_patients, 1 / n_patients), size=replicates)


def intervals(
    tables: Sequence[NDArray[np.int64]],
    persons: Sequence[str],
    *,
    replicates: int = REPLICATES,
    seed: int = SEED,
) -> dict[str, Any]:
    """Return 95 % intervals of the gross figures.

    Parameters
    ----------
    tables : sequence of ndarray of int, each of shape (6, 7)
        Counts of each record, as in ``ecg.metrics.BeatCounts``.
    persons : sequence of str
        Whose each record is; records of one person are drawn together.
    replicates : int
        Number of draws.
    seed : int
        The same seed gives the same intervals.

    Returns
    -------
    dict
        ``qrs`` (``se``, ``ppv``), ``beats`` of S, V and F (``se``, ``ppv``, ``f1``) and
        ``accuracy``; each a list of low and high end, fractions, or None where
        fewer than two patients, or too few draws, have anything to count.

    Examples
    --------
    >>> table = np.diag([90, 5, 5, 0, 0, 0, 0])[:6]
    >>> intervals([table, table, table], ["a", "b", "c"], replicates=50)["beats"]["V"]["f1"]
    [1.0, 1.0]
    """
    names = list(dict.fromkeys(persons))
    of_person = np.zeros((len(names), 6, 7), dtype=np.int64)
    for person, table in zip(persons, tables, strict=True):
        of_person[names.index(person)] += table
    if len(names) < 2:
        drawn = np.zeros((0, 6, 7), dtype=np.int64)
    else:
        weights = draw(len(names), replicates=replicates, seed=seed)
        drawn = np.einsum("rp,pab->rab", weights, of_person)
    beats = drawn[:, : len(BEAT_CLASSES)]
    annotated = beats.sum(axis=(1, 2))
    missed = beats[:, :, _MISSED].sum(axis=1)
    false = drawn[:, -1].sum(axis=-1)
    right = np.trace(beats[:, :, : len(BEAT_CLASSES)], axis1=1, axis2=2)
    return {
        "qrs": {
            "se": _ends(annotated - missed, annotated),
            "ppv": _ends(annotated - missed, annotated - missed + false),
        },
        "beats": {beat_class: _of_class(drawn, beat_class) for beat_class in _SCORED},
        "accuracy": _ends(right, annotated),
    }


def _of_class(drawn: NDArray[np.int64], beat_class: BeatClass) -> dict[str, list[float] | None]:
    true, missed, false = tallies(drawn, beat_class)
    # of a draw without the class there is no F1, whatever was said; nor of one that nobody named
    known = (true + missed > 0) & np.any(true + false)
    return {
        "se": _ends(true, true + missed),
        "ppv": _ends(true, true + false),
        "f1": _ends(2 * true, np.where(known, 2 * true + missed + false, 0)),
    }


def _ends(part: NDArray[np.int64], whole: NDArray[np.int64]) -> list[float] | None:
    known = whole > 0
    # an interval of a few draws that happen to have the class would promise too much
    if not known.any() or known.mean() < LEVEL:
        return None
    low, high = np.quantile(part[known] / whole[known], [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return [round(float(low), 6), round(float(high), 6)]

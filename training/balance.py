"""How much each beat counts in the loss: rare classes more, and no person for all others.

Most S beats are of a few people. Left to themselves they teach what is theirs alone: a
record whose beats are S by the third outweighs ten that have a dozen.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ecg.model import OUTPUTS
from training.dataset import BeatSequence, class_counts

EVENED = ("S", "V")
"""Classes whose beats count by how many of them a record has; F and Q are of too few people."""
_LEAST = 0.003
"""A class with a handful of beats (F, Q) must not outshout the others."""
_RARE = 0.005
"""Share of a record's beats below which a class counts as no rarer: one beat may be a mistake."""
_BOUND = 5.0
"""How many times more or less than those of its class on average a beat may count."""


def of_classes(sequences: Sequence[BeatSequence], power: float) -> NDArray[np.float32]:
    """Return what a beat of each output counts: the inverse of the output's share to a power.

    Returns
    -------
    ndarray, shape (len(OUTPUTS),)
        1 on average over beats as many as there are, but for classes rarer than ``_LEAST``.
    """
    counts = np.array(list(class_counts(sequences).values()), dtype=np.float64)
    shares = np.maximum(counts / max(counts.sum(), 1.0), _LEAST)
    weights = shares**-power
    return np.asarray(weights / (weights * shares).sum(), np.float32)


def of_records(
    sequences: Sequence[BeatSequence], drawn: NDArray[np.float64], power: float
) -> NDArray[np.float32]:
    """Return what a beat of each record and output counts beside others of its output.

    Parameters
    ----------
    sequences : sequence of BeatSequence
        Of records with beats.
    drawn : ndarray, shape (n_records,)
        How often each is drawn; they sum to 1.
    power : float
        A beat of ``EVENED`` counts as the inverse of its class' share of the record to this power;
        0 for all alike, 1 for each record that has any alike.

    Returns
    -------
    ndarray, shape (n_records, len(OUTPUTS))
        1 on average over the beats of an output that are drawn, before it is held in bounds.
    """
    weights = np.ones((len(sequences), len(OUTPUTS)), np.float32)
    for name in EVENED:
        output = OUTPUTS.index(name)
        shares = np.array([(s.targets == output).mean() for s in sequences])
        raw = (shares + _RARE) ** -power
        total = (drawn * shares * raw).sum()
        if total > 0:
            even = raw * (drawn * shares).sum() / total
            weights[:, output] = np.clip(even, 1 / _BOUND, _BOUND)
    return weights

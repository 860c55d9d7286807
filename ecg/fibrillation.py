"""Is this atrial fibrillation? A small LSTM hears how RR intervals compare, one step a beat.

In atrial fibrillation the intervals come in no order: each is unlike those before it. The atria do
not beat, none of their beats can be premature, and a short interval says nothing; which is why what
looks S is then N (``ecg.call``). Extrasystoles, even every second or third beat, come back to
intervals that were there before. The weights are fitted by ``training.fibrillation``.
"""

import numpy as np
from numpy.typing import NDArray

from ecg import fibrillation_weights as net
from ecg.arithmetic import median
from ecg.compiled import compiled
from ecg.scratch import on_stack
from ecg.state import COMPARISONS, RR_MEMORY, UNITS

BEFORE = 8
"""Intervals that one is compared with."""
LEAST_BEATS = 8
"""Intervals that must have been heard."""
_NEAREST = (1, 2, 3, 5, 8)
"""To the nearest of so many of them."""
_LEAST, _MIDDLE = 0.005, 2.8
"""A difference, as a share of the mean, below which they are all the same (4 ms of 0.8 s), and what
puts the logarithm of usual ones near 0."""
_GATES = 4 * UNITS


@compiled
def compare(
    rr: float, before: NDArray[np.float64], likeness: float, out: NDArray[np.float32]
) -> None:
    """Say how an RR interval compares with those before it.

    Parameters
    ----------
    rr : float
        The interval that ends at the beat.
    before : ndarray, shape (n,)
        Up to ``BEFORE`` intervals before it in the same unit, the last one first; at least one.
    likeness : float
        Correlation of the beat with the patient's template.
    out : ndarray, shape (COMPARISONS,)
        Filled: the logarithm of the interval over the mean of those before; of the least difference
        to the last 1, 2, 3, 5 and 8 of them and of the median difference of neighbours, over that
        mean; and the likeness.
    """
    n = before.shape[0]
    mean = before.mean()
    out[0] = min(max(np.log(rr / mean), -1.0), 1.0)
    nearest, k = np.inf, 0
    for place in range(len(_NEAREST)):
        while k < min(_NEAREST[place], n):
            nearest = min(nearest, abs(rr - before[k]))
            k += 1
        out[1 + place] = _size(nearest / mean)
    changes = on_stack(BEFORE, np.float64)[:n]
    changes[0] = abs(rr - before[0])
    for k in range(1, n):
        changes[k] = abs(before[k - 1] - before[k])
    out[1 + len(_NEAREST)] = _size(median(changes) / mean)
    out[2 + len(_NEAREST)] = likeness


@compiled
def _size(share: float) -> float:
    return float(np.log(max(share, _LEAST)) + _MIDDLE)


@compiled
def hear(s: np.void, rr: float, likeness: float) -> float:
    """Take the RR interval of the oldest waiting beat; return the probability of fibrillation.

    Parameters
    ----------
    s : void
        The patient's state; the LSTM's memory is updated.
    rr : float
        In engine samples; -1 if unknown, after which all is forgotten.
    likeness : float
        Correlation of the beat with the patient's template.

    Returns
    -------
    float
        0 while too little has been heard.
    """
    if rr <= 0:
        s["fibrillation_n"] = 0
        return 0.0
    after = s["pending_n"] - 1  # intervals that are known but end later
    newest = s["rr_n"] - 1 - after
    n = min(newest, min(BEFORE, RR_MEMORY - 1 - after))
    if n < 1:
        return 0.0
    before = on_stack(BEFORE, np.float64)[:n]
    for k in range(n):
        before[k] = s["rr"][(newest - 1 - k) % RR_MEMORY]
    compared = on_stack(COMPARISONS, np.float32)
    compare(rr, before, likeness, compared)
    if s["fibrillation_n"] == 0:
        s["fibrillation"][:] = 0.0
    s["fibrillation_n"] += 1
    odds = step(compared, s["fibrillation"])
    return _squashed(odds) if s["fibrillation_n"] >= LEAST_BEATS else 0.0


@compiled
def step(compared: NDArray[np.float32], memory: NDArray[np.float64]) -> float:
    """Take one step of the LSTM; return the log-odds of fibrillation.

    Parameters
    ----------
    compared : ndarray, shape (COMPARISONS,)
        Of ``compare``.
    memory : ndarray, shape (2, UNITS)
        h and c; changed.
    """
    seen = on_stack(UNITS, np.float64)
    gates = on_stack(_GATES, np.float64)
    seen[:] = net.IN_BIAS
    for k in range(COMPARISONS):
        for unit in range(UNITS):
            seen[unit] += net.IN[k, unit] * compared[k]
    # the gates of all units in torch's order: input, forget, cell, output
    gates[:] = net.GATES_BIAS
    odds = net.BIAS
    for k in range(UNITS):
        seen[k] = max(seen[k], 0.0)
        odds += net.OUT[1, k] * seen[k]
        for row in range(_GATES):
            gates[row] += net.GATES[k, row] * seen[k]
    for k in range(UNITS):
        for row in range(_GATES):
            gates[row] += net.GATES[UNITS + k, row] * memory[0, k]
    for unit in range(UNITS):
        kept = _squashed(gates[UNITS + unit]) * memory[1, unit]
        memory[1, unit] = kept + _squashed(gates[unit]) * np.tanh(gates[2 * UNITS + unit])
        memory[0, unit] = _squashed(gates[3 * UNITS + unit]) * np.tanh(memory[1, unit])
        odds += net.OUT[0, unit] * memory[0, unit]
    return float(odds)


@compiled
def _squashed(value: float) -> float:
    return float(1.0 / (1.0 + np.exp(-value)))

"""Engine samples of a lead through all filters at once, and what that says of the second.

Each section waits for its sample before, some twelve cycles; five of them side by side wait
together. Both leads in one loop were slower: there are not so many registers.
"""

import numpy as np
from numpy.typing import NDArray

from ecg.compiled import compiled
from ecg.filters import MIDDLE_BAND, QRS_BAND, SLOW_BAND, WANDER_FREE, biquad, coefficients
from ecg.quality import HIGHEST, MIDDLE, SLOW, USUAL
from ecg.state import BAND_RING, N_LEADS, RING

(_WANDER_FREE,) = coefficients(WANDER_FREE)
_BAND_HIGH, _BAND_LOW = coefficients(QRS_BAND)
(_SLOW_BAND,) = coefficients(SLOW_BAND)
(_MIDDLE_BAND,) = coefficients(MIDDLE_BAND)


@compiled
def split(s: np.void, e: int, n: int, values: NDArray[np.float64]) -> None:
    """Filter engine samples ``e`` up to ``e + n`` (excluded) into trace and QRS band.

    What a second is judged by is added up on the way: second difference, size in three bands.

    Parameters
    ----------
    s : void
        The patient's state.
    e, n : int
    values : ndarray, shape (at least n, N_LEADS)
        The samples, in mV.
    """
    for lead in range(N_LEADS):
        _split_lead(s, lead, e, n, values)
    s["q_fast_n"] += n


@compiled
def _split_lead(s: np.void, lead: int, e: int, n: int, values: NDArray[np.float64]) -> None:
    trace, band, bands = s["trace"], s["qrs_band"], s["q_bands"]
    wander, other_wander = s["wander"][lead, 0, 0], s["wander"][lead, 0, 1]
    high, other_high = s["band"][lead, 0, 0], s["band"][lead, 0, 1]
    low, other_low = s["band"][lead, 1, 0], s["band"][lead, 1, 1]
    slow, other_slow = s["q_slow_memory"][lead, 0, 0], s["q_slow_memory"][lead, 0, 1]
    middle, other_middle = s["q_middle_memory"][lead, 0, 0], s["q_middle_memory"][lead, 0, 1]
    one, two = np.float64(trace[(e - 1) % RING, lead]), np.float64(trace[(e - 2) % RING, lead])
    fast = s["q_fast"][lead]
    slow_size, middle_size = bands[lead, SLOW], bands[lead, MIDDLE]
    usual, highest = bands[lead, USUAL], bands[lead, HIGHEST]
    at = e % RING
    for k in range(n):
        value = values[k, lead]
        out, wander, other_wander = biquad(_WANDER_FREE, value, wander, other_wander)
        trace[at, lead] = out
        now = np.float64(trace[at, lead])  # as it is kept
        at = at + 1 if at + 1 < RING else 0
        fast += abs(now - 2.0 * one + two)
        one, two = now, one
        out, slow, other_slow = biquad(_SLOW_BAND, now, slow, other_slow)
        slow_size += abs(out)
        out, middle, other_middle = biquad(_MIDDLE_BAND, now, middle, other_middle)
        middle_size += abs(out)
        out, high, other_high = biquad(_BAND_HIGH, value, high, other_high)
        out, low, other_low = biquad(_BAND_LOW, out, low, other_low)
        qrs = np.float32(out)
        band[(e + k) & (BAND_RING - 1), lead] = qrs
        usual += np.sqrt(abs(qrs))  # roots, so that a QRS hardly counts
        highest = max(highest, abs(qrs))
    s["wander"][lead, 0, 0], s["wander"][lead, 0, 1] = wander, other_wander
    s["band"][lead, 0, 0], s["band"][lead, 0, 1] = high, other_high
    s["band"][lead, 1, 0], s["band"][lead, 1, 1] = low, other_low
    s["q_slow_memory"][lead, 0, 0], s["q_slow_memory"][lead, 0, 1] = slow, other_slow
    s["q_middle_memory"][lead, 0, 0], s["q_middle_memory"][lead, 0, 1] = middle, other_middle
    s["q_fast"][lead] = fast
    bands[lead, SLOW], bands[lead, MIDDLE] = slow_size, middle_size
    bands[lead, USUAL], bands[lead, HIGHEST] = usual, highest

"""Is a lead fit to be judged? Said once a second, from what the second showed.

Missing, lead off (held at a rail), flat (held elsewhere), clipped (pressed
against a bound) and noisy (muscle or electrode noise over the QRS) leads are
unfit. A QRS, VF and the wander of asystole are none of these.
"""

import numpy as np
from numpy.typing import NDArray

from ecg.compiled import compiled
from ecg.filters import ENGINE_FS
from ecg.finding import Unfit

REASONS: tuple[Unfit | None, ...] = (None, "missing", "lead_off", "flat", "clipped", "noisy")
"""Meaning of the codes in ``unfit``; the first five of a judged lead are worst first."""

FIT, MISSING, LEAD_OFF, FLAT, CLIPPED, NOISY = range(6)

MISSING_SHARE = 0.2
FLAT_MV = 0.012
"""Peak-to-peak of a lead that shows nothing: two steps of a 5-microvolt converter, and noise."""
FLAT_S = 2
"""Seconds without movement before a lead is called flat."""
RAIL_MV = 3.5
"""A still lead this far from 0 mV is held at a rail: an electrode is off."""
STUCK_S = 0.04
STUCK_SHARE = 0.15
CLIPPED_MV = 1.0
NOISY_MV = 0.06
"""Mean absolute second difference at 250 Hz; see the measurement in docs/concepts/quality.md."""
NOISY_SHARE = 0.06
"""The same as a share of the QRS's size, so that a tall QRS is not called noise."""
MOTION_MV = 0.15
"""Mean size below 2 Hz of a lead whose electrodes move."""
MOTION_SHARE, WANDER_SHARE = 1.0, 2.2
"""That, as a multiple of the mean size at 3-8 Hz: less is a heart, fibrillation above all, and
more is wander, which harms no judgement and is all that asystole shows."""
MOTION_CREST, MOTION_CREST_HELD = 10.0, 11.5
"""Highest over usual size in the QRS band: a QRS stands out of what lies between, noise does not.
The second holds where the lead was noisy before."""
JITTER = 0.2
"""Change from one RR interval to the next, as a share of the shorter, that beats made of noise
have: ventricular tachycardia is as smooth as noise, but regular."""
_JITTER_RATE = 1 / 4
_JITTER_S = 2.0
"""A longer RR interval is a pause or a gap and says nothing about noise."""
SLOW, MIDDLE, USUAL, HIGHEST = range(4)
"""Places in ``q_bands`` and ``q_motion``."""
_MOTION_RATE = 1 / 2
SWING_MV, SWING_SIZES = 12.0, 4.0
"""Peak-to-peak in one second that no heart makes on the skin; and in usual QRS sizes of the lead
that has the largest, where a gain is wrong."""
STEEPEST_MV_PER_S, STEEPEST_SIZES_PER_S = 400.0, 200.0
"""No heart moves a lead faster: monitors are tested with 320 mV/s (IEC 60601-2-27), and the
steepest sample of MIT-BIH has 230. What does is a plug, a rail or a pacing spike. Where a gain is
wrong, none moves it in 5 ms by the usual QRS size of the lead that has the largest: by its own size
in 2 ms a ventricular beat may, in a lead that shows little of the others."""


@compiled
def observe(
    s: np.void, lead: int, line: NDArray[np.float64], start: int, n: int, stuck: float
) -> None:
    """Take ``n`` stream samples of a lead, ``line[lead, start:]``.

    Parameters
    ----------
    s : void
        The patient's state.
    lead : int
    line : ndarray, shape (N_LEADS, at least start + n)
        In mV, as measured; NaN where missing.
    start, n : int
    stuck : float
        How many alike are too many.
    """
    low, high, last = s["q_min"][lead], s["q_max"][lead], s["q_last"][lead]
    same, too_many, missing = s["q_same"][lead], s["q_stuck"][lead], s["q_missing"][lead]
    for k in range(start, start + n):
        value = line[lead, k]
        if np.isnan(value):
            missing += 1
            same = 0
            continue
        low = min(low, value)
        high = max(high, value)
        same = same + 1 if value == last else 0
        if same >= stuck:
            too_many += 1
        last = value
    s["q_min"][lead], s["q_max"][lead], s["q_last"][lead] = low, high, last
    s["q_same"][lead], s["q_stuck"][lead], s["q_missing"][lead] = same, too_many, missing


@compiled
def observe_beat(s: np.void, r: int) -> None:
    """Take the next beat, at engine sample ``r``, also one that noise has made."""
    rr = float(r - s["q_r"])
    if 0 < rr <= _JITTER_S * ENGINE_FS:  # not after a splice either
        if s["q_rr"] > 0:
            change = min(abs(rr - s["q_rr"]) / min(rr, s["q_rr"]), 1.0)
            s["q_jitter"] += _JITTER_RATE * (change - s["q_jitter"])
        s["q_rr"] = rr
    else:
        s["q_rr"] = 0.0
    s["q_r"] = r


@compiled
def _electrode_moves(s: np.void, lead: int) -> bool:
    """Tell whether electrode motion drowns the QRS, from the last seconds' sizes."""
    n = max(s["q_fast_n"], 1)
    bands, motion = s["q_bands"][lead], s["q_motion"][lead]
    usual = bands[USUAL] / n
    motion[SLOW] += _MOTION_RATE * (bands[SLOW] / n - motion[SLOW])
    motion[MIDDLE] += _MOTION_RATE * (bands[MIDDLE] / n - motion[MIDDLE])
    motion[USUAL] += _MOTION_RATE * (usual * usual - motion[USUAL])
    motion[HIGHEST] += _MOTION_RATE * (bands[HIGHEST] - motion[HIGHEST])
    bands[:] = 0.0
    crest = MOTION_CREST_HELD if s["unfit"][lead] == NOISY else MOTION_CREST
    return bool(
        motion[SLOW] > MOTION_MV
        and s["q_jitter"] > JITTER
        and MOTION_SHARE * motion[MIDDLE] < motion[SLOW] < WANDER_SHARE * motion[MIDDLE]
        and motion[HIGHEST] < crest * motion[USUAL]
    )


@compiled
def conclude(s: np.void) -> None:
    """Say of each lead whether the second that ends was fit, and start the next."""
    fit, largest = 0, 0.0
    for lead in range(s["n_leads"]):
        largest = max(largest, s["scale"][lead])
    swing_limit = max(SWING_MV, SWING_SIZES * largest)
    s["steepest"] = max(STEEPEST_MV_PER_S, STEEPEST_SIZES_PER_S * largest)
    for lead in range(s["n_leads"]):
        swing = s["q_max"][lead] - s["q_min"][lead]
        fast = s["q_fast"][lead] / max(s["q_fast_n"], 1)
        s["q_noisy"][lead] += 0.5 * (fast - s["q_noisy"][lead])
        moves = _electrode_moves(s, lead)
        size = s["scale"][lead]
        noisy_limit = max(NOISY_MV, NOISY_SHARE * size)
        if s["unfit"][lead] == NOISY:
            noisy_limit *= 0.7
        if swing < FLAT_MV:
            s["q_flat_s"][lead] += 1
        else:
            s["q_flat_s"][lead] = 0
        if s["q_missing"][lead] > MISSING_SHARE * s["q_samples"]:
            s["unfit"][lead] = MISSING
        elif s["q_flat_s"][lead] >= FLAT_S:
            s["unfit"][lead] = LEAD_OFF if abs(s["q_last"][lead]) > RAIL_MV else FLAT
        elif s["q_stuck"][lead] > STUCK_SHARE * s["q_samples"] and swing > CLIPPED_MV:
            s["unfit"][lead] = CLIPPED
        elif moves or s["q_noisy"][lead] > noisy_limit or swing > swing_limit:
            s["unfit"][lead] = NOISY
        else:
            s["unfit"][lead] = FIT
            fit += 1
        s["q_min"][lead] = np.inf
        s["q_max"][lead] = -np.inf
        s["q_missing"][lead] = 0
        s["q_stuck"][lead] = 0
        s["q_fast"][lead] = 0.0
    if fit == 0:
        s["blind"] = 1
    s["q_samples"] = 0
    s["q_fast_n"] = 0

"""Is a lead fit to be judged? Said once a second, from what the second showed.

Missing, lead off (held at a rail), flat (held elsewhere), clipped (pressed
against a bound) and noisy (muscle or electrode noise over the QRS) leads are
unfit. A QRS, VF and the wander of asystole are none of these.
"""

import numpy as np
from numpy.typing import NDArray

from ecg.compiled import compiled
from ecg.filters import ENGINE_FS, MIDDLE_BAND, SLOW_BAND, biquads
from ecg.finding import Unfit
from ecg.state import BAND_RING, RING

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
_SLOW, _MIDDLE, _USUAL, _HIGHEST = range(4)
_MOTION_RATE = 1 / 2
SWING_MV = 12.0
"""Peak-to-peak in one second that no heart makes on the skin."""


@compiled
def miss(s: np.void, lead: int) -> None:
    """Take a stream sample of a lead that is missing."""
    s["q_missing"][lead] += 1
    s["q_same"][lead] = 0


@compiled
def observe(s: np.void, lead: int, value: float, stuck: float) -> None:
    """Take one stream sample of a lead, in mV; ``stuck`` is how many alike are too many."""
    s["q_min"][lead] = min(s["q_min"][lead], value)
    s["q_max"][lead] = max(s["q_max"][lead], value)
    if value == s["q_last"][lead]:
        s["q_same"][lead] += 1
        if s["q_same"][lead] >= stuck:
            s["q_stuck"][lead] += 1
    else:
        s["q_same"][lead] = 0
    s["q_last"][lead] = value


@compiled
def observe_trace(
    s: np.void,
    e: int,
    n: int,
    trace: NDArray[np.float64],
    filtered: NDArray[np.float64],
) -> None:
    """Take engine samples ``e`` up to ``e + n`` (excluded): second difference, size in three bands.

    ``trace`` and ``filtered``, of shape (N_LEADS, n) or more, are room to work in.
    """
    s["q_fast_n"] += n
    for lead in range(s["n_leads"]):
        one, two = s["trace"][(e - 1) % RING, lead], s["trace"][(e - 2) % RING, lead]
        fast = s["q_fast"][lead]
        usual, highest = s["q_bands"][lead, _USUAL], s["q_bands"][lead, _HIGHEST]
        at = e % RING
        for k in range(n):
            now = s["trace"][at, lead]
            fast += abs(now - 2.0 * one + two)
            one, two = now, one
            trace[lead, k] = now
            at = at + 1 if at + 1 < RING else 0
            qrs = abs(s["qrs_band"][(e + k) % BAND_RING, lead])
            usual += np.sqrt(qrs)  # roots, so that a QRS hardly counts
            highest = max(highest, qrs)
        s["q_fast"][lead] = fast
        s["q_bands"][lead, _USUAL], s["q_bands"][lead, _HIGHEST] = usual, highest
    biquads(SLOW_BAND, s["q_slow_memory"], trace, filtered, n)
    _add_sizes(s, _SLOW, filtered, n)
    biquads(MIDDLE_BAND, s["q_middle_memory"], trace, filtered, n)
    _add_sizes(s, _MIDDLE, filtered, n)


@compiled
def _add_sizes(s: np.void, band: int, filtered: NDArray[np.float64], n: int) -> None:
    for lead in range(s["n_leads"]):
        total = s["q_bands"][lead, band]
        for k in range(n):
            total += abs(filtered[lead, k])
        s["q_bands"][lead, band] = total


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
    usual = bands[_USUAL] / n
    motion[_SLOW] += _MOTION_RATE * (bands[_SLOW] / n - motion[_SLOW])
    motion[_MIDDLE] += _MOTION_RATE * (bands[_MIDDLE] / n - motion[_MIDDLE])
    motion[_USUAL] += _MOTION_RATE * (usual * usual - motion[_USUAL])
    motion[_HIGHEST] += _MOTION_RATE * (bands[_HIGHEST] - motion[_HIGHEST])
    bands[:] = 0.0
    crest = MOTION_CREST_HELD if s["unfit"][lead] == NOISY else MOTION_CREST
    return bool(
        motion[_SLOW] > MOTION_MV
        and s["q_jitter"] > JITTER
        and MOTION_SHARE * motion[_MIDDLE] < motion[_SLOW] < WANDER_SHARE * motion[_MIDDLE]
        and motion[_HIGHEST] < crest * motion[_USUAL]
    )


@compiled
def conclude(s: np.void) -> None:
    """Say of each lead whether the second that ends was fit, and start the next."""
    fit = 0
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
        elif moves or s["q_noisy"][lead] > noisy_limit or swing > SWING_MV:
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

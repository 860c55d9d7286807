"""Is a lead fit to be judged? Said once a second, from what the second showed.

Missing, lead off (held at a rail), flat (held elsewhere), clipped (pressed
against a bound) and noisy (muscle or electrode noise over the QRS) leads are
unfit. A QRS, VF and the wander of asystole are none of these.
"""

import numpy as np

from ecg.compiled import compiled
from ecg.finding import Unfit
from ecg.state import RING

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
SWING_MV = 12.0
"""Peak-to-peak in one second that no heart makes on the skin."""


@compiled
def observe(s: np.void, lead: int, value: float, fs: float) -> None:
    """Take one stream sample of a lead, in mV, NaN where missing."""
    if np.isnan(value):
        s["q_missing"][lead] += 1
        s["q_same"][lead] = 0
        return
    s["q_min"][lead] = min(s["q_min"][lead], value)
    s["q_max"][lead] = max(s["q_max"][lead], value)
    if value == s["q_last"][lead]:
        s["q_same"][lead] += 1
        if s["q_same"][lead] >= STUCK_S * fs:
            s["q_stuck"][lead] += 1
    else:
        s["q_same"][lead] = 0
    s["q_last"][lead] = value


@compiled
def observe_trace(s: np.void, e: int) -> None:
    """Take the newest engine sample's second difference."""
    s["q_fast_n"] += 1
    for lead in range(s["n_leads"]):
        now = s["trace"][e % RING, lead]
        one = s["trace"][(e - 1) % RING, lead]
        two = s["trace"][(e - 2) % RING, lead]
        s["q_fast"][lead] += abs(now - 2.0 * one + two)


@compiled
def conclude(s: np.void) -> None:
    """Say of each lead whether the second that ends was fit, and start the next."""
    fit = 0
    for lead in range(s["n_leads"]):
        swing = s["q_max"][lead] - s["q_min"][lead]
        fast = s["q_fast"][lead] / max(s["q_fast_n"], 1)
        s["q_noisy"][lead] += 0.5 * (fast - s["q_noisy"][lead])
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
        elif s["q_noisy"][lead] > noisy_limit or swing > SWING_MV:
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

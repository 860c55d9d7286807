"""Causal QRS detector of one patient, one engine sample at a time.

In words; the first steps in the tradition of Pan & Tompkins (IEEE TBME
1985;32:230-236) and Hamilton & Tompkins (IEEE TBME 1986;33:1157-1165):

* band-pass 6.4-21.9 Hz, difference over 40 ms, rectify, average over 148 ms: each
  lead's *height*;
* combine the leads in units of their own beats' heights, each weighed by how far
  its beats stand out of what lies between them, so that a lead full of noise says
  less. A peak of the sum that has fallen by three tenths is a *candidate*;
* look at the candidate: how high and how steep it is in each lead, how like the
  patient's templates of QRS complexes, how it comes in time (``LOOKS``). A small
  network, fitted on the training recordings, gives its log-odds of being a QRS. What
  is smaller than any QRS is none (``SMALLEST_MV``);
* accept it where they are positive, unless it follows within 200 ms, and whatever they are where
  tall candidates of one height keep a quick time: that is ventricular tachycardia, whose complexes
  may be like nothing that was learnt;
* when 1.66 mean RR intervals pass without one, the likeliest candidate since is
  taken if it is likely or high enough (search-back).

The first 1.6 s only collect candidates; then the levels are set and those
beats are found in retrospect, within the 2.0 s that a beat may take.
"""

import numpy as np

from ecg.candidate import FLOOR_MV, SMALLEST_MV, learn_shape, look, odds_of
from ecg.compiled import compiled
from ecg.filters import ENGINE_FS, QRS_BAND_DELAY
from ecg.qrs_memory import (
    REFRACTORY,
    SEARCH_BACK,
    STEADY_TALL,
    TALL,
    accept,
    learn_levels,
    remember,
    search_back,
    take_the_run,
)
from ecg.quality import FLAT, LEAD_OFF, MISSING
from ecg.state import (
    BAND_REACH,
    BAND_RING,
    DIFFERENCE,
    INTEGRATE,
)

LEARN = round(1.6 * ENGINE_FS)
SEARCH_BACK_RR = 1.66
STEADY_N = 2
"""How often in turn their gaps must be equal, within ``_STEADY_SHARE``."""
STEADY_GAP = round(0.6 * ENGINE_FS)
"""Their longest gap: 100/min."""
_STEADY_SHARE = 0.15
_ONE_HEIGHT = 1.4
"""Most by which the heights of two candidates in turn may differ."""
FALL = 0.7
"""A peak has passed when the height has fallen to this share of it. At 0.5 every second beat of a
ventricular tachycardia at 200/min was missed: over 195 ms of averaging it falls no further."""
SLOWEST_FALL = round(0.3 * ENGINE_FS)
_WEIGH = 25
"""Engine samples between two looks at how leads are to be weighed."""
_REST_UP, _REST_DOWN = 1.003, 1.0 / 1.009
"""Steps of the running quartile of a lead's height, which is what lies between its beats."""


@compiled
def detect(s: np.void, e: int) -> None:
    """Take the newest sample of the QRS band, engine sample ``e``, and note beats in ``s``."""
    listen(s, e, e + 1)


@compiled
def listen(s: np.void, e: int, end: int) -> int:
    """Take samples of the QRS band from engine sample ``e`` on, and note beats in ``s``.

    Stops where something may have been noted, at ``end`` (excluded) at the latest; returns where.
    """
    if e % _WEIGH == 0:
        _weigh(s)
    last, passed = _follow(s, e, min(end, _quiet_until(s, e)))
    if passed:
        _candidate(s, last)
        s["peak"] = s["height"]
        s["valley"] = s["height"]
    if s["learned"] == 0:
        if last >= LEARN:
            _learn(s, last)
    else:
        _when_late(s, last)
    return last + 1


@compiled
def _quiet_until(s: np.void, e: int) -> int:
    """Return where (excluded) weights or time may change something next, if no candidate does."""
    end = e - e % _WEIGH + _WEIGH
    if s["learned"] == 0:
        return int(min(end, max(LEARN, e) + 1))
    patience = 2.0 * ENGINE_FS
    if s["candidate_n"] > 0:
        patience = min(patience, SEARCH_BACK_RR * s["rr_mean"])
    late = max(s["last_r"], 0) + int(patience) + 1
    return int(min(end, max(late, e) + 1))


@compiled
def _follow(s: np.void, e: int, end: int) -> tuple[int, bool]:
    """Follow the heights from ``e`` up to ``end`` (excluded) or until a peak has passed.

    A lead's height is its mean slope over 148 ms in mV; the leads' together is what has peaks.
    Both leads always: one that is not there stays at 0. Returns the last sample and whether a
    peak passed there.
    """
    sum_0, sum_1 = s["sums"][0], s["sums"][1]
    rest_0, rest_1 = s["rest"][0], s["rest"][1]
    weight_0, weight_1 = s["weight"][0], s["weight"][1]
    height, peak, valley = s["height"], s["peak"], s["valley"]
    peak_at, rising = s["peak_at"], s["rising"] == 1
    peak_0, peak_1 = s["peak_heights"][0], s["peak_heights"][1]
    band, slopes = s["qrs_band"], s["slopes"]
    at = e % INTEGRATE
    passed = False
    while e < end and not passed:
        now, before = e & (BAND_RING - 1), (e - DIFFERENCE) & (BAND_RING - 1)
        # slopes are 4-byte numbers, whose sums in 8 bytes are exact: nothing drifts
        slope_0 = abs(band[now, 0] - band[before, 0])
        slope_1 = abs(band[now, 1] - band[before, 1])
        sum_0 = sum_0 - slopes[at, 0] + slope_0
        sum_1 = sum_1 - slopes[at, 1] + slope_1
        slopes[at, 0], slopes[at, 1] = slope_0, slope_1
        at = at + 1 if at + 1 < INTEGRATE else 0
        height_0, height_1 = sum_0 / INTEGRATE, sum_1 / INTEGRATE
        height = weight_0 * height_0 + weight_1 * height_1
        if e < INTEGRATE:
            rest_0, rest_1 = height_0, height_1
        rest_0 = _quartile(rest_0, height_0)
        rest_1 = _quartile(rest_1, height_1)
        valley = min(valley, height)
        if height > peak:
            rising = True
            peak, peak_at, peak_0, peak_1 = height, e, height_0, height_1
        elif not rising:
            peak = height
        else:
            passed = height < FALL * peak or e - peak_at > SLOWEST_FALL
        e += 1
    s["sums"][0], s["sums"][1] = sum_0, sum_1
    s["rest"][0], s["rest"][1] = rest_0, rest_1
    s["height"], s["peak"], s["valley"] = height, peak, valley
    s["peak_at"], s["rising"] = peak_at, rising and not passed
    s["peak_heights"][0], s["peak_heights"][1] = peak_0, peak_1
    return e - 1, passed


@compiled
def _quartile(rest: float, height: float) -> float:
    return float(max(rest * (_REST_UP if height > rest else _REST_DOWN), 0.02 * FLOOR_MV))


@compiled
def _weigh(s: np.void) -> None:
    """Set the leads' weights: what each millivolt of height counts."""
    total = 0.0
    for lead in range(s["n_leads"]):
        s["trust"][lead] = _stands_out(s, lead) ** 2
        total += s["trust"][lead]
    for lead in range(s["n_leads"]):
        s["trust"][lead] = s["trust"][lead] / total if total > 0 else 1.0 / s["n_leads"]
        usual = max(s["usual"][lead], FLOOR_MV)
        s["weight"][lead] = s["trust"][lead] / usual


@compiled
def _stands_out(s: np.void, lead: int) -> float:
    """Return how far a lead's beats stand out of what lies between them."""
    code = s["unfit"][lead]
    if code in (MISSING, LEAD_OFF, FLAT):
        return 0.05
    if s["usual"][lead] == 0.0:
        return 1.0
    return float(min(s["usual"][lead] / (s["rest"][lead] + 0.3 * FLOOR_MV), 10.0))


@compiled
def _candidate(s: np.void, e: int) -> None:
    """Decide about the peak that has just passed."""
    if max(s["peak_heights"][0], s["peak_heights"][1]) < SMALLEST_MV:
        return
    at = s["peak_at"]
    p = at
    largest = -1.0
    for back in range(INTEGRATE + DIFFERENCE):
        position = at - back
        if position < 0 or e - position >= BAND_REACH:
            break
        size = 0.0
        for lead in range(s["n_leads"]):
            size += s["weight"][lead] * abs(s["qrs_band"][position & (BAND_RING - 1), lead])
        if size > largest:
            largest = size
            p = position
    r = max(p - QRS_BAND_DELAY, 0)
    steepest = 0.0
    for k in range(INTEGRATE):
        slope = 0.0
        for lead in range(s["n_leads"]):
            slope += s["weight"][lead] * s["slopes"][k, lead]
        steepest = max(steepest, slope)
    if s["learned"] == 0:
        remember(s, r, s["peak_heights"], steepest, s["peak"])
        return
    since = r - s["last_r"]
    if s["last_r"] >= 0 and since < REFRACTORY:
        return
    shape, lag = look(s, e, p, steepest)
    odds = odds_of(s["looks"])
    late = s["last_r"] >= 0 and since > SEARCH_BACK_RR * s["rr_mean"]
    steady = s["peak"] > STEADY_TALL and _keeps_time(s, r)
    if steady and odds <= 0:
        take_the_run(s, e)
    if odds > 0:
        if late:
            search_back(s, e)
        learn_levels(s, s["peak_heights"], 0.125)
        learn_shape(s, e, p + lag, shape)
        accept(s, r, steepest)
    elif steady or (late and (odds > SEARCH_BACK or s["peak"] > TALL)):
        learn_levels(s, s["peak_heights"], 0.25)
        learn_shape(s, e, p + lag, shape)
        accept(s, r, steepest)
    else:
        remember(s, r, s["peak_heights"], steepest, odds)


@compiled
def _keeps_time(s: np.void, r: int) -> bool:
    """Note a tall candidate; tell whether such come at equal, quick gaps and of one height."""
    gap, height = r - s["tall_r"], s["peak"]
    steady = (
        gap <= STEADY_GAP
        and abs(gap - s["tall_gap"]) < _STEADY_SHARE * gap
        and height < _ONE_HEIGHT * s["tall_height"]
        and s["tall_height"] < _ONE_HEIGHT * height
    )
    s["tall_n"] = s["tall_n"] + 1 if steady else 0
    s["tall_r"], s["tall_gap"], s["tall_height"] = r, gap, height
    return bool(s["tall_n"] >= STEADY_N)


@compiled
def _learn(s: np.void, e: int) -> None:
    """Set the levels from the first 1.6 s and find the beats in them."""
    n = s["candidate_n"]
    highest = 0.0
    for k in range(n):  # the odds of a candidate are its height until now
        highest = max(highest, s["candidate_odds"][k])
    new = True
    for lead in range(s["n_leads"]):
        new = new and s["usual"][lead] == 0.0
    if new:  # not after a splice, which keeps its levels
        s["rr_mean"] = float(ENGINE_FS)
        s["rr_long"] = 0.8 * ENGINE_FS
        for lead in range(s["n_leads"]):
            total, tall = 0.0, 0
            for k in range(n):
                if s["candidate_odds"][k] > 0.5 * highest:
                    total += s["candidate_heights"][k, lead]
                    tall += 1
            s["usual"][lead] = max(total / max(tall, 1), FLOOR_MV)
            s["highest"][lead] = s["usual"][lead]
    s["learned"] = 1
    s["candidate_n"] = 0
    _weigh(s)
    steepest = 0.0
    for k in range(n):
        steepest = max(steepest, s["candidate_slope"][k])
    for k in range(n):
        r = s["candidate_r"][k]
        height = s["candidate_odds"][k] / max(highest, 1e-9)
        if s["last_r"] >= 0 and r - s["last_r"] < REFRACTORY:
            continue
        early = s["last_r"] >= 0 and r - s["last_r"] < 0.36 * ENGINE_FS
        if height > 0.4 and not (early and s["candidate_slope"][k] < 0.5 * s["last_slope"]):
            accept(s, r, s["candidate_slope"][k])
    # weights have changed, and slopes with them
    s["last_slope"] = 0.0
    for lead in range(s["n_leads"]):
        s["last_slope"] += s["trust"][lead] * 2.5


@compiled
def _when_late(s: np.void, e: int) -> None:
    """Look back when a beat is overdue, and let the levels sink when none comes."""
    since = e - max(s["last_r"], 0)
    if s["candidate_n"] > 0 and since > SEARCH_BACK_RR * s["rr_mean"]:
        search_back(s, e)
    if since > 2 * ENGINE_FS:
        for lead in range(s["n_leads"]):
            target = max(s["rest"][lead], FLOOR_MV)
            s["usual"][lead] += 0.002 * (target - s["usual"][lead])
            s["highest"][lead] += 0.002 * (target - s["highest"][lead])

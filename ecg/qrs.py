"""Causal QRS detector of one patient, one engine sample at a time.

In words, in the tradition of Pan & Tompkins (IEEE TBME 1985;32:230-236) and
Hamilton & Tompkins (IEEE TBME 1986;33:1157-1165):

* band-pass 6.4-21.9 Hz, difference over 40 ms, rectify;
* combine the leads, each weighed by the inverse of its running energy, so that
  a lead full of noise or of tall T waves says less;
* average over 195 ms: the *height*. A peak of it that has fallen by three tenths is a
  *candidate*;
* a candidate above the threshold between running noise and signal levels is a
  QRS, unless it follows within 200 ms, or within 360 ms with half the slope (a
  T wave);
* when 1.66 mean RR intervals pass without one, the highest candidate since is
  taken if it reaches half the threshold (search-back).

The first 1.6 s only collect candidates; then the levels are set and those
beats are found in retrospect, within the 2.0 s that a beat may take.
"""

import numpy as np

from ecg.compiled import compiled
from ecg.filters import ENGINE_FS, QRS_BAND_DELAY
from ecg.state import BAND_REACH, BAND_RING, CANDIDATES, DIFFERENCE, INTEGRATE, PENDING, RR_MEMORY

LEARN = round(1.6 * ENGINE_FS)
REFRACTORY = round(0.2 * ENGINE_FS)
T_WAVE = round(0.36 * ENGINE_FS)
TOO_OLD = round(1.8 * ENGINE_FS)
"""A candidate older than this can no longer be judged within 2.0 s."""
FLOOR_MV = 0.012
"""Height of the smallest QRS, 0.15 mV (IEC 60601-2-27 asks to detect no smaller one)."""
THRESHOLD = 0.25
SEARCH_BACK_RR = 1.66
SEARCH_BACK = 0.5
FALL = 0.7
"""A peak has passed when the height has fallen to this share of it. At 0.5 every second beat of a
ventricular tachycardia at 200/min was missed: over 195 ms of averaging it falls no further."""
SLOWEST_FALL = round(0.3 * ENGINE_FS)
_ENERGY_SAMPLES = 5 * ENGINE_FS
LONGEST_RR = 4 * ENGINE_FS
"""A longer time without a beat is asystole, and no RR interval to take a mean of."""


@compiled
def detect(s: np.void, e: int) -> None:
    """Take the newest sample of the QRS band, engine sample ``e``, and note beats in ``s``."""
    _integrate(s, e)
    height = s["height"]
    if s["rising"] == 1:
        if height > s["peak"]:
            s["peak"] = height
            s["peak_at"] = e
        elif height < FALL * s["peak"] or e - s["peak_at"] > SLOWEST_FALL:
            s["rising"] = 0
            _candidate(s, e)
            s["peak"] = height
    elif height > s["peak"]:
        s["rising"] = 1
        s["peak"] = height
        s["peak_at"] = e
    else:
        s["peak"] = height
    if s["learned"] == 0:
        if e >= LEARN:
            _learn(s)
    else:
        _when_late(s, e)


@compiled
def _integrate(s: np.void, e: int) -> None:
    """Update the height: the mean slope over leads and 195 ms, in mV."""
    combined = 0.0
    weights = 0.0
    n = min(e + 1, _ENERGY_SAMPLES)
    for lead in range(s["n_leads"]):
        now = s["qrs_band"][e % BAND_RING, lead]
        before = s["qrs_band"][(e - DIFFERENCE) % BAND_RING, lead]
        slope = abs(now - before)
        s["energy"][lead] += (slope - s["energy"][lead]) / n
        weight = 1.0 / max(s["energy"][lead], 0.2 * FLOOR_MV)
        combined += weight * slope
        weights += weight
    combined /= weights
    at = e % INTEGRATE
    s["height"] += (combined - s["slopes"][at]) / INTEGRATE
    s["slopes"][at] = combined
    if at == 0:  # now and then anew, so that no rounding error stays
        total = 0.0
        for k in range(INTEGRATE):
            total += s["slopes"][k]
        s["height"] = total / INTEGRATE


@compiled
def _candidate(s: np.void, e: int) -> None:
    """Decide about the peak that has just passed."""
    at = s["peak_at"]
    r = at
    largest = -1.0
    for back in range(INTEGRATE + DIFFERENCE):
        position = at - back
        if position < 0 or e - position >= BAND_REACH:
            break
        size = 0.0
        for lead in range(s["n_leads"]):
            weight = 1.0 / max(s["energy"][lead], 0.2 * FLOOR_MV)
            size += weight * abs(s["qrs_band"][position % BAND_RING, lead])
        if size > largest:
            largest = size
            r = position
    r = max(r - QRS_BAND_DELAY, 0)
    slope = 0.0
    for k in range(INTEGRATE):
        slope = max(slope, s["slopes"][k])
    if s["learned"] == 0:
        _remember(s, at, r, s["peak"], slope)
        return
    _decide(s, at, r, s["peak"], slope)


@compiled
def _decide(s: np.void, at: int, r: int, height: float, slope: float) -> None:
    """Take a candidate for a QRS, a T wave, noise or a case for search-back."""
    if s["last_r"] >= 0:
        since = r - s["last_r"]
        if since < REFRACTORY:
            return
        if since < T_WAVE and slope < 0.5 * s["last_slope"]:
            s["noise_level"] += 0.125 * (min(height, s["signal_level"]) - s["noise_level"])
            return
    if height > _threshold(s):
        if s["last_r"] >= 0 and r - s["last_r"] > SEARCH_BACK_RR * s["rr_mean"]:
            _search_back(s, at)
        s["signal_level"] += 0.125 * (min(height, 2.0 * s["signal_level"]) - s["signal_level"])
        _accept(s, r, slope)
    else:
        s["noise_level"] += 0.125 * (height - s["noise_level"])
        _remember(s, at, r, height, slope)


@compiled
def _threshold(s: np.void) -> float:
    between = s["noise_level"] + THRESHOLD * (s["signal_level"] - s["noise_level"])
    return float(max(between, FLOOR_MV))


@compiled
def _remember(s: np.void, at: int, r: int, height: float, slope: float) -> None:
    """Keep a candidate for search-back; when full, the lowest one goes."""
    n = s["candidate_n"]
    place = n
    if n == CANDIDATES:
        place = 0
        for k in range(1, n):
            if s["candidate_height"][k] < s["candidate_height"][place]:
                place = k
        if s["candidate_height"][place] >= height:
            return
        for k in range(place, n - 1):
            _move_candidate(s, k + 1, k)
        place = n - 1
    else:
        s["candidate_n"] = n + 1
    s["candidate_at"][place] = at
    s["candidate_r"][place] = r
    s["candidate_height"][place] = height
    s["candidate_slope"][place] = slope


@compiled
def _move_candidate(s: np.void, source: int, target: int) -> None:
    s["candidate_at"][target] = s["candidate_at"][source]
    s["candidate_r"][target] = s["candidate_r"][source]
    s["candidate_height"][target] = s["candidate_height"][source]
    s["candidate_slope"][target] = s["candidate_slope"][source]


@compiled
def _learn(s: np.void) -> None:
    """Set the levels from the first 1.6 s and find the beats in them."""
    highest = 0.0
    for k in range(s["candidate_n"]):
        highest = max(highest, s["candidate_height"][k])
    if s["signal_level"] == 0.0:  # not after a splice, which keeps its levels
        s["signal_level"] = max(0.8 * highest, FLOOR_MV)
        s["noise_level"] = 0.1 * highest
        s["rr_mean"] = float(ENGINE_FS)
        s["rr_long"] = 0.8 * ENGINE_FS
    s["learned"] = 1
    n = s["candidate_n"]
    s["candidate_n"] = 0
    for k in range(n):
        _decide(
            s,
            s["candidate_at"][k],
            s["candidate_r"][k],
            s["candidate_height"][k],
            s["candidate_slope"][k],
        )


@compiled
def _when_late(s: np.void, e: int) -> None:
    """Look back when a beat is overdue, and let the signal level sink when none comes."""
    since = e - max(s["last_r"], 0)
    if s["candidate_n"] > 0 and since > SEARCH_BACK_RR * s["rr_mean"]:
        _search_back(s, e)
    if since > 2 * ENGINE_FS:
        s["signal_level"] += 0.002 * (max(s["noise_level"], FLOOR_MV) - s["signal_level"])


@compiled
def _search_back(s: np.void, e: int) -> None:
    """Accept the highest candidate since the last beat if it reaches half the threshold."""
    limit = max(SEARCH_BACK * _threshold(s), FLOOR_MV)
    best = -1
    for k in range(s["candidate_n"]):
        r = s["candidate_r"][k]
        if s["last_r"] >= 0 and r - s["last_r"] < REFRACTORY:
            continue
        if e - r > TOO_OLD or s["candidate_height"][k] < limit:
            continue
        if best < 0 or s["candidate_height"][k] > s["candidate_height"][best]:
            best = k
    if best < 0:
        return
    height = s["candidate_height"][best]
    s["signal_level"] += 0.25 * (height - s["signal_level"])
    _accept(s, s["candidate_r"][best], s["candidate_slope"][best])


@compiled
def _accept(s: np.void, r: int, slope: float) -> None:
    """Note a beat at engine sample ``r``; it waits for its judgement."""
    rr = -1.0
    if s["blind"] == 1:
        s["blind"] = 0
        s["rr_n"] = 0  # what came before says nothing about now
    elif s["last_r"] >= 0:
        rr = float(r - s["last_r"])
        if rr > LONGEST_RR:
            s["rr_n"] = 0
        else:
            s["rr"][s["rr_n"] % RR_MEMORY] = rr
            s["rr_n"] += 1
        # one outlier must not stretch what counts as overdue
        bounded = min(max(rr, 0.5 * s["rr_mean"]), 1.5 * s["rr_mean"])
        s["rr_mean"] += 0.125 * (bounded - s["rr_mean"])
    s["last_r"] = r
    s["last_slope"] = slope
    n = s["pending_n"]
    if n < PENDING:
        s["pending_r"][n] = r
        s["pending_rr"][n] = rr
        s["pending_n"] = n + 1
    # candidates up to this beat have had their chance
    kept = 0
    for k in range(s["candidate_n"]):
        if s["candidate_r"][k] > r:
            _move_candidate(s, k, kept)
            kept += 1
    s["candidate_n"] = kept

"""What the QRS detector remembers: candidates that wait for a second look, and noted beats."""

import numpy as np
from numpy.typing import NDArray

from ecg.candidate import FLOOR_MV
from ecg.compiled import compiled
from ecg.filters import ENGINE_FS
from ecg.state import CANDIDATES, N_LEADS, PENDING, RR_MEMORY

REFRACTORY = round(0.2 * ENGINE_FS)
TOO_OLD = round(1.8 * ENGINE_FS)
"""A candidate older than this can no longer be judged within 2.0 s."""
SEARCH_BACK = -2.0
"""Log-odds from which a candidate is taken when a beat is overdue."""
TALL = 0.5
"""Height, in usual beats, from which one is taken then whatever the odds: ventricular fibrillation
is like nothing that was learnt, and must not look like a heart that stands still."""
STEADY_TALL = 0.7
"""Height, in usual beats, of candidates that are taken when they keep time."""
LONGEST_RR = 4 * ENGINE_FS
"""A longer time without a beat is asystole, and no RR interval to take a mean of."""


@compiled
def take_the_run(s: np.void, e: int) -> None:
    """Accept the tall candidates since the last beat, in order: a run has been recognised."""
    k = 0
    while k < s["candidate_n"]:
        r = s["candidate_r"][k]
        tall = 0.0
        for lead in range(s["n_leads"]):
            tall += s["weight"][lead] * s["candidate_heights"][k, lead]
        far = s["last_r"] < 0 or r - s["last_r"] >= REFRACTORY
        if far and tall > STEADY_TALL and e - r <= TOO_OLD:
            accept(s, r, s["candidate_slope"][k])
            k = 0  # it and those before it are gone from the list
        else:
            k += 1


@compiled
def learn_levels(s: np.void, heights: NDArray[np.float64], rate: float) -> None:
    """Let each lead's usual and highest height learn from a beat."""
    for lead in range(s["n_leads"]):
        usual = s["usual"][lead]
        s["highest"][lead] = max(
            0.96 * s["highest"][lead], min(heights[lead], 4.0 * usual), FLOOR_MV
        )
        s["usual"][lead] += rate * (min(heights[lead], 2.0 * max(usual, FLOOR_MV)) - usual)


@compiled
def remember(s: np.void, r: int, heights: NDArray[np.float64], slope: float, odds: float) -> None:
    """Keep a candidate for search-back; when full, the least likely one goes."""
    n = s["candidate_n"]
    place = n
    if n == CANDIDATES:
        place = 0
        for k in range(1, n):
            if s["candidate_odds"][k] < s["candidate_odds"][place]:
                place = k
        if s["candidate_odds"][place] >= odds:
            return
        for k in range(place, n - 1):
            _move_candidate(s, k + 1, k)
        place = n - 1
    else:
        s["candidate_n"] = n + 1
    s["candidate_r"][place] = r
    s["candidate_odds"][place] = odds
    s["candidate_slope"][place] = slope
    for lead in range(N_LEADS):
        s["candidate_heights"][place, lead] = heights[lead]


@compiled
def _move_candidate(s: np.void, source: int, target: int) -> None:
    s["candidate_r"][target] = s["candidate_r"][source]
    s["candidate_odds"][target] = s["candidate_odds"][source]
    s["candidate_slope"][target] = s["candidate_slope"][source]
    for lead in range(N_LEADS):
        s["candidate_heights"][target, lead] = s["candidate_heights"][source, lead]


@compiled
def search_back(s: np.void, e: int) -> None:
    """Accept the likeliest candidate since the last beat if it is likely enough."""
    best = -1
    for k in range(s["candidate_n"]):
        r = s["candidate_r"][k]
        if s["last_r"] >= 0 and r - s["last_r"] < REFRACTORY:
            continue
        tall = 0.0
        for lead in range(s["n_leads"]):
            tall += s["weight"][lead] * s["candidate_heights"][k, lead]
        if e - r > TOO_OLD or (s["candidate_odds"][k] < SEARCH_BACK and tall < TALL):
            continue
        if best < 0 or s["candidate_odds"][k] > s["candidate_odds"][best]:
            best = k
    if best < 0:
        return
    learn_levels(s, s["candidate_heights"][best], 0.25)
    accept(s, s["candidate_r"][best], s["candidate_slope"][best])


@compiled
def accept(s: np.void, r: int, slope: float) -> None:
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

"""How irregularly a heart beats: the share of RR intervals that are like none of the three before.

In atrial fibrillation most are. There the atria do not beat, none of their beats can be premature,
and a short RR interval says nothing; which is why what looks S is then taken for N. Extrasystoles
alone, even every second or third beat, come back to intervals that were there before.
"""

import numpy as np

from ecg.compiled import compiled
from ecg.state import RR_MEMORY

LIKE = 0.06
"""Difference of two RR intervals, as a share of their mean, up to which they are alike."""
FIBRILLATION = 0.55
"""Share from which there is taken to be atrial fibrillation. Chosen by people held out of DS1 and
svdb, five seeds: F1 of S from 40 to 57 % on DS1 and from 71.5 to 69.1 % on svdb; at 0.6 it is 54
and 70.8 %."""
_BEATS = 64
"""Beats over which the share is taken."""
_LEAST_BEATS = 12
_BEFORE = 3
_MEAN_OF = 10


@compiled
def note_rr(s: np.void, rr: float) -> None:
    """Compare the RR interval of the oldest waiting beat, -1 if unknown, with those before it."""
    if rr <= 0:
        s["irregular_n"] = 0
        s["irregular"] = 0.0
        return
    after = s["pending_n"] - 1  # intervals that are known but end later
    newest = s["rr_n"] - 1 - after
    n = min(newest, min(_MEAN_OF, RR_MEMORY - 1 - after))
    if n < _BEFORE:
        return
    total, least = 0.0, np.inf
    for back in range(1, n + 1):
        before = s["rr"][(newest - back) % RR_MEMORY]
        total += before
        if back <= _BEFORE:
            least = min(least, abs(rr - before))
    unlike = 1.0 if least > LIKE * total / n else 0.0
    s["irregular_n"] = min(s["irregular_n"] + 1, _BEATS)
    s["irregular"] += (unlike - s["irregular"]) / s["irregular_n"]


@compiled
def irregularity(s: np.void) -> float:
    """Return the share of RR intervals like none of the three before; 0 while that is unknown."""
    return float(s["irregular"]) if s["irregular_n"] >= _LEAST_BEATS else 0.0

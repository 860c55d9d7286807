"""A beat's window and RR context: what the model sees, in training and live.

Each beat gives ``CHANNELS`` x ``WINDOW`` samples at 125 Hz, from 0.4 s before
the R peak to 0.6 s after it: the judged leads, and the same minus the
patient's running template of beats that did not come early. Both are in units
of the patient's usual QRS size, so that gain does not matter. ``CONTEXT``
numbers say how the beat came in time.
"""

import numpy as np
from numpy.typing import NDArray

from ecg.arithmetic import median
from ecg.compiled import compiled, summing
from ecg.filters import ENGINE_FS
from ecg.quality import FIT, NOISY
from ecg.scratch import on_stack
from ecg.state import N_LEADS, RING, RR_MEMORY, WINDOW

BEFORE = round(0.4 * ENGINE_FS)
AFTER = 2 * (WINDOW - 1) - BEFORE
"""Engine samples of the window before and after R."""

CHANNELS = 2 * N_LEADS
CONTEXT = (
    "pre RR / mean of 10",
    "pre RR / mean of a minute",
    "post RR / mean of a minute",
    "median change of 10 RR / their mean",
    "no RR before",
    "no beat after in time",
    "likeness to the template, first lead",
    "likeness to the template, second lead",
    "size / usual size, first lead",
    "size / usual size, second lead",
    "first lead can be judged",
    "second lead can be judged",
)
"""The context, in order; ratios as natural logarithms.

Few on purpose: each more RR ratio that was tried, and the absolute rate, told the model who
the patient is, and judged unknown patients worse.
"""
N_CONTEXT = len(CONTEXT)
LIKENESS = CONTEXT.index("likeness to the template, first lead")
_CHANGE, _NO_BEFORE, _NO_AFTER, _SIZE, _JUDGED = 3, 4, 5, 8, 10

EARLY = 0.9
"""RR interval, as a share of the mean of 10, up to which a beat came early."""
_BOUND = 8.0
_RECENT, _LONG_BEATS = 10, 60
_LEAST_CHANGE = float(np.log(0.01))


@compiled
def describe(
    s: np.void,
    r: int,
    rr: float,
    next_rr: float,
    window: NDArray[np.float32],
    context: NDArray[np.float32],
) -> None:
    """Fill ``window`` and ``context`` for the beat at engine sample ``r``, and learn from it.

    Parameters
    ----------
    s : void
        The patient's state; templates and running RR are updated.
    r : int
        Engine sample of the R peak.
    rr, next_rr : float
        RR intervals that end and start at ``r``, in engine samples; -1 if unknown.
    window : ndarray, shape (CHANNELS, WINDOW)
        Filled.
    context : ndarray, shape (N_CONTEXT,)
        Filled.
    """
    window[:] = 0.0
    context[:] = 0.0
    recent, change = _recent_rr(s)
    long = s["rr_long"]
    if rr > 0:
        context[0] = _log_ratio(rr, recent)
        context[1] = _log_ratio(rr, long)
    else:
        context[_NO_BEFORE] = 1.0
    if next_rr > 0:
        context[2] = _log_ratio(next_rr, long)
    else:
        context[_NO_AFTER] = 1.0
    context[_CHANGE] = change
    # a late beat teaches too: where most beats are ectopic, sinus beats come after the pauses
    early = rr <= EARLY * recent
    for lead in range(s["n_leads"]):
        if s["unfit"][lead] != FIT and s["unfit"][lead] != NOISY:
            continue
        context[_JUDGED + lead] = 1.0
        _describe_lead(s, r, lead, early, window, context)
    if rr > 0:
        # quick at first, then over about a minute; one outlier counts at most double
        rate = 1.0 / min(max(s["rr_n"], 1), _LONG_BEATS)
        s["rr_long"] += rate * (min(max(rr, 0.5 * long), 2.0 * long) - long)


@compiled
def _describe_lead(
    s: np.void,
    r: int,
    lead: int,
    early: bool,
    window: NDArray[np.float32],
    context: NDArray[np.float32],
) -> None:
    seen, difference = window[lead], window[N_LEADS + lead]
    _look_back(s, r, lead, seen)
    mean = _sum(seen) / WINDOW
    low, high = np.inf, -np.inf
    for k in range(WINDOW):
        seen[k] -= mean
    for k in range(37, 64):  # 0.1 s on both sides of R: the QRS
        low, high = min(low, seen[k]), max(high, seen[k])
    size = max(high - low, 0.02)
    known, template = s["template_n"][lead], s["template"][lead]
    if known == 0:
        s["scale"][lead] = size
    else:
        context[LIKENESS + lead] = _likeness(seen, template)
        for k in range(WINDOW):
            difference[k] = seen[k] - template[k]
    scale = s["scale"][lead]
    context[_SIZE + lead] = _log_ratio(size, scale)
    # the first beats teach whatever they are; later ones only when they did not come early
    if known < 8 or not early:
        rate = 1.0 / min(known + 1, 16)
        for k in range(WINDOW):
            template[k] += rate * (seen[k] - template[k])
        s["scale"][lead] += rate * (size - scale)
        s["template_n"][lead] = min(known + 1, 16)
    for k in range(WINDOW):
        seen[k] = min(max(seen[k] / scale, -_BOUND), _BOUND)
        difference[k] = min(max(difference[k] / scale, -_BOUND), _BOUND)


@compiled
def _look_back(s: np.void, r: int, lead: int, seen: NDArray[np.float32]) -> None:
    """Fill ``seen`` with the trace around the beat, 0 where there is none."""
    trace, made = s["trace"], s["made"]
    at = r - BEFORE
    place = at % RING
    for k in range(WINDOW):
        seen[k] = trace[place, lead] if 0 <= at < made else 0.0
        at += 2
        place = place + 2 if place + 2 < RING else place + 2 - RING


@summing
def _sum(values: NDArray[np.float32]) -> float:
    total = 0.0
    for k in range(values.shape[0]):
        total += values[k]
    return total


@summing
def _likeness(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Return the correlation of two windows without a mean."""
    cross, own, usual = 0.0, 1e-12, 1e-12
    for k in range(one.shape[0]):
        cross += one[k] * other[k]
        own += one[k] * one[k]
        usual += other[k] * other[k]
    return float(cross / np.sqrt(own * usual))


@compiled
def _log_ratio(a: float, b: float) -> float:
    return float(min(max(np.log(a / b), -2.0), 2.0))


@compiled
def _recent_rr(s: np.void) -> tuple[float, float]:
    """Mean of the 10 RR intervals up to the beat, and the logarithm of how much they change.

    The change is the median difference of neighbours over the mean: large in atrial fibrillation,
    where a short RR says little, and small where single beats come early or late. Intervals that
    end after the beat are known, and left out.
    """
    after = s["pending_n"] - 1
    newest = s["rr_n"] - 1 - after
    n = min(newest + 1, min(_RECENT, RR_MEMORY - after))
    if n <= 0:
        return float(s["rr_long"]), _LEAST_CHANGE
    changes = on_stack(_RECENT, np.float64)
    total = s["rr"][newest % RR_MEMORY]
    for back in range(1, n):
        interval = s["rr"][(newest - back) % RR_MEMORY]
        total += interval
        changes[back - 1] = abs(interval - s["rr"][(newest - back + 1) % RR_MEMORY])
    mean = total / n
    if n < 3:
        return float(mean), _LEAST_CHANGE
    change = median(changes[: n - 1]) / mean
    return float(mean), float(max(np.log(max(change, 1e-6)), _LEAST_CHANGE))

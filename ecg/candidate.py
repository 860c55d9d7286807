"""What is known of a candidate for a QRS complex, and how likely it is one.

A network that was fitted on the training recordings (``ecg.qrs_weights``, made by
``training.detector``) turns what is known into log-odds.
"""

import numpy as np
from numpy.typing import NDArray

from ecg import qrs_weights as net
from ecg.arithmetic import weighed_sum
from ecg.compiled import compiled
from ecg.filters import ENGINE_FS, QRS_BAND_DELAY
from ecg.scratch import on_stack
from ecg.state import BAND_REACH, BAND_RING, INTEGRATE, SHAPE, SHAPES

FLOOR_MV = 0.012
"""The least that is held for a lead's usual height."""
SMALLEST_MV = 0.054
"""Height of a triangle of 0.15 mV and 70 ms. IEC 60601-2-27 wants nothing of 0.15 mV counted: where
the ventricles stand still, P waves and pacing pulses must not look like a heart that beats. On DS1
and svdb no beat is lost by it, and with half the gain 5 of 172,169 are."""
_RIPPLE, _RIPPLE_LATE, _RIPPLE_MV = 0.03, 0.1, 0.3 * FLOOR_MV
"""Height that is always taken to lie between beats, as a share of the usual, as one where a beat is
late, and at least: in a quiet trace no ripple is tall, and in a pause a P wave is none. With the
last alone 96 beats of DS1 and svdb are false and 39 missed, with the first 85 and 41, and with the
second 78 and 41, whether it is 0.08 or 0.13; from 0.25 on more are missed, and with 0.04 in place
of 0.03 the first ectopic beat of a clean signal."""
_LATE = 1.2
"""RR interval, as a share of the mean, from which a beat is late."""
_ALIKE = 0.8
"""Correlation from which a beat has the shape of a template."""
_NOTHING = 1e-9
"""Power, in mV squared, that keeps a flat stretch from being divided by 0."""
_LAGS = 10
"""Engine samples by which a candidate may lie off a template, on either side; every second is
tried, as templates have every second sample."""
_BAND, _PLACES = SHAPE + _LAGS, _LAGS + 1
_JOINT = SHAPES * _PLACES

LOOKS = (
    "log combined height over usual",
    "log deepest since the last candidate over combined height",
    "log slope over that of the last beat",
    "log height over usual, better lead",
    "log height over usual, other lead",
    "log usual over rest, better lead",
    "log usual over rest, other lead",
    "correlation with the likest template, better lead",
    "correlation with the likest template, other lead",
    "log size over that of the template, better lead",
    "log size over that of the template, other lead",
    "joint correlation",
    "log steepest slope over height, better lead",
    "log time since the last beat over mean RR",
    "its square",
    "time since the last beat, up to 0.4 s",
    "log mean RR",
    "templates known",
    "one lead only",
    "log height over the highest of late, better lead",
    "log height over the highest of late, other lead",
)
"""What is known of a candidate, in order; natural logarithms."""
N_LOOKS = len(LOOKS)


@compiled
def look(s: np.void, e: int, p: int, steepest: float) -> tuple[int, int]:
    """Fill ``looks`` for the peak that has just passed; return the likest template and its lag."""
    s["looked_at"] = p - QRS_BAND_DELAY
    out = s["looks"]
    out[:] = 0.0
    one = s["n_leads"] == 1
    better = 0 if one or s["trust"][0] >= s["trust"][1] else 1
    other = better if one else 1 - better
    out[0] = _log(s["peak"], 1.0)
    out[1] = _log(s["valley"], s["peak"])
    out[2] = _log(steepest, s["last_slope"])
    since = p - QRS_BAND_DELAY - s["last_r"]
    ripple = _RIPPLE_LATE if s["last_r"] >= 0 and since > _LATE * s["rr_mean"] else _RIPPLE
    for k, lead in ((0, better), (1, other)):
        usual = max(s["usual"][lead], FLOOR_MV)
        out[3 + k] = _log(s["peak_heights"][lead], usual)
        out[19 + k] = _log(s["peak_heights"][lead], s["highest"][lead])
        out[5 + k] = _log(usual, s["rest"][lead] + max(ripple * usual, _RIPPLE_MV))
    shape, lag, joint = _likest(s, e, p)
    if joint > -2.0:
        for k, lead in ((0, better), (1, other)):
            like, size = _liken(s, e, p + lag, shape, lead)
            out[7 + k] = like
            out[9 + k] = _log(size, 1.0)
        out[11] = joint
        out[17] = 1.0
    most = 0.0
    for k in range(INTEGRATE):
        most = max(most, s["slopes"][k, better])
    out[12] = _log(most, s["peak_heights"][better])
    if s["last_r"] >= 0:
        out[13] = _log(since, s["rr_mean"])
        out[14] = out[13] * out[13]
        out[15] = min(since / (0.4 * ENGINE_FS), 1.0)
    else:
        out[15] = 1.0
    out[16] = _log(s["rr_mean"], ENGINE_FS)
    out[18] = 1.0 if one else 0.0
    return shape, lag


@compiled
def _log(a: float, b: float) -> float:
    return float(min(max(np.log(max(a, 1e-9) / max(b, 1e-9)), -3.0), 3.0))


@compiled
def _likest(s: np.void, e: int, p: int) -> tuple[int, int, float]:
    """Return which template the QRS band at ``p`` is most like, how much later, and how much.

    Does what ``_liken`` does for all lags at once: each sample is looked up once, and no sum waits.
    """
    band, own = on_stack(_BAND, np.float64), on_stack(_PLACES, np.float64)
    template = on_stack(SHAPE, np.float64)
    joint = on_stack(_JOINT, np.float64).reshape((SHAPES, _PLACES))
    joint[:] = 0.0
    first = p - _LAGS - SHAPE
    for lead in range(s["n_leads"]):
        for k in range(_BAND):
            band[k] = s["qrs_band"][(first + 2 * k) & (BAND_RING - 1), lead]
        for place in range(_PLACES):
            seen = band[place : place + SHAPE]
            own[place] = weighed_sum(seen, seen) + _NOTHING
        for shape in range(SHAPES):
            if s["shape_n"][shape] == 0:
                continue
            for k in range(SHAPE):
                template[k] = s["shapes"][shape, k, lead]
            usual = weighed_sum(template, template) + _NOTHING
            for place in range(_PLACES):
                cross = weighed_sum(template, band[place : place + SHAPE])
                joint[shape, place] += s["trust"][lead] * cross / np.sqrt(own[place] * usual)
    best_shape, best_lag, best = 0, 0, -2.0
    for shape in range(SHAPES):
        if s["shape_n"][shape] == 0:
            continue
        for place in range(_PLACES):
            lag = 2 * place - _LAGS
            if joint[shape, place] > best and _in_reach(e, p + lag):
                best_shape, best_lag, best = shape, lag, joint[shape, place]
    return best_shape, best_lag, best


@compiled
def _in_reach(e: int, p: int) -> bool:
    return bool(p >= SHAPE and p + SHAPE <= e and e - p + SHAPE < BAND_REACH)


@compiled
def _liken(s: np.void, e: int, p: int, shape: int, lead: int) -> tuple[float, float]:
    """Return the correlation with a template, and the size in units of the template's."""
    cross, own, usual = 0.0, _NOTHING, _NOTHING
    for k in range(SHAPE):
        value = s["qrs_band"][(p - SHAPE + 2 * k) & (BAND_RING - 1), lead]
        template = s["shapes"][shape, k, lead]
        cross += value * template
        own += value * value
        usual += template * template
    return cross / np.sqrt(own * usual), np.sqrt(own / usual)


@compiled
def learn_shape(s: np.void, e: int, p: int, shape: int) -> None:
    """Let the likest template learn from a beat; one like none takes the least used place."""
    if not _in_reach(e, p):
        return
    joint = -1.0
    if s["shape_n"][shape] > 0:
        joint = 0.0
        for lead in range(s["n_leads"]):
            like, _ = _liken(s, e, p, shape, lead)
            joint += s["trust"][lead] * like
    if joint < _ALIKE:
        shape = 0
        for k in range(1, SHAPES):
            if s["shape_n"][k] < s["shape_n"][shape]:
                shape = k
        s["shape_n"][shape] -= 2
        if s["shape_n"][shape] > 0:
            return
        s["shape_n"][shape] = 0
    n = min(s["shape_n"][shape] + 1, 16)
    s["shape_n"][shape] = n
    for lead in range(s["n_leads"]):
        for k in range(SHAPE):
            value = s["qrs_band"][(p - SHAPE + 2 * k) % BAND_RING, lead]
            s["shapes"][shape, k, lead] += (value - s["shapes"][shape, k, lead]) / n


@compiled
def odds_of(looks: NDArray[np.float64]) -> float:
    """Return the log-odds that a candidate is a QRS."""
    odds = net.BIAS
    for unit in range(net.HIDDEN.shape[0]):
        total = net.HIDDEN_BIAS[unit] + weighed_sum(net.HIDDEN[unit], looks)
        if total > 0:
            odds += net.OUT[unit] * total
    return float(odds)

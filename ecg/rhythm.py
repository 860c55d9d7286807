"""What one second of trace looks like to the rhythm model: a dozen numbers.

Fibrillation is told from a rhythm with QRS complexes by shape, not by size: a
wave without rests (share of the time near its largest value, crest), of one
slow frequency (Hjorth's mobility, zero crossings), alike to itself half a
period later with the sign changed (the VF filter leakage of Kuo & Dillman,
Computers in Cardiology 1978:347-349).
"""

import numpy as np
from numpy.typing import NDArray

from ecg.compiled import compiled, summing
from ecg.filters import ENGINE_FS
from ecg.quality import FIT
from ecg.scratch import on_stack
from ecg.state import BAND_RING, RING

DESCRIPTORS = (
    "root mean square, log mV",
    "root mean square / usual QRS size, log",
    "share in the QRS band, log",
    "mobility, log",
    "mobility of the slope, log",
    "crest",
    "mean / root mean square",
    "share of samples beyond half of the largest",
    "zero crossings",
    "VF filter leakage",
    "time since the last R",
    "last RR interval",
)
N_DESCRIPTORS = len(DESCRIPTORS)

_SECOND = ENGINE_FS
_LOOK = 2 * ENGINE_FS
_BAND_LOOK = 128
"""Engine samples that are looked at: the second that ends and the one before."""


@compiled
def describe_second(s: np.void, e: int, out: NDArray[np.float32]) -> None:
    """Fill ``out`` with what the last 2 s before engine sample ``e`` look like.

    The lead is the first one that can be judged; without any, all is 0.

    Parameters
    ----------
    s : void
        The patient's state.
    e : int
        Newest engine sample.
    out : ndarray, shape (N_DESCRIPTORS,)
        Filled.
    """
    out[:] = 0.0
    lead = -1
    for k in range(s["n_leads"]):
        if s["unfit"][k] == FIT:
            lead = k
            break
    n = min(e + 1, _LOOK)
    if lead < 0 or n < _SECOND:
        return
    trace = on_stack(_LOOK, np.float64)  # newest first
    at = e % RING
    newer = np.float64(s["trace"][at, lead])
    mean, travelled, lowest, highest = 0.0, 0.0, newer, newer
    for k in range(n):
        # each waits for its last: all wait together
        now = np.float64(s["trace"][at, lead])
        travelled += abs(now - newer)
        trace[k] = newer = now
        mean += now
        lowest, highest = min(lowest, now), max(highest, now)
        at = at - 1 if at > 0 else RING - 1
    mean /= n
    largest = max(highest - mean, mean - lowest)
    power, slope_power, bend_power, size = _sums(trace[:n], mean)
    band = 0.0
    n_band = min(n, _BAND_LOOK)
    for k in range(n_band):
        band += s["qrs_band"][(e - k) & (BAND_RING - 1), lead] ** 2
    rms = np.sqrt(power / n) + 1e-4
    near = 0
    for k in range(n):
        if abs(trace[k] - mean) > 0.5 * largest:
            near += 1
    out[0] = np.log(rms)
    out[1] = np.log(rms / max(s["scale"][lead], 0.02))
    out[2] = 0.5 * np.log((band / n_band + 1e-8) / (power / n + 1e-8))
    out[3] = 0.5 * np.log((slope_power + 1e-8) / (power + 1e-6))
    out[4] = 0.5 * np.log((bend_power + 1e-8) / (slope_power + 1e-8))
    out[5] = largest / rms / 4.0
    out[6] = size / n / rms
    out[7] = near / n
    out[8] = _crossings(trace[:n], mean) / n * ENGINE_FS / 10.0
    out[9] = _leakage(trace, n, mean, size, travelled)
    out[10] = min(e - s["last_r"], 4 * ENGINE_FS) / ENGINE_FS if s["last_r"] >= 0 else 4.0
    out[11] = s["rr"][(s["rr_n"] - 1) % 12] / ENGINE_FS if s["rr_n"] > 0 else 0.0


@summing
def _sums(trace: NDArray[np.float64], mean: float) -> tuple[float, float, float, float]:
    """Sum up squares of trace, slope and bend, and sizes."""
    first, second = trace[0] - mean, trace[1] - mean
    power, size = first * first + second * second, abs(first) + abs(second)
    slope_power, bend_power = (second - first) ** 2, 0.0
    newer, newest = trace[1:], trace[2:]
    for k in range(newest.shape[0]):
        value, before = newest[k] - mean, newer[k] - mean
        slope = value - before
        bend = slope - (before - (trace[k] - mean))
        power += value * value
        slope_power += slope * slope
        bend_power += bend * bend
        size += abs(value)
    return power, slope_power, bend_power, size


@compiled
def _crossings(trace: NDArray[np.float64], mean: float) -> int:
    """Count zero crossings."""
    n, newer = 0, trace[1:]
    for k in range(newer.shape[0]):
        n += 1 if (trace[k] - mean < 0) != (newer[k] - mean < 0) else 0
    return n


@compiled
def _leakage(
    trace: NDArray[np.float64], n: int, mean: float, size: float, travelled: float
) -> float:
    """Share that is left when the trace is added to itself half a mean period later."""
    if travelled <= 0.0:
        return 1.0
    half_period = int(np.pi * size / travelled)
    if half_period < 1 or half_period >= n // 2:
        return 1.0
    return _left(trace[: n - half_period], trace[half_period:n], mean)


@summing
def _left(trace: NDArray[np.float64], later: NDArray[np.float64], mean: float) -> float:
    left, whole = 0.0, 1e-6
    for k in range(trace.shape[0]):
        a, b = trace[k] - mean, later[k] - mean
        left += abs(a + b)
        whole += abs(a) + abs(b)
    return left / whole

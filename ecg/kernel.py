"""The compiled path of one tick: samples of many patients in, beats and seconds out.

``advance`` takes patient after patient, sample after sample: bridge what is
missing, resample, filter, detect, and let go of what can be said. Nothing here
depends on where a chunk ends or on who else is in the tick.
"""

import numpy as np
from numpy.typing import NDArray

from ecg import quality
from ecg.chunk import MISSING
from ecg.compiled import compiled, entry_point
from ecg.features import AFTER, describe
from ecg.filters import ENGINE_FS, MAX_TAPS, QRS_BAND, WANDER_FREE, biquads, steady_state
from ecg.qrs import detect
from ecg.rhythm import N_DESCRIPTORS, describe_second
from ecg.state import BAND_RING, N_LEADS, PATIENT, RING

QRS_BAND_START = steady_state(QRS_BAND)
WANDER_FREE_START = steady_state(WANDER_FREE)
_MISSING = int(MISSING)
_BRIDGE_DECAY_S = 20.0
_STEEPEST_MV_PER_S = 400.0
"""No heart moves a lead faster: monitors are tested with 320 mV/s (IEC 60601-2-27), and the
steepest sample of MIT-BIH has 230. What does is a plug, a rail or a pacing spike."""

BEAT = np.dtype(
    [
        ("slot", "i8"),
        ("sample", "i8"),
        ("decided", "i8"),
        ("rr", "f8"),  # in s; negative where unknown
        ("unfit", "i4", (N_LEADS,)),
    ],
    align=True,
)
"""A beat that can be judged; positions in samples of its stream."""

SECOND = np.dtype(
    [
        ("slot", "i8"),
        ("sample", "i8"),
        ("decided", "i8"),
        ("last_r", "i8"),  # -1: none
        ("heart_rate", "f8"),  # negative where unknown
        ("valid_s", "f8"),
        ("unfit", "i4", (N_LEADS,)),
        ("descriptors", "f4", (N_DESCRIPTORS,)),  # of the rhythm
    ],
    align=True,
)
"""A whole second of a stream."""


@entry_point
def advance(
    states: NDArray[np.void],
    slots: NDArray[np.int64],
    ends: NDArray[np.int64],
    samples: NDArray[np.int16],
    fs: float,
    step: int,
    unit: int,
    half: int,
    timeout: int,
    taps: NDArray[np.float64],
    beats: NDArray[np.void],
    windows: NDArray[np.float32],
    contexts: NDArray[np.float32],
    seconds: NDArray[np.void],
) -> tuple[int, int]:
    """Advance patients by their new samples; return how many beats and seconds came.

    Parameters
    ----------
    states : ndarray of PATIENT, shape (n_slots,)
        All patients' states; those of ``slots`` are changed.
    slots : ndarray of int, shape (n_patients,)
        Which rows have new samples; each at most once.
    ends : ndarray of int, shape (n_patients,)
        Where each one's rows end in ``samples``.
    samples : ndarray of int16, shape (n_samples, n_columns)
        ADC values of all of them, one after the other.
    fs, step, unit, half, taps
        Of the resampler that all of them share.
    timeout : int
        Engine samples after R when a beat is judged without a next one.
    beats, windows, contexts, seconds
        Filled from the start; large enough.
    """
    n_beats = 0
    n_seconds = 0
    start = 0
    for k in range(slots.shape[0]):
        s = states[slots[k]]
        for row in range(start, ends[k]):
            _take(s, samples[row], fs)
            while (s["made"] * step) // unit + half < s["taken"]:
                e = s["made"]
                phase = ((e * step) % unit) * taps.shape[0] // unit
                _make(s, taps[phase])
                s["made"] = e + 1
                decided = s["origin"] + (e * step) // unit + half
                while _head_is_ready(s, e, timeout):
                    beat = beats[n_beats]
                    beat["slot"] = slots[k]
                    beat["sample"] = s["origin"] + _nearest(s["pending_r"][0], step, unit)
                    beat["decided"] = decided
                    _release(s, beat, windows[n_beats], contexts[n_beats])
                    n_beats += 1
                whole = int(np.ceil(s["second"] * fs))
                if s["origin"] + (e * step) // unit >= whole:
                    second = seconds[n_seconds]
                    second["slot"] = slots[k]
                    second["sample"] = whole
                    second["decided"] = decided
                    _state(s, second, e, fs, step, unit)
                    n_seconds += 1
        start = ends[k]
    return n_beats, n_seconds


@entry_point
def drain(
    states: NDArray[np.void],
    slot: int,
    decided: int,
    step: int,
    unit: int,
    beats: NDArray[np.void],
    windows: NDArray[np.float32],
    contexts: NDArray[np.float32],
) -> None:
    """Let go of a patient's beats that still wait, because their signal ends here.

    Parameters as of ``advance``; ``decided`` is the stream sample where it ends.
    """
    s = states[slot]
    for k in range(s["pending_n"]):
        beats[k]["slot"] = slot
        beats[k]["sample"] = s["origin"] + _nearest(s["pending_r"][0], step, unit)
        beats[k]["decided"] = decided
        _release(s, beats[k], windows[k], contexts[k])


@compiled
def _take(s: np.void, row: NDArray[np.int16], fs: float) -> None:
    """Take one stream sample: to mV, bridged where missing, into the resampler's history."""
    newest = (s["newest"] + 1) % MAX_TAPS
    s["newest"] = newest
    s["taken"] += 1
    s["q_samples"] += 1
    any_valid = False
    for lead in range(s["n_leads"]):
        raw = row[s["column"][lead]]
        if raw == _MISSING:
            quality.observe(s, lead, np.nan, fs)
            s["missing_run"][lead] += 1
            value = s["last"][lead]
        else:
            measured = (raw - s["baseline"][lead]) / s["gain"][lead]
            jumped = abs(measured - s["q_last"][lead]) * fs > _STEEPEST_MV_PER_S
            quality.observe(s, lead, measured, fs)
            any_valid = True
            if jumped or s["missing_run"][lead] > 0:
                # go on where the trace stood; the step fades slower than a QRS
                s["shift"][lead] = s["last"][lead] - measured if s["seen"][lead] else 0.0
                s["missing_run"][lead] = 0
            s["shift"][lead] *= 1.0 - 1.0 / (_BRIDGE_DECAY_S * fs)
            value = measured + s["shift"][lead]
            if s["seen"][lead] == 0:
                s["seen"][lead] = 1
                _settle(s, lead, value)
        s["last"][lead] = value
        s["history"][lead, newest] = value
        s["history"][lead, newest + MAX_TAPS] = value
    if any_valid:
        s["valid"] += 1


@compiled
def _settle(s: np.void, lead: int, value: float) -> None:
    """Start a lead's filters as if its first value had always been there."""
    s["history"][lead, :] = value
    for section in range(WANDER_FREE_START.shape[0]):
        for m in range(2):
            s["wander"][lead, section, m] = WANDER_FREE_START[section, m] * value
    for section in range(QRS_BAND_START.shape[0]):
        for m in range(2):
            s["band"][lead, section, m] = QRS_BAND_START[section, m] * value


@compiled
def _make(s: np.void, taps: NDArray[np.float64]) -> None:
    """Make the next engine sample from the newest stream samples."""
    e = s["made"]
    n = taps.shape[0]
    first = s["newest"] + MAX_TAPS - n + 1  # the ring is doubled: its last n lie in one piece
    for lead in range(s["n_leads"]):
        value = 0.0
        for k in range(n):
            value += taps[k] * s["history"][lead, first + k]
        s["trace"][e % RING, lead] = biquads(WANDER_FREE, s["wander"][lead], value)
        s["qrs_band"][e % BAND_RING, lead] = biquads(QRS_BAND, s["band"][lead], value)
    quality.observe_trace(s, e)
    detect(s, e)


@compiled
def _head_is_ready(s: np.void, e: int, timeout: int) -> bool:
    """Tell whether the oldest waiting beat has its window, and a next beat or no more time."""
    if s["pending_n"] == 0:
        return False
    since = e - s["pending_r"][0]
    return bool(since >= AFTER and (s["pending_n"] > 1 or since >= timeout))


@compiled
def _release(
    s: np.void,
    beat: np.void,
    window: NDArray[np.float32],
    context: NDArray[np.float32],
) -> None:
    """Describe the oldest waiting beat and let it go."""
    r = s["pending_r"][0]
    rr = s["pending_rr"][0]
    n = s["pending_n"]
    next_rr = float(s["pending_r"][1] - r) if n > 1 else -1.0
    beat["rr"] = rr / ENGINE_FS if rr > 0 else -1.0
    for lead in range(N_LEADS):
        beat["unfit"][lead] = s["unfit"][lead]
    describe(s, r, rr, next_rr, window, context)
    quality.observe_beat(s, r)
    for k in range(n - 1):
        s["pending_r"][k] = s["pending_r"][k + 1]
        s["pending_rr"][k] = s["pending_rr"][k + 1]
    s["pending_n"] = n - 1


@compiled
def _state(s: np.void, second: np.void, e: int, fs: float, step: int, unit: int) -> None:
    """Say how the patient stands at a whole second."""
    quality.conclude(s)
    s["second"] += 1
    last_r = s["last_r"]
    second["last_r"] = s["origin"] + _nearest(last_r, step, unit) if last_r >= 0 else -1
    second["heart_rate"] = _heart_rate(s, e)
    second["valid_s"] = s["valid"] / fs
    describe_second(s, e, second["descriptors"])
    for lead in range(N_LEADS):
        second["unfit"][lead] = s["unfit"][lead]


@compiled
def _heart_rate(s: np.void, e: int) -> float:
    """Mean of the last 12 RR intervals, of 4 when three in a row are above 1.2 s; in 1/min."""
    n = min(s["rr_n"], 12)
    if n == 0 or s["last_r"] < 0 or e - s["last_r"] > 5 * ENGINE_FS:
        return -1.0
    slow = n >= 3
    for back in range(min(n, 3)):
        if s["rr"][(s["rr_n"] - 1 - back) % 12] <= 1.2 * ENGINE_FS:
            slow = False
    if slow:
        n = min(n, 4)
    total = 0.0
    for back in range(n):
        total += s["rr"][(s["rr_n"] - 1 - back) % 12]
    return float(60.0 * ENGINE_FS * n / total)


@compiled
def _nearest(e: int, step: int, unit: int) -> int:
    """Return the stream sample nearest to engine sample ``e``, from the segment's origin."""
    return (2 * e * step + unit) // (2 * unit)


def blank() -> NDArray[np.void]:
    """Return the state of a patient of whom nothing has come, shape (1,)."""
    state = np.zeros(1, PATIENT)
    state["last_r"] = -1
    state["q_flat_s"] = quality.FLAT_S - 1  # a lead is not believed before it has moved
    state["q_min"] = np.inf
    state["q_max"] = -np.inf
    state["gain"] = 1.0
    state["scale"] = 1.0
    return state

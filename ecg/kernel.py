"""The compiled path of one tick: samples of many patients in, beats and seconds out.

``advance`` takes patient after patient, sample after sample: bridge what is
missing, resample, filter, detect, and let go of what can be said. Nothing here
depends on where a chunk ends or on who else is in the tick.
"""

import numpy as np
from numpy.typing import NDArray

from ecg import quality
from ecg.arithmetic import weighed_sum
from ecg.bands import split
from ecg.compiled import compiled, entry_point
from ecg.features import AFTER, LIKENESS, describe
from ecg.fibrillation import hear
from ecg.filters import ENGINE_FS, MAX_TAPS
from ecg.intake import MOST_ROWS, take
from ecg.qrs import listen
from ecg.rhythm import N_DESCRIPTORS, describe_second
from ecg.scratch import on_stack
from ecg.state import AHEAD, N_LEADS, PATIENT

_NEVER = 1 << 62
_LINE = MAX_TAPS + MOST_ROWS
_LINES, _VALUES = N_LEADS * _LINE, AHEAD * N_LEADS

BEAT = np.dtype(
    [
        ("slot", "i8"),
        ("sample", "i8"),
        ("decided", "i8"),
        ("rr", "f8"),  # in s; negative where unknown
        ("fibrillation", "f8"),  # its probability
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
    row = 0
    n_phases, n_taps = taps.shape
    line = on_stack(_LINES, np.float64).reshape((N_LEADS, _LINE))
    values = on_stack(_VALUES, np.float64).reshape((AHEAD, N_LEADS))
    # of each engine sample of a block: how many of the block's rows it needs, and its taps
    tops = on_stack(AHEAD, np.int64)
    phases = on_stack(AHEAD, np.int64)
    for k in range(slots.shape[0]):
        s = states[slots[k]]
        origin = s["origin"]
        e = s["made"]
        # e * step / unit, the place of the next engine sample: its whole part and the rest
        at = (e * step) // unit
        rest = (e * step) % unit
        second_at = int(np.ceil(s["second"] * fs))
        while True:
            n = 0
            second_ends = False
            most = _most_ahead(s)
            taken, left = s["taken"], ends[k] - row
            while n < most and not second_ends and at + half < taken + left:
                tops[n] = at + half + 1 - taken
                phases[n] = rest if n_phases == unit else rest * n_phases // unit
                n += 1
                second_ends = origin + at >= second_at
                rest += step
                while rest >= unit:
                    rest -= unit
                    at += 1
            # nothing is taken before its time: a second is judged by its own samples
            rows = tops[n - 1] if n == most or second_ends else left
            take(s, samples, row, rows, fs, line, n_taps)
            row += rows
            if n == 0:
                break
            _resample(s, line, taps, tops, phases, n, values)
            split(s, e, n, values)
            end = e + n
            while e < end:
                e = listen(s, e, min(end, max(_head_due(s, timeout), e) + 1))
                s["made"] = e
                while _head_due(s, timeout) <= e - 1:
                    beat = beats[n_beats]
                    beat["slot"] = slots[k]
                    beat["sample"] = origin + _nearest(s["pending_r"][0], step, unit)
                    beat["decided"] = origin + ((e - 1) * step) // unit + half
                    _release(s, beat, windows[n_beats], contexts[n_beats])
                    n_beats += 1
            if second_ends:
                second = seconds[n_seconds]
                second["slot"] = slots[k]
                second["sample"] = second_at
                second["decided"] = origin + ((e - 1) * step) // unit + half
                _state(s, second, e - 1, fs, step, unit)
                second_at = int(np.ceil(s["second"] * fs))
                n_seconds += 1
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
def _most_ahead(s: np.void) -> int:
    """Return how many engine samples may be made before they are looked at."""
    for lead in range(s["n_leads"]):
        if s["seen"][lead] == 0:
            return 1  # its first value sets the filters, and must find those before it filtered
    return AHEAD


@compiled
def _resample(
    s: np.void,
    line: NDArray[np.float64],
    taps: NDArray[np.float64],
    tops: NDArray[np.int64],
    phases: NDArray[np.int64],
    n: int,
    values: NDArray[np.float64],
) -> None:
    """Make ``n`` engine samples of the stream samples in ``line``, as ``values[:n]``."""
    n_taps = taps.shape[1]
    values[:, s["n_leads"] :] = 0.0  # nothing of the patient before
    for lead in range(s["n_leads"]):
        for k in range(n):
            heard = line[lead, tops[k] : tops[k] + n_taps]
            values[k, lead] = weighed_sum(taps[phases[k]], heard)


@compiled
def _head_due(s: np.void, timeout: int) -> int:
    """Return when the oldest waiting beat has its window, and a next beat or no more time."""
    if s["pending_n"] == 0:
        return _NEVER
    wait = AFTER if s["pending_n"] > 1 else max(AFTER, timeout)
    return int(s["pending_r"][0] + wait)


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
    beat["fibrillation"] = hear(s, rr, context[LIKENESS])
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
    state["steepest"] = quality.STEEPEST_MV_PER_S
    return state

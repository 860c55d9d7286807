"""Stream samples as they come: to mV, watched for what electrodes do, bridged where missing.

A lead's new samples are taken in one go, with what is known of it in local variables: the row of
state lies in memory, and reading and writing it for each sample costs more than the rest.
"""

import numpy as np
from numpy.typing import NDArray

from ecg import quality
from ecg.chunk import MISSING
from ecg.compiled import compiled
from ecg.filters import MAX_TAPS, QRS_BAND, WANDER_FREE, steady_state
from ecg.state import AHEAD

MOST_ROWS = 4 * (AHEAD + 1) + MAX_TAPS
"""Stream samples that are taken in one go at most: 4 an engine sample at the highest rate, and
what the resampler waits for."""

_QRS_BAND_START = steady_state(QRS_BAND)
_WANDER_FREE_START = steady_state(WANDER_FREE)
_MISSING = int(MISSING)
_BRIDGE_DECAY_S = 20.0


@compiled
def take(
    s: np.void,
    samples: NDArray[np.int16],
    row: int,
    n: int,
    fs: float,
    line: NDArray[np.float64],
    n_taps: int,
) -> None:
    """Take ``n`` rows of samples from ``row`` on.

    Parameters
    ----------
    s : void
        The patient's state.
    samples : ndarray of int16, shape (n_samples, n_columns)
    row, n : int
    fs : float
        Rate of the stream, in Hz.
    line : ndarray, shape (N_LEADS, at least n_taps + MOST_ROWS)
        Filled: the last ``n_taps`` samples before these, and these; in mV, bridged.
    n_taps : int
        How far back the resampler looks.
    """
    whole = False  # whether some lead has all of them
    for lead in range(s["n_leads"]):
        for k in range(n_taps):
            line[lead, k] = s["history"][lead, k]
        if n == 0:
            continue
        before, stuck = s["q_last"][lead], quality.STUCK_S * fs
        raws = samples[row : row + n, s["column"][lead]]
        if _to_mv(s, lead, raws, line[lead, n_taps : n_taps + n], stuck):
            whole = True
        else:
            quality.observe(s, lead, line, n_taps, n, stuck)
        _bridge(s, lead, line, n_taps, n, fs, before)
        for k in range(n_taps):
            s["history"][lead, k] = line[lead, n + k]
    s["taken"] += n
    s["q_samples"] += n
    s["valid"] += n if whole else _count_valid(s, samples, row, n)


@compiled
def _to_mv(
    s: np.void,
    lead: int,
    raws: NDArray[np.int16],
    millivolts: NDArray[np.float64],
    stuck: float,
) -> bool:
    """Fill ``millivolts``, NaN where missing; tell whether none is, and then it is all observed.

    Does what ``quality.observe`` does on whole numbers, of which none is NaN, and while the
    divisions are under way.
    """
    gain, baseline = s["gain"][lead], s["baseline"][lead]
    same, too_many = s["q_same"][lead], s["q_stuck"][lead]
    first = (raws[0] - baseline) / gain
    last = raws[0] if first == s["q_last"][lead] else ~raws[0]
    lowest = highest = raws[0]
    most = int(np.ceil(stuck))
    for k in range(raws.shape[0]):
        raw = raws[k]
        millivolts[k] = (raw - baseline) / gain
        lowest, highest = min(lowest, raw), max(highest, raw)
        same = same + 1 if raw == last else 0
        too_many += same >= most
        last = raw
    if lowest == _MISSING:  # the lowest there is
        for k in range(raws.shape[0]):
            if raws[k] == _MISSING:
                millivolts[k] = np.nan
        return False
    s["q_min"][lead] = min(s["q_min"][lead], (lowest - baseline) / gain)
    s["q_max"][lead] = max(s["q_max"][lead], (highest - baseline) / gain)
    s["q_last"][lead] = millivolts[raws.shape[0] - 1]
    s["q_same"][lead], s["q_stuck"][lead] = same, too_many
    return True


@compiled
def _count_valid(s: np.void, samples: NDArray[np.int16], row: int, n: int) -> int:
    """Return how many rows have a sample of some judged lead."""
    valid = 0
    for k in range(row, row + n):
        for lead in range(s["n_leads"]):
            if samples[k, s["column"][lead]] != _MISSING:
                valid += 1
                break
    return valid


@compiled
def _bridge(
    s: np.void,
    lead: int,
    line: NDArray[np.float64],
    start: int,
    n: int,
    fs: float,
    before: float,
) -> None:
    """Hold the trace where samples are missing, and go on from there without a step.

    ``before`` is the lead's last measured value.
    """
    fade = 1.0 - 1.0 / (_BRIDGE_DECAY_S * fs)
    last, shift, steepest = s["last"][lead], s["shift"][lead], s["steepest"] / fs
    seen, held = s["seen"][lead] != 0, s["held"][lead] > 0
    bridged = held or shift != 0.0
    if seen and not bridged and _goes_on(line[lead, start : start + n], before, steepest):
        if n > 0:
            s["last"][lead] = line[lead, start + n - 1]
        return
    for k in range(start, start + n):
        measured = line[lead, k]
        if np.isnan(measured):
            held = True
        else:
            if held or abs(measured - before) > steepest:
                # go on where the trace stood; the step fades slower than a QRS
                shift = last - measured if seen else 0.0
                held = False
            before = measured
            shift *= fade
            last = measured + shift
            if not seen:
                seen = True
                _settle(s, lead, last)
                line[lead, :k] = last
        line[lead, k] = last
    s["last"][lead], s["shift"][lead] = last, shift
    s["seen"][lead], s["held"][lead] = seen, held


@compiled
def _goes_on(measured: NDArray[np.float64], before: float, steepest: float) -> bool:
    """Tell whether nothing is missing and nothing jumps, as in nearly all chunks."""
    n = measured.shape[0]
    if n == 0:
        return True
    breaks = 0 if abs(measured[0] - before) <= steepest else 1
    for k in range(1, n):
        # NaN is not less either
        breaks += 0 if abs(measured[k] - measured[k - 1]) <= steepest else 1
    return breaks == 0


@compiled
def _settle(s: np.void, lead: int, value: float) -> None:
    """Start a lead's filters as if its first value had always been there."""
    for section in range(_WANDER_FREE_START.shape[0]):
        for m in range(2):
            s["wander"][lead, section, m] = _WANDER_FREE_START[section, m] * value
    for section in range(_QRS_BAND_START.shape[0]):
        for m in range(2):
            s["band"][lead, section, m] = _QRS_BAND_START[section, m] * value

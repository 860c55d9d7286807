"""Candidates for a QRS complex as the detector looks at them, with what people said they are.

A record is filtered once to the engine's rate; the detector then hears it as often as wanted: as
it is, with one lead, or with noise. The filters are linear, so noise that went through them alone
can be added behind them.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ecg import tick
from ecg.annotation import Annotations
from ecg.candidate import N_LOOKS
from ecg.filters import ENGINE_FS, resampler
from ecg.kernel import blank
from ecg.lead import choose_leads
from ecg.qrs import detect
from ecg.record import Record
from ecg.state import BAND_RING, N_LEADS, RING

MATCH = round(0.15 * ENGINE_FS)
_BLOCK_S = 0.5
"""The engine's rings hold what comes of so much signal."""
_MOST = 12
"""Candidates a second that there is room for."""

Signal = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Filtered:
    """A record at the engine's rate.

    Parameters
    ----------
    trace, band : ndarray, shape (n_samples, n_leads)
        0.5-40 Hz and the QRS band, in mV; the lead that is judged first comes first.
    """

    trace: Signal
    band: Signal


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Candidates:
    """What is known of each candidate, whether it was a QRS, and how much it weighs.

    Parameters
    ----------
    looks : ndarray, shape (n, N_LOOKS)
    targets, weights : ndarray, shape (n,)
    """

    looks: NDArray[np.float32]
    targets: NDArray[np.float32]
    weights: NDArray[np.float32]


def filtered(record: Record) -> Filtered:
    """Filter a record as the engine does."""
    columns = choose_leads(record.leads).columns
    states = blank()
    states["n_leads"] = len(columns)
    for lead, column in enumerate(columns):
        states["column"][0, lead] = column
        states["gain"][0, lead] = record.gain[column]
        states["baseline"][0, lead] = record.baseline[column]
    design = resampler(record.fs)
    step = int(_BLOCK_S * record.fs)
    traces, bands = [], []
    for start in range(0, record.n_samples, step):
        before = int(states["made"][0])
        block = record.samples[start : start + step]
        tick.advance(states, tick.Batch(design, slots=[0], blocks=[block]))
        made = np.arange(before, int(states["made"][0]))
        traces.append(states["trace"][0, made % RING, : len(columns)])
        bands.append(states["qrs_band"][0, made % BAND_RING, : len(columns)])
    return Filtered(trace=np.concatenate(traces), band=np.concatenate(bands))


def hear(signal: Filtered, leads: tuple[int, ...]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Let the detector hear some leads; return what it knew of each candidate, and where it was.

    Returns
    -------
    looks : ndarray, shape (n, N_LOOKS)
    at : ndarray of int, shape (n,)
        Engine samples.
    """
    state = blank()
    state["n_leads"] = len(leads)
    trace, band = (np.ascontiguousarray(part[:, leads]) for part in (signal.trace, signal.band))
    room = len(trace) * _MOST // ENGINE_FS + _MOST
    looks, at = np.zeros((room, N_LOOKS), np.float32), np.zeros(room, np.int64)
    n = _hear(state[0], trace, band, looks, at)
    return looks[:n], at[:n]


def label(
    looks: NDArray[np.float32],
    at: NDArray[np.int64],
    truth: Annotations,
    *,
    fs: float,
    weight: float,
) -> Candidates:
    """Give candidates their targets: each annotation takes the nearest one within 150 ms.

    Candidates in flutter, whose beats nobody marked, are left out.
    """
    beats = truth.beats()[0] * ENGINE_FS / fs
    order = np.argsort(at, kind="stable")
    targets = np.zeros(len(at), np.float32)
    for beat in beats.tolist():
        low, high = np.searchsorted(at[order], [beat - MATCH, beat + MATCH + 1])
        if high > low:
            near = order[low:high]
            targets[near[np.abs(at[near] - beat).argmin()]] = 1.0
    kept = np.ones(len(at), bool)
    for start, end in truth.flutter:
        inside = (at >= start * ENGINE_FS / fs - MATCH) & (at < end * ENGINE_FS / fs + MATCH)
        kept &= ~inside
    weights = np.full(int(kept.sum()), weight, np.float32)
    return Candidates(looks=looks[kept], targets=targets[kept], weights=weights)


@njit(error_model="numpy")
def _hear(
    s: np.void, trace: Signal, band: Signal, looks: NDArray[np.float32], at: NDArray[np.int64]
) -> int:
    n = 0
    for e in range(trace.shape[0]):
        for lead in range(min(s["n_leads"], N_LEADS)):
            s["trace"][e % RING, lead] = trace[e, lead]
            s["qrs_band"][e % BAND_RING, lead] = band[e, lead]
        s["made"] = e
        s["looked_at"] = -1
        detect(s, e)
        s["made"] = e + 1
        s["pending_n"] = 0
        if s["looked_at"] >= 0 and n < at.shape[0]:
            at[n] = s["looked_at"]
            for k in range(N_LOOKS):
                looks[n, k] = s["looks"][k]
            n += 1
    return n

"""Beats at R peaks that people marked, through the same kernel as detected ones.

What published work starts from, for comparison: the ablation table shows what
our own detector costs. The kernel's detector is kept from deciding by a last beat
that lies far ahead, and each marked R peak is accepted in its place, about when a
detector would have found it.
"""

from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecg import tick
from ecg.annotation import read_annotations
from ecg.filters import ENGINE_FS, Resampler, resampler
from ecg.finding import BEAT_CLASSES
from ecg.lead import choose_leads
from ecg.qrs_memory import accept
from ecg.reader import read_record
from ecg.record import Record
from ecg.segment import begin
from ecg.state import PATIENT
from training.dataset import BeatSequence

_FOUND_AFTER_S = 0.25
"""When a detector knows of a beat; the next one's features may depend on no later beat."""
_LONGEST_S = 1.0
_FAR_AHEAD = 2**40


def observe_annotated(path: Path) -> BeatSequence:
    """Describe the annotated beats of a record, at the R peaks where people put them.

    Parameters
    ----------
    path : Path
        The record without extension; its ``.atr`` beside it.

    Raises
    ------
    RecordError
        If the record or its annotations cannot be read.
    """
    record = read_record(path)
    annotations = read_annotations(path, fs=record.fs, n_samples=record.n_samples)
    beats, classes = annotations.beats()
    windows, contexts, fibrillation = observe_at(record, beats)
    return BeatSequence(
        record=f"{path.parent.name}/{path.name}",
        samples=beats,
        windows=windows,
        contexts=contexts,
        fibrillation=fibrillation,
        targets=np.array([BEAT_CLASSES.index(name) for name in classes], dtype=np.int64),
    )


def observe_at(
    record: Record, r_peaks: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Return what a model would see of beats at given R peaks of a record.

    Parameters
    ----------
    record : Record
    r_peaks : ndarray of int, shape (n_beats,)
        Sample numbers, increasing.

    Returns
    -------
    windows : ndarray, shape (n_beats, CHANNELS, WINDOW)
    contexts : ndarray, shape (n_beats, N_CONTEXT)
    fibrillation : ndarray, shape (n_beats,)
    """
    design = resampler(record.fs)
    states = np.zeros(1, PATIENT)
    first = next(record.chunks("training", "training", chunk_samples=max(record.n_samples, 1)))
    states[0] = begin(first, choose_leads(record.leads).columns, 0)
    states[0]["learned"] = 1
    states[0]["rr_mean"] = ENGINE_FS
    states[0]["rr_long"] = 0.8 * ENGINE_FS  # as the detector sets it before the first RR interval
    ticks = []
    known = np.minimum(r_peaks + round(_FOUND_AFTER_S * record.fs), record.n_samples)
    every = np.arange(0, record.n_samples, round(_LONGEST_S * record.fs))
    edges = np.unique(np.concatenate([every, known, [0, record.n_samples]]))
    told, last_r = 0, -1
    for start, end in pairwise(edges.tolist()):
        states["last_r"] = _FAR_AHEAD
        batch = tick.Batch(design, slots=[0], blocks=[record.samples[start:end]])
        ticks.append(tick.advance(states, batch))
        while told < len(r_peaks) and known[told] <= end:
            r = _engine_sample(int(r_peaks[told]), design)
            states["last_r"] = last_r
            accept(states[0], r, 0.0)
            told, last_r = told + 1, r
    ticks.append(tick.drain(states, 0, record.n_samples, design))
    return (
        np.concatenate([found.windows for found in ticks]),
        np.concatenate([found.contexts for found in ticks]),
        np.concatenate([found.beats["fibrillation"] for found in ticks]).astype(np.float32),
    )


def _engine_sample(sample: int, design: Resampler) -> int:
    return round(sample * design.unit / design.step)

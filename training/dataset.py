"""Beats as the monitor sees them, with what people said they are.

The samples are made by running ``ecg.monitor.Monitor`` over records and taking
the features of the beats it *detected*; there is no second way to make them.
A detection is labelled by the annotation within 150 ms of it, and as artefact
where there is none. Flutter stretches have no label: nobody marked their beats.
What recordings teach of which only the rhythm is known is in ``training.of_rhythm``.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecg.annotation import Annotations, read_annotations
from ecg.features import CHANNELS, N_CONTEXT
from ecg.finding import BEAT_CLASSES
from ecg.model import ARTEFACT, OUTPUTS
from ecg.monitor import Monitor
from ecg.reader import read_record
from ecg.record import Record
from ecg.roster import Place
from ecg.state import WINDOW
from training import noise

MATCH_S = 0.15
"""EC57's window between a detection and the annotation that it stands for, in s."""

UNLABELLED = -100
"""Target of a beat that nobody labelled; the loss leaves it out (torch's own value)."""

NORMAL = -101
"""Target of a detection in a recording whose rhythm was called normal: a beat of class N, or none.
Only what teachers think is held against it."""

_CHUNK = 3600


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BeatSequence:
    """The detected beats of one record, in order, as the model sees them.

    Parameters
    ----------
    record : str
        Database and record, ``mitdb/101``.
    samples : ndarray of int, shape (n_beats,)
        R peaks.
    windows : ndarray, shape (n_beats, CHANNELS, WINDOW)
    contexts : ndarray, shape (n_beats, N_CONTEXT)
    fibrillation : ndarray, shape (n_beats,)
        Probability that the atria fibrillate, by ``ecg.fibrillation``; no beat model sees it.
    targets : ndarray of int, shape (n_beats,)
        Position in ``ecg.model.OUTPUTS``, ``UNLABELLED`` or ``NORMAL``.
    """

    record: str
    samples: NDArray[np.int64]
    windows: NDArray[np.float32]
    contexts: NDArray[np.float32]
    fibrillation: NDArray[np.float32]
    targets: NDArray[np.int64]

    def __len__(self) -> int:
        """Return the number of beats."""
        return len(self.samples)


def observe_record(path: Path) -> BeatSequence:
    """Run the monitor over a record and keep what the model would see.

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
    return _labelled(path, record, read_annotations(path, fs=record.fs, n_samples=record.n_samples))


def observe_noisy(path: Path, *, copy: int = 0) -> BeatSequence:
    """Do the same with noise on the record, which is to be found in ``nstdb`` beside its database.

    What the detector takes for beats there are artefacts, and the beats are what they were.

    Raises
    ------
    RecordError
        If the record, its annotations or the noise cannot be read.
    """
    record = read_record(path)
    truth = read_annotations(path, fs=record.fs, n_samples=record.n_samples)
    noises = path.parent.parent / noise.DATABASE
    return _labelled(path, noise.disturbed(record, truth, noises, copy=copy), truth)


def observe_unmarked(path: Path) -> BeatSequence:
    """Run the monitor over a record whose beats nobody named; none has a label.

    Raises
    ------
    RecordError
        If the record cannot be read.
    """
    return _observe(path, read_record(path))


def _labelled(path: Path, record: Record, annotations: Annotations) -> BeatSequence:
    unnamed = _observe(path, record)
    return replace(unnamed, targets=label(unnamed.samples, annotations, fs=record.fs))


def _observe(path: Path, record: Record) -> BeatSequence:
    """Return the beats that the monitor finds in a record, none with a label."""
    samples: list[int] = []
    fibrillation: list[float] = []
    windows: list[NDArray[np.float32]] = []
    contexts: list[NDArray[np.float32]] = []

    def observe(
        _: Place, beat: np.void, window: NDArray[np.float32], context: NDArray[np.float32]
    ) -> None:
        samples.append(int(beat["sample"]))
        fibrillation.append(float(beat["fibrillation"]))
        windows.append(window.copy())
        contexts.append(context.copy())

    monitor = Monitor(on_beat=observe)
    for chunk in record.chunks("training", "training", chunk_samples=_CHUNK):
        monitor.advance([chunk])
    n = len(samples)
    return BeatSequence(
        record=f"{path.parent.name}/{path.name}",
        samples=np.array(samples, dtype=np.int64),
        windows=np.array(windows, np.float32).reshape(n, CHANNELS, WINDOW),
        contexts=np.array(contexts, np.float32).reshape(n, N_CONTEXT),
        fibrillation=np.array(fibrillation, np.float32),
        targets=np.full(n, UNLABELLED, np.int64),
    )


def label(found: NDArray[np.int64], annotations: Annotations, *, fs: float) -> NDArray[np.int64]:
    """Give every detection its target.

    Parameters
    ----------
    found : ndarray of int, shape (n_beats,)
        Sample numbers of the detections.
    annotations : Annotations
        What people said.
    fs : float
        Sampling frequency of both, in Hz.

    Returns
    -------
    ndarray of int, shape (n_beats,)
        Position in ``ecg.model.OUTPUTS``; the nearest detection has the
        annotation, others within its reach are artefacts.
    """
    targets = np.full(len(found), OUTPUTS.index(ARTEFACT), dtype=np.int64)
    beats, classes = annotations.beats()
    if len(beats) and len(found):
        right = np.clip(np.searchsorted(found, beats), 0, len(found) - 1)
        left = np.clip(right - 1, 0, None)
        nearest = np.where(abs(found[left] - beats) <= abs(found[right] - beats), left, right)
        distance = abs(found[nearest] - beats)
        # nearest pairs first, so that a detection goes to the annotation closest to it
        free = np.ones(len(found), dtype=bool)
        for k in np.argsort(distance, kind="stable"):
            if distance[k] <= MATCH_S * fs and free[nearest[k]]:
                free[nearest[k]] = False
                targets[nearest[k]] = BEAT_CLASSES.index(classes[k])
    for start, end in annotations.flutter:
        targets[(found >= start) & (found < end)] = UNLABELLED
    return targets


def class_counts(sequences: Sequence[BeatSequence]) -> dict[str, int]:
    """Return how many beats of each output there are."""
    counts = np.zeros(len(OUTPUTS), dtype=np.int64)
    for sequence in sequences:
        known = sequence.targets[sequence.targets >= 0]
        counts += np.bincount(known, minlength=len(OUTPUTS))
    return {name: int(n) for name, n in zip(OUTPUTS, counts, strict=True)}

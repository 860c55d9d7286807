"""Beats of recordings in which people named the rhythm, and no beat.

A rhythm says of some beats what they are: in atrial fibrillation a beat of the usual shape
is N, however early it comes; where the rhythm is normal no beat is anything else; and
the beats of ventricular tachycardia that keep time are V, also long after the
patient's template has come to look like them.
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter

from ecg.annotation import RhythmStretch, read_annotations
from ecg.errors import RecordError
from ecg.features import LIKENESS
from ecg.finding import BEAT_CLASSES
from ecg.reader import read_record
from training.dataset import NORMAL, UNLABELLED, BeatSequence, observe_unmarked

USUAL_LIKENESS = 0.75
"""Correlation with the patient's template from which a beat counts as of the usual shape."""

MARGIN_S = 0.3
"""How far inside a stretch of tachycardia a beat is surely one of it: marks are set by hand."""

EVEN, AROUND = 0.1, 9
"""Beats keep time where an RR interval differs from the median of so many around it by no more than
this share. On waves as wide as those of some tachycardias an R peak is found now here and now
there; taught that this is V, a model calls noise V, too."""

CONDUCTED = frozenset({"N", "BI", "SBR", "AFIB"})
"""Rhythms in which the ventricles follow the atria: a beat of the usual shape is N."""


def observe_fibrillation(path: Path) -> BeatSequence:
    """Run the monitor over a record of atrial fibrillation without marks at its beats.

    Beats of the usual shape are N; the others may be anything, and have no label.

    Raises
    ------
    RecordError
        If the record cannot be read.
    """
    unnamed = observe_unmarked(path)
    return replace(unnamed, targets=np.where(_usual(unnamed), _N, UNLABELLED))


def observe_normal(path: Path) -> BeatSequence:
    """Do the same with a record whose rhythm was called normal; all have the target ``NORMAL``.

    Raises
    ------
    RecordError
        If the record cannot be read.
    """
    unnamed = observe_unmarked(path)
    return replace(unnamed, targets=np.full(len(unnamed), NORMAL, np.int64))


def observe_tachycardia(path: Path) -> BeatSequence:
    """Do the same with a record in which ventricular tachycardia is marked where it comes.

    Its beats that keep time are V. Where the ventricles follow the atria, beats of the usual
    shape are N. The others have no label.

    Raises
    ------
    RecordError
        If the record or its annotations cannot be read.
    """
    record = read_record(path)
    rhythms = read_annotations(path, fs=record.fs, n_samples=record.n_samples).rhythms
    unnamed = observe_unmarked(path)
    return replace(unnamed, targets=in_rhythms(unnamed, rhythms, fs=record.fs))


def in_rhythms(
    beats: BeatSequence, rhythms: Sequence[RhythmStretch], *, fs: float
) -> NDArray[np.int64]:
    """Return the targets that rhythms give to beats, as ``observe_tachycardia`` says.

    Parameters
    ----------
    beats : BeatSequence
    rhythms : sequence of RhythmStretch
        Those of the record.
    fs : float
        Sampling frequency of both, in Hz.

    Returns
    -------
    ndarray of int, shape (n_beats,)
    """
    targets = np.full(len(beats), UNLABELLED, np.int64)
    usual, even, margin = _usual(beats), keep_time(beats.samples), MARGIN_S * fs
    for stretch in rhythms:
        inside = (beats.samples >= stretch.first_sample + margin) & (
            beats.samples < stretch.end_sample - margin
        )
        if stretch.rhythm == "VT":
            targets[inside & even] = _V
        elif stretch.rhythm in CONDUCTED:
            targets[inside & usual] = _N
    return targets


def keep_time(samples: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return whether the RR intervals before and after each beat are like those around them.

    Parameters
    ----------
    samples : ndarray of int, shape (n_beats,)
        R peaks, ascending. The first and the last keep no time.

    Examples
    --------
    >>> keep_time(np.array([0, 250, 500, 650, 1000, 1250, 1500])).tolist()
    [False, True, False, False, False, True, False]
    """
    even = np.zeros(len(samples) + 1, np.bool_)
    if len(samples) > 1:
        intervals = np.diff(samples).astype(np.float64)
        around = median_filter(intervals, AROUND, mode="nearest")
        even[1:-1] = np.abs(intervals / around - 1) <= EVEN
    kept: NDArray[np.bool_] = even[:-1] & even[1:]
    return kept


def fibrillation_records(directory: Path) -> list[str]:
    """Return the records that ``REFERENCE.csv`` of the 2017 challenge calls fibrillation.

    Raises
    ------
    RecordError
        If the list is not there.
    """
    return [name for name, rhythm in rhythms_named(directory).items() if rhythm == "A"]


@cache
def rhythms_named(directory: Path) -> Mapping[str, str]:
    """Return the rhythm of each record, as ``REFERENCE.csv`` of the 2017 challenge has it.

    Raises
    ------
    RecordError
        If the list is not there.
    """
    listed = directory / "REFERENCE.csv"
    if not listed.is_file():
        raise RecordError(f"no {listed}: it says which records are atrial fibrillation")
    with listed.open(encoding="ascii", newline="") as lines:
        return {row[0]: row[1] for row in csv.reader(lines)}


_N, _V = BEAT_CLASSES.index("N"), BEAT_CLASSES.index("V")


def _usual(beats: BeatSequence) -> NDArray[np.bool_]:
    usual: NDArray[np.bool_] = beats.contexts[:, LIKENESS] >= USUAL_LIKENESS
    return usual

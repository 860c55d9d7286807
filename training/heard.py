"""What the monitor said of a record, live, beside what people said of it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecg.annotation import Annotations
from ecg.finding import BEAT_CLASSES, BeatClass
from ecg.metrics import MATCH_S, BeatCounts, count_beats, match_beats
from training.calibration import Reliability, reliability


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Heard:
    """What the monitor said of one record, live, and what the annotations say.

    Parameters
    ----------
    name : str
        The record.
    fs : float
        Its sampling frequency, in Hz.
    n_samples : int
        Its length.
    annotations : Annotations
        The truth.
    samples, classes, delays_s : ndarray, shape (n_beats,)
        R peaks, classes (``ecg.metrics.NOT_JUDGED`` where there is none), and how long after
        the R peak each was said.
    probabilities : ndarray, shape (n_beats, 5)
        In the order of ``BEAT_CLASSES``, NaN where a beat was not judged.
    seconds, fit : ndarray, shape (n_seconds,)
        Sample number of each whole second, and whether the signal was fit then.
    vf : ndarray of bool, shape (n_seconds,)
        Whether the second that ends there was called ventricular fibrillation or flutter.
    """

    name: str
    fs: float
    n_samples: int
    annotations: Annotations
    samples: NDArray[np.int64]
    classes: NDArray[np.str_]
    delays_s: NDArray[np.float64]
    probabilities: NDArray[np.float64]
    seconds: NDArray[np.int64]
    fit: NDArray[np.bool_]
    vf: NDArray[np.bool_]


def counts_of(heard: Heard, *, from_s: float, match_s: float = MATCH_S) -> BeatCounts:
    """Count a record's beats by EC57, leaving out its flutter stretches."""
    reference, classes = heard.annotations.beats()
    return count_beats(
        reference,
        classes,
        heard.samples,
        heard.classes,
        fs=heard.fs,
        from_s=from_s,
        match_s=match_s,
        excluded=heard.annotations.flutter,
    )


def calibration_of(records: Sequence[Heard], beat_class: BeatClass, from_s: float) -> Reliability:
    """Compare a class's probabilities with the annotations, of judged beats after ``from_s``.

    A detection that is no beat is not of the class.
    """
    column = BEAT_CLASSES.index(beat_class)
    said, true = [np.empty(0)], [np.empty(0, dtype=bool)]
    for heard in records:
        reference, classes = heard.annotations.beats()
        partner = match_beats(reference, heard.samples, window=int(MATCH_S * heard.fs))
        is_class = np.zeros(len(heard.samples), dtype=bool)
        is_class[partner[(partner >= 0) & (classes == beat_class)]] = True
        scored = (heard.samples >= from_s * heard.fs) & ~np.isnan(heard.probabilities[:, column])
        for start, end in heard.annotations.flutter:
            scored &= (heard.samples < start) | (heard.samples >= end)
        said.append(heard.probabilities[scored, column])
        true.append(is_class[scored])
    return reliability(np.concatenate(said), np.concatenate(true))

"""How well beats were found, by the rules of ANSI/AAMI EC57.

Rules in short. A detected beat and an annotated one are the same beat if they
are at most 150 ms apart; they are paired one to one, as many as possible, and
among those ways the closest. The learning time at the start is not scored, nor
are stretches of ventricular flutter or fibrillation. Paced, fused and unclassifiable
beats are nobody's mistake where EC57 says so: see ``BeatCounts.of``.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from ecg.finding import BEAT_CLASSES, BeatClass

MATCH_S = 0.150
"""Two marks at most this far apart are one beat."""
LEARNING_S = 300.0
"""Time at the start of a record that EC57 does not score."""

F_COUNTS_AS_V_IS = (
    "ignored: an F called V is neither right nor wrong for V, and a Q called S, V or F is no "
    "false one, as EC57 and the published tables count"
)

NOT_JUDGED = "U"
"""Test label of a beat that was found but not judged."""
_NO_BEAT = len(BEAT_CLASSES)
_TEST_LABELS = (*BEAT_CLASSES, NOT_JUDGED)
_UNJUDGED, _MISSED = 5, 6
# annotated class -> test labels that are no false ones of it
_FORGIVEN: dict[str, str] = {"S": "Q", "V": "FQ", "F": "Q", "N": "", "Q": ""}


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Sensitivity and positive predictivity, fractions; None where nothing was to be counted."""

    se: float | None
    ppv: float | None

    @property
    def f1(self) -> float | None:
        """Their harmonic mean."""
        if self.se is None or self.ppv is None:
            return None
        return 0.0 if self.se + self.ppv == 0 else 2 * self.se * self.ppv / (self.se + self.ppv)

    @classmethod
    def of(cls, true: float, missed: float, false: float) -> "Score":
        """Return the score of counts or durations.

        Examples
        --------
        >>> Score.of(true=9, missed=1, false=3)
        Score(se=0.9, ppv=0.75)
        """
        return cls(
            se=true / (true + missed) if true + missed else None,
            ppv=true / (true + false) if true + false else None,
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BeatCounts:
    """How often each annotated class was given each label.

    Parameters
    ----------
    table : ndarray of int, shape (6, 7)
        Rows: annotated N, S, V, F, Q, and no beat. Columns: called N, S, V, F, Q, found but
        not judged, and missed.
    """

    table: NDArray[np.int64] = field(default_factory=lambda: np.zeros((6, 7), dtype=np.int64))

    def __add__(self, other: "BeatCounts") -> "BeatCounts":
        """Return the counts of both together (gross statistics)."""
        return BeatCounts(table=self.table + other.table)

    @property
    def annotated(self) -> int:
        """Number of annotated beats."""
        return int(self.table[:_NO_BEAT].sum())

    @property
    def qrs(self) -> Score:
        """Detection of beats, whatever their class."""
        found = int(self.table[:_NO_BEAT, :_MISSED].sum())
        return Score.of(
            true=found,
            missed=int(self.table[:_NO_BEAT, _MISSED].sum()),
            false=int(self.table[_NO_BEAT].sum()),
        )

    @property
    def accuracy(self) -> float | None:
        """Share of the annotated beats that were found and given their class."""
        right = int(np.trace(self.table[:_NO_BEAT, :_NO_BEAT]))
        return right / self.annotated if self.annotated else None

    def of(self, beat_class: BeatClass) -> Score:
        """Return the score of one class.

        Beats that were missed or not judged count as missed. False are the beats of
        other classes and the non-beats that were called so, except: F called V, and
        Q called S, V or F.
        """
        true, missed, false = (int(count) for count in tallies(self.table, beat_class))
        return Score.of(true=true, missed=missed, false=false)


def tallies(
    tables: NDArray[np.int64], beat_class: BeatClass
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return how often a class was found, missed and said falsely, by the rules of EC57.

    Parameters
    ----------
    tables : ndarray of int, shape (..., 6, 7)
        Counts as in ``BeatCounts``; any number of them.
    beat_class : {"N", "S", "V", "F", "Q"}
        The class.

    Returns
    -------
    tuple of ndarray of int, each of shape (...)
        Found and called so, missed or called something else, and false.
    """
    column = BEAT_CLASSES.index(beat_class)
    true = tables[..., column, column]
    counted = [
        row
        for row, annotated in enumerate((*BEAT_CLASSES, "O"))
        if row != column and annotated not in _FORGIVEN[beat_class]
    ]
    return (
        true,
        tables[..., column, :].sum(axis=-1) - true,
        tables[..., counted, column].sum(axis=-1),
    )


def match_beats(
    reference: NDArray[np.int64], test: NDArray[np.int64], *, window: int
) -> NDArray[np.int64]:
    """Pair annotated and detected beats, one to one.

    As many pairs as possible are made; among the ways to make so many, one with
    the smallest sum of distances; pairs never cross. EC57 leaves the choice open;
    a greedy pairing can find fewer.

    Parameters
    ----------
    reference, test : ndarray of int, shape (n_reference,) and (n_test,)
        Sample numbers, not decreasing.
    window : int
        Largest distance of a pair, in samples.

    Returns
    -------
    ndarray of int, shape (n_reference,)
        Index of the test beat of each reference beat, -1 where it has none.

    Raises
    ------
    ValueError
        If sample numbers decrease.

    Examples
    --------
    >>> match_beats(np.array([100, 160, 400]), np.array([150, 210]), window=54)
    array([ 0,  1, -1])
    """
    for name, samples in (("reference", reference), ("test", test)):
        if np.any(np.diff(samples) < 0):
            raise ValueError(f"{name} samples must not decrease")
    partner = np.full(len(reference), -1, dtype=np.int64)
    # each reference beat's reach into the test beats; what overlaps is settled together
    lows = np.searchsorted(test, reference - window, side="left")
    highs = np.searchsorted(test, reference + window, side="right")
    first = 0
    while first < len(reference):
        last, high = first + 1, highs[first]
        while last < len(reference) and lows[last] < high:
            high = max(high, highs[last])
            last += 1
        low = lows[first]
        if last - first == 1 and high - low == 1:
            partner[first] = low
        elif high > low:
            partner[first:last] = _settle(reference[first:last], test[low:high], window, low)
        first = last
    return partner


def _settle(
    reference: NDArray[np.int64], test: NDArray[np.int64], window: int, shift: int
) -> NDArray[np.int64]:
    apart = np.abs(reference[:, None] - test[None, :])
    # one more pair is worth more than any distances
    worth = (window + 1) * (min(apart.shape) + 1)
    rows, columns = linear_sum_assignment(np.where(apart <= window, apart - worth, 0))
    paired = apart[rows, columns] <= window
    partner = np.full(len(reference), -1, dtype=np.int64)
    # in order of both: uncrossing a pair of pairs never makes it longer
    partner[np.sort(rows[paired])] = np.sort(columns[paired]) + shift
    return partner


def count_beats(
    reference: NDArray[np.int64],
    reference_classes: Sequence[str] | NDArray[np.str_],
    test: NDArray[np.int64],
    test_classes: Sequence[str] | NDArray[np.str_],
    *,
    fs: float,
    from_s: float = LEARNING_S,
    match_s: float = MATCH_S,
    excluded: Iterable[tuple[int, int]] = (),
) -> BeatCounts:
    """Compare detected beats with annotated ones.

    The whole record is paired first, and then what lies before ``from_s`` is
    dropped by the annotated beat's place, so that a pair at the border counts
    once or not at all.

    Parameters
    ----------
    reference, reference_classes : shape (n_reference,)
        Annotated beats: sample numbers and EC57 classes.
    test, test_classes : shape (n_test,)
        Detected beats; ``NOT_JUDGED`` where no class was given.
    fs : float
        Sampling frequency, in Hz.
    from_s : float
        Beats before this are not scored.
    match_s : float
        Largest distance of a pair, in s.
    excluded : iterable of (int, int)
        Stretches, first sample and end (excluded), in which nothing is scored;
        detections within ``match_s`` of one are forgiven.

    Returns
    -------
    BeatCounts
        Counts of the scored beats.

    Raises
    ------
    ValueError
        If the lists disagree in length, decrease, or hold an unknown class.
    """
    if len(reference) != len(reference_classes) or len(test) != len(test_classes):
        raise ValueError("every beat needs one class")
    window = int(match_s * fs)
    start = from_s * fs
    stretches = list(excluded)
    table = np.zeros((6, 7), dtype=np.int64)
    partner = match_beats(reference, test, window=window)
    rows = [_index(BEAT_CLASSES, c) for c in reference_classes]
    columns = [_index(_TEST_LABELS, c) for c in test_classes]
    forgiven = np.zeros(len(test), dtype=bool)
    for index, sample in enumerate(reference.tolist()):
        found = int(partner[index])
        if found >= 0:
            forgiven[found] = True
        if sample < start or any(a <= sample < b for a, b in stretches):
            continue
        table[rows[index], _MISSED if found < 0 else columns[found]] += 1
    for index, sample in enumerate(test.tolist()):
        near = any(a - window <= sample < b + window for a, b in stretches)
        if not forgiven[index] and sample >= start and not near:
            table[_NO_BEAT, columns[index]] += 1
    return BeatCounts(table=table)


def _index(labels: Sequence[str], label: str) -> int:
    try:
        return labels.index(label)
    except ValueError:
        raise ValueError(f"a class must be one of {', '.join(labels)}, got {label!r}") from None


def average(scores: Iterable[Score]) -> Score:
    """Return the mean of records' scores, leaving out what a record could not say.

    Examples
    --------
    >>> average([Score(se=1.0, ppv=None), Score(se=0.5, ppv=0.25)])
    Score(se=0.75, ppv=0.25)
    """
    scores = list(scores)

    def mean(values: list[float | None]) -> float | None:
        known = [value for value in values if value is not None]
        return sum(known) / len(known) if known else None

    return Score(se=mean([s.se for s in scores]), ppv=mean([s.ppv for s in scores]))

"""How well runs of beats and episodes were found, by the rules of ANSI/AAMI EC57."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from ecg.finding import BeatClass
from ecg.metrics import Score

_RUN_LENGTHS = {"couplet": (2, 2), "short": (3, 5), "long": (6, None)}


def runs_of(
    samples: NDArray[np.int64], classes: Sequence[str] | NDArray[np.str_], beat_class: BeatClass
) -> list[tuple[int, int, int]]:
    """Return the runs of two or more consecutive beats of a class: first sample, last, length.

    Examples
    --------
    >>> runs_of(np.array([1, 2, 3, 4, 5]), list("VVNVN"), "V")
    [(1, 2, 2)]
    """
    runs = []
    for is_class, group in groupby(range(len(samples)), lambda i: classes[i] == beat_class):
        members = list(group)
        if is_class and len(members) > 1:
            runs.append((int(samples[members[0]]), int(samples[members[-1]]), len(members)))
    return runs


def score_runs(
    reference: Sequence[tuple[int, int, int]],
    test: Sequence[tuple[int, int, int]],
    *,
    window: int,
) -> dict[str, Score]:
    """Score runs by length: couplets, short runs of 3 to 5 beats, long ones.

    A run is found if the other side has a run that overlaps it, ``window``
    samples allowed for, and is at least as long as the shortest of its kind.

    Parameters
    ----------
    reference, test : sequence of (int, int, int)
        Runs as ``runs_of`` gives them.
    window : int
        Tolerance of the overlap, in samples.

    Returns
    -------
    dict of str to Score
        For ``couplet``, ``short`` and ``long``.
    """

    def found(runs: list[tuple[int, int, int]], among: Sequence[tuple[int, int, int]]) -> int:
        total = 0
        for first, last, length in runs:
            kind = next(lo for lo, hi in _RUN_LENGTHS.values() if hi is None or length <= hi)
            total += any(
                a <= last + window and b >= first - window and n >= kind for a, b, n in among
            )
        return total

    scores = {}
    for name, (low, high) in _RUN_LENGTHS.items():
        annotated = [r for r in reference if low <= r[2] and (high is None or r[2] <= high)]
        detected = [r for r in test if low <= r[2] and (high is None or r[2] <= high)]
        scores[name] = Score(
            se=found(annotated, test) / len(annotated) if annotated else None,
            ppv=found(detected, reference) / len(detected) if detected else None,
        )
    return scores


@dataclass(frozen=True, slots=True, kw_only=True)
class EpisodeScore:
    """Episodes scored by overlap of any length, and by duration."""

    episodes: Score
    duration: Score


def score_episodes(
    reference: Iterable[tuple[int, int]], test: Iterable[tuple[int, int]]
) -> EpisodeScore:
    """Score episodes, e.g. of VF: each is its onset and end (excluded), in samples.

    Examples
    --------
    >>> score_episodes([(0, 100), (500, 600)], [(50, 150)])
    ... # doctest: +NORMALIZE_WHITESPACE
    EpisodeScore(episodes=Score(se=0.5, ppv=1.0), duration=Score(se=0.25, ppv=0.5))
    """
    ours, theirs = _joined(reference), _joined(test)

    def touched(stretches: list[tuple[int, int]], by: list[tuple[int, int]]) -> int:
        return sum(any(a < d and c < b for c, d in by) for a, b in stretches)

    both = sum(max(0, min(b, d) - max(a, c)) for a, b in ours for c, d in theirs)
    annotated = sum(b - a for a, b in ours)
    detected = sum(b - a for a, b in theirs)
    return EpisodeScore(
        episodes=Score(
            se=touched(ours, theirs) / len(ours) if ours else None,
            ppv=touched(theirs, ours) / len(theirs) if theirs else None,
        ),
        duration=Score.of(true=both, missed=annotated - both, false=detected - both),
    )


def _joined(stretches: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for onset, end in sorted(stretches):
        if end <= onset:
            continue
        if joined and onset <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((onset, end))
    return joined

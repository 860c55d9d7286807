"""Ours against others': ratios of paired runs, with intervals."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scipy.stats import t

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """How many times as much; the interval is of the mean of logarithms."""

    ratio: float
    low: float
    high: float
    runs: int


def ratio_of(ours: Sequence[float], theirs: Sequence[float]) -> Ratio:
    """Return ours / theirs of runs that were made in turns.

    The ratio is the geometric mean of the pairs' ratios, the interval Student's
    95 % of the mean logarithm. Below three pairs such an interval says nothing:
    it is the smallest and the largest ratio then.

    Parameters
    ----------
    ours, theirs : sequence of float
        Positive; the k-th of each were measured one after the other.

    Raises
    ------
    ValueError
        If they are not pairs, or not positive.

    Examples
    --------
    >>> found = ratio_of([20.0, 22.0], [10.0, 10.0])
    >>> round(found.ratio, 2), found.low, found.high
    (2.1, 2.0, 2.2)
    """
    if len(ours) != len(theirs) or not ours:
        raise ValueError(f"ratios need pairs of runs, got {len(ours)} and {len(theirs)}")
    if min(*ours, *theirs) <= 0:
        raise ValueError("ratios need positive figures")
    logs = [math.log(a / b) for a, b in zip(ours, theirs, strict=True)]
    n = len(logs)
    mean = sum(logs) / n
    if n < 3:
        return Ratio(
            ratio=math.exp(mean), low=math.exp(min(logs)), high=math.exp(max(logs)), runs=n
        )
    deviation = math.sqrt(sum((log - mean) ** 2 for log in logs) / (n - 1))
    half = float(t.ppf((1 + CONFIDENCE) / 2, n - 1)) * deviation / math.sqrt(n)
    return Ratio(
        ratio=math.exp(mean), low=math.exp(mean - half), high=math.exp(mean + half), runs=n
    )

"""Sums and medians of a few numbers, compiled: numpy's own take longer to begin than to end."""

import numpy as np
from numpy.typing import NDArray

from ecg.compiled import compiled, summing


@summing
def weighed_sum(weights: NDArray[np.float64], values: NDArray[np.float64]) -> float:
    """Return the sum of ``weights * values``, both of shape (n,)."""
    total = 0.0
    for k in range(weights.shape[0]):
        total += weights[k] * values[k]
    return total


@compiled
def median(values: NDArray[np.float64]) -> float:
    """Return the median of a dozen numbers, shape (n,), at least one; they are put in order."""
    n = values.shape[0]
    for k in range(1, n):
        value, place = values[k], k
        while place > 0 and values[place - 1] > value:
            values[place] = values[place - 1]
            place -= 1
        values[place] = value
    return float(0.5 * (values[(n - 1) // 2] + values[n // 2]))

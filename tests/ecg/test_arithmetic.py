"""Sums and medians are numpy's, but for the order of additions."""

import numpy as np
import pytest

from ecg.arithmetic import median, weighed_sum


@pytest.mark.parametrize("n", range(1, 13))
def test_median_of_odd_and_even_many(n: int) -> None:
    rng = np.random.default_rng(n)
    for values in (rng.normal(size=n), rng.integers(0, 3, n).astype(float), np.arange(n, 0.0, -1)):
        assert median(values.copy()) == np.median(values)


@pytest.mark.parametrize("n", [0, 1, 20, 97])
def test_weighed_sum_is_the_scalar_product(n: int) -> None:
    weights, values = np.random.default_rng(n).normal(size=(2, n))
    assert weighed_sum(weights, values) == pytest.approx(float(weights @ values), abs=1e-12)

"""Atrial fibrillation by its RR intervals, and what is not said there."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from ecg.compiled import compiled
from ecg.fibrillation import BEFORE, LEAST_BEATS, compare, hear
from ecg.kernel import blank
from ecg.state import COMPARISONS, RR_MEMORY
from training.fibrillation import FIBRILLATION, FibrillationLSTM

RNG = np.random.default_rng(4)
STEADY = 200 + RNG.normal(0, 2, 200)
CHAOS = RNG.uniform(110, 330, 200)


def heard(intervals: Sequence[float] | NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the probability at each RR interval but the last, heard when the next is known."""
    s = blank()[0]
    s["pending_n"] = 2
    said, count = [], 0
    for k, rr in enumerate(intervals[:-1]):
        count = 0 if rr <= 0 else count
        for newer in (k, k + 1):
            s["rr"][(count + newer - k) % RR_MEMORY] = intervals[newer]
        s["rr_n"] = count + 2
        count += 1
        said.append(hear(s, float(rr), 0.98))
    return np.array(said)


@pytest.mark.parametrize(
    "intervals",
    [
        STEADY,
        np.where(np.arange(200) % 2, 140.0, 250.0) + RNG.normal(0, 2, 200),  # bigeminy
        np.tile([200.0, 140.0, 260.0], 60) + RNG.normal(0, 2, 180),  # trigeminy
        200 + 15 * np.sin(np.arange(200) * 1.2) + RNG.normal(0, 2, 200),  # breathing
    ],
)
def test_intervals_with_an_order_are_no_fibrillation(intervals: NDArray[np.float64]) -> None:
    assert (heard(intervals) < FIBRILLATION).all()


def test_intervals_without_any_order_are() -> None:
    said = heard(CHAOS)
    assert (said[: LEAST_BEATS - 1] == 0.0).all()  # too few to say
    assert np.median(said[3 * LEAST_BEATS :]) > FIBRILLATION


def test_nothing_is_known_after_an_interval_that_is_not() -> None:
    said = heard([*CHAOS, -1.0, *STEADY[:5]])
    assert said[len(CHAOS) - 2] > 0.0
    assert (said[len(CHAOS) :] == 0.0).all()


def test_comparisons_do_not_depend_on_the_rate() -> None:
    one, other = np.empty(COMPARISONS, np.float32), np.empty(COMPARISONS, np.float32)
    compare(180.0, STEADY[:BEFORE].copy(), 0.9, one)
    compare(360.0, 2 * STEADY[:BEFORE], 0.9, other)
    np.testing.assert_array_equal(one, other)
    compare(200.0, np.array([210.0]), 0.9, one)  # the first interval that has one before it
    assert np.isfinite(one).all()


def test_what_is_compiled_is_what_was_fitted(monkeypatch: pytest.MonkeyPatch) -> None:
    from ecg import fibrillation
    from ecg import fibrillation_weights as weights

    torch.manual_seed(3)
    model = FibrillationLSTM().eval()
    for name, values in model.constants().items():
        assert np.shape(values) == np.shape(getattr(weights, name))
        monkeypatch.setattr(weights, name, values if np.ndim(values) else float(values))
    step = compiled(fibrillation.step.py_func)  # type: ignore[attr-defined]  # with today's constants
    inputs = RNG.normal(size=(20, COMPARISONS)).astype(np.float32)
    memory = np.zeros(blank()[0]["fibrillation"].shape)
    said = [step(row, memory) for row in inputs]
    with torch.inference_mode():
        wanted = model(torch.from_numpy(inputs)[None])[0].numpy()
    np.testing.assert_allclose(said, wanted, atol=1e-5)

"""Whether probabilities mean what they say, and the temperature that makes them."""

import numpy as np
import pytest
from numpy.typing import NDArray

from ecg.model import OUTPUTS
from training.calibration import calibrate, reliability
from training.dataset import UNLABELLED


def test_reliability_of_truthful_probabilities_is_near_zero() -> None:
    rng = np.random.default_rng(1)
    probability = rng.random(20_000)
    found = reliability(probability, rng.random(20_000) < probability)
    assert found.error is not None
    assert found.error < 0.02
    assert found.n.sum() == 20_000


def test_reliability_of_boasting_probabilities_is_their_excess() -> None:
    found = reliability(np.full(100, 0.9), np.arange(100) < 60)
    assert found.error == pytest.approx(0.3)
    assert reliability(np.empty(0), np.empty(0, dtype=bool)).error is None


def test_reliability_refuses_what_is_no_probability() -> None:
    with pytest.raises(ValueError, match="within 0 to 1"):
        reliability(np.array([1.2]), np.array([True]))
    with pytest.raises(ValueError, match="shapes"):
        reliability(np.array([0.5]), np.array([True, False]))


@pytest.fixture
def truthful() -> NDArray[np.float32]:
    """Return logits, to be taken at their word."""
    return np.random.default_rng(0).normal(0, 2, (20_000, len(OUTPUTS))).astype(np.float32)


def shares_of(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    shares: NDArray[np.float32] = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return shares


def test_temperature_makes_too_sure_logits_truthful(truthful: NDArray[np.float32]) -> None:
    rng = np.random.default_rng(1)
    drawn = (shares_of(truthful).cumsum(axis=1) > rng.random((len(truthful), 1))).argmax(axis=1)
    assert calibrate(3 * truthful, drawn) == pytest.approx(3, rel=0.05)
    # beats of which nobody knows what they are say nothing
    nobody = np.full(len(truthful), UNLABELLED)
    logits = np.concatenate([3 * truthful, -truthful]).astype(np.float32)
    assert calibrate(logits, np.concatenate([drawn, nobody])) == calibrate(3 * truthful, drawn)


def test_temperature_makes_logits_as_sure_as_an_opinion(truthful: NDArray[np.float32]) -> None:
    assert calibrate(truthful * np.float32(0.5), shares_of(truthful)) == pytest.approx(
        0.5, rel=0.01
    )

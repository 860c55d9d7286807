"""Do probabilities mean what they say? Reliability, calibration error, and how to mend them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from training.dataset import UNLABELLED

BINS = 10


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reliability:
    """How often a class was true where its probability lay in each tenth.

    Parameters
    ----------
    said : ndarray, shape (BINS,)
        Mean probability in the bin, NaN where it is empty.
    true : ndarray, shape (BINS,)
        Share of beats that were of the class, NaN likewise.
    n : ndarray of int, shape (BINS,)
        Beats in the bin.
    """

    said: NDArray[np.float64]
    true: NDArray[np.float64]
    n: NDArray[np.int64]

    @property
    def error(self) -> float | None:
        """Expected calibration error: mean distance of the two, weighed by beats."""
        total = int(self.n.sum())
        if not total:
            return None
        full = self.n > 0
        distance = np.abs(self.said[full] - self.true[full])
        return float((distance * self.n[full]).sum() / total)


def reliability(probability: NDArray[np.float64], is_class: NDArray[np.bool_]) -> Reliability:
    """Compare the probabilities of one class with what was true.

    Parameters
    ----------
    probability : ndarray, shape (n_beats,)
        Of the class, 0 to 1.
    is_class : ndarray of bool, shape (n_beats,)
        Whether the beat was of it.

    Returns
    -------
    Reliability

    Raises
    ------
    ValueError
        If the shapes differ or a probability is not within 0 to 1.

    References
    ----------
    Naeini, Cooper, Hauskrecht. Obtaining well calibrated probabilities using Bayesian
    binning. AAAI 2015:2901-2907.

    Examples
    --------
    >>> r = reliability(np.array([0.95, 0.9, 0.1, 0.05]), np.array([True, True, False, False]))
    >>> round(r.error, 3)
    0.075
    """
    if probability.shape != is_class.shape:
        raise ValueError(f"shapes differ: {probability.shape} and {is_class.shape}")
    if len(probability) and not (probability.min() >= 0 and probability.max() <= 1):
        raise ValueError("probabilities must lie within 0 to 1")
    place = np.minimum((probability * BINS).astype(np.int64), BINS - 1)
    n = np.bincount(place, minlength=BINS)
    with np.errstate(invalid="ignore"):
        return Reliability(
            said=np.bincount(place, probability, minlength=BINS) / n,
            true=np.bincount(place, is_class, minlength=BINS) / n,
            n=n,
        )


def calibrate(
    judged: NDArray[np.float32], labels: NDArray[np.int64] | NDArray[np.float32]
) -> float:
    """Return the temperature that makes probabilities of unknown patients most truthful.

    One number divides all logits; it minimises the unweighted cross entropy
    (Guo et al., ICML 2017, arXiv:1706.04599).

    Parameters
    ----------
    judged : ndarray, shape (n_beats, len(OUTPUTS))
        Logits by models that did not learn from these beats.
    labels : ndarray of int, shape (n_beats,), or of float, shape (n_beats, len(OUTPUTS))
        What the beats are, or how probable each class is.

    Returns
    -------
    float
        Between 0.05 and 20, to four digits.
    """
    logits = judged.astype(np.float64)
    if labels.ndim == 1:
        known = labels != UNLABELLED
        logits = logits[known]
        shares = np.eye(logits.shape[1])[labels[known]]
    else:
        shares = labels.astype(np.float64)

    def loss(log_t: float) -> float:
        return -float((shares * log_softmax(logits / np.exp(log_t), axis=1)).sum(axis=1).mean())

    found = minimize_scalar(loss, bounds=(np.log(0.05), np.log(20.0)), method="bounded")
    return round(float(np.exp(found.x)), 4)

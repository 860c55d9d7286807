"""What a beat is called: from the model's probabilities and that of atrial fibrillation.

The likeliest class, with two exceptions:

* where the atria fibrillate none of their beats is premature: the probability of S goes to N by as
  much as it is likely that they do (``ecg.fibrillation``);
* a rare class is found best, by F1, when it is called before it is the likeliest (Lipton, Elkan and
  Naryanaswamy, 2014, arXiv:1402.1892).

By people whom neither model knew, four fits: with S called when it is the likeliest and never from
half a probability of fibrillation on, F1 of S was 46.8 % on DS1 and 69.8 % on svdb; so it is 50.7
and 69.6 %. From a share of 0.3 it would be 51.0 and 68.9 %.
"""

import numpy as np
from numpy.typing import NDArray

from ecg.finding import BEAT_CLASSES
from ecg.model import ARTEFACT, OUTPUTS

SURE_ARTEFACT = 0.6
"""Probability from which a detection is no beat. Of the 70 detections of DS1 and svdb that are
none, members that did not know the person drop 9 so, and of 173,000 beats they lose 18; from 0.5 on
they would drop 14 and lose 29, from 0.7 on 6 and 11 (three fits)."""
S_FROM = 0.35
"""Share of S, of S and N together, from which a beat that is one of them is S."""

ARTEFACT_CALLED = OUTPUTS.index(ARTEFACT)
_N, _S = BEAT_CLASSES.index("N"), BEAT_CLASSES.index("S")


def call(
    probabilities: NDArray[np.float32], fibrillation: NDArray[np.floating]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the probabilities of the classes of beats, and what they are called.

    Parameters
    ----------
    probabilities : ndarray, shape (n_beats, len(OUTPUTS))
        Of the model.
    fibrillation : ndarray, shape (n_beats,)
        Probability that the atria fibrillate.

    Returns
    -------
    shares : ndarray, shape (n_beats, len(BEAT_CLASSES))
        Probabilities of a detection that is a beat: they sum to 1; all 0 where it cannot be one.
    called : ndarray of int, shape (n_beats,)
        Positions in ``OUTPUTS``; ``ARTEFACT_CALLED`` where it is surely none.
    """
    shares = probabilities[:, : len(BEAT_CLASSES)].astype(np.float64)
    shares /= np.maximum(shares.sum(axis=1, keepdims=True), np.finfo(np.float64).tiny)
    moved = shares[:, _S] * fibrillation
    shares[:, _S] -= moved
    shares[:, _N] += moved
    called = shares.argmax(axis=1)
    atrial = (called == _N) | (called == _S)
    early = shares[:, _S] >= S_FROM * (shares[:, _S] + shares[:, _N])
    called[atrial] = np.where(early[atrial], _S, _N)
    called[probabilities[:, ARTEFACT_CALLED] > SURE_ARTEFACT] = ARTEFACT_CALLED
    return shares, called

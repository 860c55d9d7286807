"""What models say of people they do not know, counted as the evaluation counts.

Quick looks at many models: beats come from the observed records and not through
``Monitor``, from the first one on. Beats that the detector missed are missed, and F or Q
called V, and Q called S, is neither right nor wrong.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from ecg.call import call
from ecg.finding import BEAT_CLASSES
from ecg.model import OUTPUTS
from training.dataset import UNLABELLED
from training.store import read_beats, record_of

JUDGED = ("V", "S")
"""Classes that figures are given for."""

_FORGIVEN = {"V": [OUTPUTS.index("F"), OUTPUTS.index("Q")], "S": [OUTPUTS.index("Q")]}
"""What is neither right nor wrong when it is called so, as in ``ecg.metrics``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Counts of a class, added up over records."""

    hits: int = 0
    said: int = 0
    true: int = 0

    @property
    def f1(self) -> float:
        """Harmonic mean of sensitivity and positive predictivity; 0 where there is nothing."""
        return 2 * self.hits / (self.said + self.true) if self.said + self.true else 0.0


def examine(
    logits: Sequence[NDArray[np.float32]],
    examined: Sequence[Path],
    marked: Sequence[Path] | None = None,
    *,
    without: Sequence[str] = (),
    gate: bool = True,
) -> dict[str, Figures]:
    """Count the beats of each of ``JUDGED`` over records.

    Parameters
    ----------
    logits : sequence of ndarray, each of shape (n_beats, len(OUTPUTS))
        What a model said of each record.
    examined : sequence of Path
        The observed records.
    marked : sequence of Path, optional
        The same records observed at annotated R peaks: what there is to be found.
        Without it only beats that were found count.
    without : sequence of str
        Records to leave out, ``mitdb/232``.
    gate : bool
        Whether what looks S is N in atrial fibrillation, as the monitor has it.
    """
    figures = {name: Figures() for name in JUDGED}
    for one, file, truth in zip(logits, examined, marked or examined, strict=True):
        if record_of(file) in without:
            continue
        sequence, all_there = read_beats(file), read_beats(truth).targets
        fibrillation = sequence.fibrillation if gate else np.zeros_like(sequence.fibrillation)
        targets = sequence.targets
        _, predicted = call(softmax(one, axis=1), fibrillation)
        for name in JUDGED:
            k = OUTPUTS.index(name)
            counts = (targets != UNLABELLED) & ~np.isin(targets, _FORGIVEN[name])
            before = figures[name]
            figures[name] = Figures(
                hits=before.hits + int(((predicted == k) & (targets == k)).sum()),
                said=before.said + int(((predicted == k) & counts).sum()),
                true=before.true + int((all_there == k).sum()),
            )
    return figures


def called_other_than_n(logits: Sequence[NDArray[np.float32]]) -> float:
    """Return the share of beats that were called anything but N."""
    calls = np.concatenate([one.argmax(axis=1) for one in logits])
    return float((calls != BEAT_CLASSES.index("N")).mean()) if len(calls) else 0.0

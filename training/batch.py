"""Batches to learn from: stretches of records, drawn by chance."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.augment import augment
from training.dataset import UNLABELLED, BeatSequence


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Batch:
    """Stretches of records, shapes (n_sequences, n_beats, ...)."""

    windows: NDArray[np.float32]
    contexts: NDArray[np.float32]
    targets: NDArray[np.int64]
    counts: NDArray[np.float32]
    """How much a beat counts beside others of its class."""
    present: NDArray[np.bool_]
    """False where a short record was filled up."""


def draw(
    sequences: Sequence[BeatSequence],
    shares: NDArray[np.float64],
    counts: NDArray[np.float32],
    rng: np.random.Generator,
    *,
    shape: tuple[int, int],
    change: bool,
) -> Batch:
    """Draw a stretch of each of some records from anywhere, short ones filled up at the end.

    Parameters
    ----------
    sequences : sequence of BeatSequence
    shares : ndarray, shape (n_records,)
        How often each is drawn; they sum to 1.
    counts : ndarray, shape (n_records, len(OUTPUTS))
        How much a beat of each record and output counts.
    rng : Generator
        Source of chance.
    shape : tuple of int
        Sequences, and beats in each.
    change : bool
        Whether to show them as they could have been recorded, too.
    """
    n, length = shape
    windows = np.zeros((*shape, *sequences[0].windows.shape[1:]), np.float32)
    contexts = np.zeros((*shape, sequences[0].contexts.shape[1]), np.float32)
    targets = np.full(shape, UNLABELLED, np.int64)
    present = np.zeros(shape, np.bool_)
    drawn = rng.choice(len(sequences), size=n, p=shares)
    for row, k in enumerate(drawn):
        s = sequences[k]
        start = int(rng.integers(max(len(s) - length, 0) + 1))
        end = min(start + length, len(s))
        windows[row, : end - start] = s.windows[start:end]
        contexts[row, : end - start] = s.contexts[start:end]
        targets[row, : end - start] = s.targets[start:end]
        present[row, : end - start] = True
    if change:
        windows, contexts = augment(windows, contexts, rng)
    return Batch(
        windows=windows,
        contexts=contexts,
        targets=targets,
        # a beat without a label counts nothing whatever stands here
        counts=counts[drawn[:, None], np.maximum(targets, 0)],
        present=present,
    )

"""What may differ between two recordings of the same heart, made up for training.

Electrodes sit elsewhere, leads are swapped or missing, gains and polarity are
wrong, an R peak is placed a few milliseconds off, muscles tremble. None of it
changes what a beat is.
"""

import numpy as np
from numpy.typing import NDArray

from ecg.features import CONTEXT
from ecg.state import N_LEADS

_FIRST_FIT = CONTEXT.index("first lead can be judged")
_SECOND_FIT = CONTEXT.index("second lead can be judged")
_PER_LEAD = (
    (CONTEXT.index("likeness to the template, first lead"),
     CONTEXT.index("likeness to the template, second lead")),
    (CONTEXT.index("size / usual size, first lead"),
     CONTEXT.index("size / usual size, second lead")),
    (_FIRST_FIT, _SECOND_FIT),
)  # fmt: skip

ONE_LEAD = 0.25
SWAPPED = 0.15
UPSIDE_DOWN = 0.1
SHIFT = 3
"""Samples at 125 Hz by which an R peak may be placed off, on either side."""
GAIN = 0.25
"""Standard deviation of the logarithm of a lead's gain."""
NOISE = 0.06
"""Largest standard deviation of added noise, in usual QRS sizes."""


def augment(
    windows: NDArray[np.float32], contexts: NDArray[np.float32], rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return sequences as they could have been recorded.

    Parameters
    ----------
    windows : ndarray, shape (n_sequences, n_beats, CHANNELS, WINDOW)
    contexts : ndarray, shape (n_sequences, n_beats, N_CONTEXT)
    rng : Generator
        Source of chance.

    Returns
    -------
    windows, contexts : ndarray
        New arrays of the same shapes. Leads are treated alike over a sequence,
        the place of R and the noise differ from beat to beat.
    """
    windows, contexts = windows.copy(), contexts.copy()
    n, length = windows.shape[:2]
    for k in range(n):
        if rng.random() < SWAPPED:
            _swap(windows[k], contexts[k])
        if rng.random() < ONE_LEAD:
            if rng.random() < 0.5:
                _swap(windows[k], contexts[k])
            _drop_second(windows[k], contexts[k])
        for lead in range(N_LEADS):
            factor = np.exp(rng.normal(0.0, GAIN)) * (-1 if rng.random() < UPSIDE_DOWN else 1)
            windows[k, :, lead::N_LEADS] *= np.float32(factor)
    shifts = rng.integers(-SHIFT, SHIFT + 1, size=(n, length))
    for shift in range(-SHIFT, SHIFT + 1):
        moved = shifts == shift
        windows[moved] = np.roll(windows[moved], shift, axis=-1)
    noise = rng.standard_normal((n, length, N_LEADS, windows.shape[-1]), dtype=np.float32)
    noise *= rng.uniform(0, NOISE, (n, 1, N_LEADS, 1)).astype(np.float32)
    present = contexts[:, :, None, [_FIRST_FIT, _SECOND_FIT]].swapaxes(2, 3)
    windows[:, :, :N_LEADS] += noise * present
    windows[:, :, N_LEADS:] += noise * present
    return windows, contexts


def _swap(windows: NDArray[np.float32], contexts: NDArray[np.float32]) -> None:
    windows[:] = windows[:, [1, 0, 3, 2]]
    for first, second in _PER_LEAD:
        contexts[:, [first, second]] = contexts[:, [second, first]]


def _drop_second(windows: NDArray[np.float32], contexts: NDArray[np.float32]) -> None:
    windows[:, 1::N_LEADS] = 0
    for _, second in _PER_LEAD:
        contexts[:, second] = 0

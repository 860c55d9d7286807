"""The model's turn: beats of many patients in padded batches, one LSTM memory each.

The model runs only in batches of a few fixed sizes: rows of such batches are
the same bits whatever else is in them, which rows of batches of any size are
not. A patient's probabilities therefore never depend on company or chunks.
"""

import numpy as np
import torch
from numpy.typing import NDArray

from ecg.model import OUTPUTS, BeatLSTM

BATCHES = (32, 256)
"""Rows a batch may have; smaller work is padded with zeros."""


class Judge:
    """A model at work on one device.

    Parameters
    ----------
    model : BeatLSTM
        With its weights loaded.
    version : str
        Goes with every finding.
    temperature : float
        Logits are divided by it, so that probabilities are calibrated.
    device : {"auto", "cpu", "cuda"}
        ``auto`` takes CUDA where there is some.
    """

    def __init__(
        self, model: BeatLSTM, *, version: str, temperature: float = 1.0, device: str = "auto"
    ) -> None:
        self.device = choose_device(device)
        self.version = version
        self.hidden = model.size.hidden
        self._model = model.to(self.device).eval()
        self._temperature = temperature

    def blank_memory(self, n: int) -> NDArray[np.float32]:
        """Return the memory of ``n`` patients without beats: h and c, shape (n, 2, hidden)."""
        return np.zeros((n, 2, self.hidden), dtype=np.float32)

    @torch.inference_mode()
    def judge(
        self,
        slots: NDArray[np.int64],
        windows: NDArray[np.float32],
        contexts: NDArray[np.float32],
        memory: NDArray[np.float32],
    ) -> NDArray[np.float32]:
        """Judge beats; those of one patient in their order.

        Parameters
        ----------
        slots : ndarray of int, shape (n_beats,)
            Each beat's row of ``memory``.
        windows : ndarray, shape (n_beats, CHANNELS, WINDOW)
        contexts : ndarray, shape (n_beats, N_CONTEXT)
        memory : ndarray, shape (n_slots, 2, hidden)
            Changed.

        Returns
        -------
        ndarray, shape (n_beats, len(OUTPUTS))
            Calibrated probabilities.
        """
        probabilities = np.empty((len(slots), len(OUTPUTS)), dtype=np.float32)
        beats = np.empty((len(slots), self._model.size.beat), dtype=np.float32)
        for rows in _batches(np.arange(len(slots))):
            encoded = self._model.encode(self._pad(windows, rows), self._pad(contexts, rows))
            beats[rows] = encoded[: len(rows)].cpu().numpy()
        for turn in _turns(slots):
            for rows in _batches(turn):
                self._remember(slots[rows], rows, beats, memory, probabilities)
        return probabilities

    def _remember(
        self,
        slots: NDArray[np.int64],
        rows: NDArray[np.int64],
        beats: NDArray[np.float32],
        memory: NDArray[np.float32],
        probabilities: NDArray[np.float32],
    ) -> None:
        before = self._pad(memory, slots)  # (batch, 2, hidden)
        state = (before[None, :, 0].contiguous(), before[None, :, 1].contiguous())
        logits, (h, c) = self._model.remember(self._pad(beats, rows)[:, None], state)
        p = torch.softmax(logits[:, 0] / self._temperature, dim=-1)
        probabilities[rows] = p[: len(rows)].cpu().numpy()
        memory[slots, 0] = h[0, : len(rows)].cpu().numpy()
        memory[slots, 1] = c[0, : len(rows)].cpu().numpy()

    def _pad(self, values: NDArray[np.float32], rows: NDArray[np.int64]) -> torch.Tensor:
        """Copy ``rows`` into a batch of the next fixed size."""
        size = next(batch for batch in BATCHES if len(rows) <= batch)
        batch = np.zeros((size, *values.shape[1:]), dtype=np.float32)
        batch[: len(rows)] = values[rows]
        return torch.from_numpy(batch).to(self.device)


def choose_device(name: str) -> torch.device:
    """Return the device to run on.

    Raises
    ------
    ValueError
        If ``name`` is none of auto, cpu, cuda, or CUDA is asked for and absent.
    """
    if name not in ("auto", "cpu", "cuda"):
        raise ValueError(f"device must be auto, cpu or cuda, got {name!r}")
    if name == "cuda" and not torch.cuda.is_available():
        raise ValueError("device cuda was asked for, but torch sees no CUDA: use auto or cpu")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def _batches(rows: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Cut rows into batches that fit a fixed size with little padding."""
    small, large = BATCHES
    cuts = list(range(0, len(rows), large if len(rows) > large // 2 else small))
    return [rows[a:b] for a, b in zip(cuts, [*cuts[1:], len(rows)], strict=True)]


def _turns(slots: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Return rows such that turn k holds the k-th beat of every slot.

    Examples
    --------
    >>> [turn.tolist() for turn in _turns(np.array([4, 4, 7, 4]))]
    [[0, 2], [1], [3]]
    """
    if len(slots) == 0:
        return []
    order = np.argsort(slots, kind="stable")
    ordered = slots[order]
    first = np.searchsorted(ordered, ordered, side="left")
    nth = np.arange(len(slots)) - first
    return [np.sort(order[nth == k]) for k in range(int(nth.max()) + 1)]

"""The models' turn: beats and seconds of many patients in padded batches.

Each patient has an LSTM memory for beats and one for the rhythm. The models run
only in batches of a few fixed sizes: rows of such batches are the same bits
whatever else is in them, which rows of batches of any size are not. A patient's
probabilities therefore never depend on company or chunks.
"""

import logging
import time
from collections.abc import Callable, Mapping
from math import inf
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray

from ecg.device import bring, choose_device, describe, one_thread, recorded
from ecg.features import CHANNELS, N_CONTEXT
from ecg.finding import RHYTHMS
from ecg.model import OUTPUTS, BeatEnsemble, BeatLSTM, RhythmLSTM
from ecg.rhythm import N_DESCRIPTORS
from ecg.state import WINDOW

logger = logging.getLogger(__name__)

_GRAIN = 16
BATCHES = tuple(range(32, 1025, _GRAIN))
"""Rows a batch may have; smaller work is padded."""
_OVERHEAD_ROWS = 100.0
"""What a batch costs beside its rows, in rows, as long as nothing has been measured."""
_MEASURED = 4
"""Times each size is tried; the shortest counts, since others' work only ever adds."""


class Judge:
    """The models at work on one device.

    Parameters
    ----------
    beats : BeatEnsemble
        Judges beats; its weights are loaded.
    rhythm : RhythmLSTM
        Judges seconds; likewise.
    version : str
        Goes with every finding.
    temperature : float
        Beat logits are divided by it, so that probabilities are calibrated.
    device : {"auto", "cpu", "cuda"}
        ``auto`` takes CUDA where there is some.
    """

    def __init__(
        self,
        beats: BeatEnsemble,
        rhythm: RhythmLSTM,
        *,
        version: str,
        temperature: float = 1.0,
        device: str = "auto",
    ) -> None:
        self.device = choose_device(device)
        self.version = version
        self._beat_width, self._memory_width = beats.beat, beats.hidden
        self.hidden = beats.hidden + rhythm.hidden
        """Width of a patient's memory: the beats' part first, then the rhythm's."""
        # one alone has nobody to be joined with
        alone = len(beats.members) == 1
        network = cast(BeatLSTM, beats.members[0]) if alone else beats
        network, rhythm = network.to(self.device).eval(), rhythm.to(self.device).eval()
        self._encode = recorded(network.encode, self.device)
        self._beat_step = recorded(network.remember, self.device)
        self._second_step = recorded(rhythm.forward, self.device)
        self._temperature = temperature
        self._use({size: _OVERHEAD_ROWS + size for size in BATCHES})

    @torch.inference_mode()
    def choose_batches(self) -> None:
        """Measure what batches of each size cost here, and cut work into the cheapest from now on.

        On one thread, as the role has it. A size whose rows are not the same bits as those of the
        smallest is not used again.
        """
        logger.info("the models run %s", describe(self.device))
        with one_thread():
            self._use(self._costs())

    def _costs(self) -> dict[int, float]:
        rng = np.random.default_rng(0)
        n = max(BATCHES)
        windows = rng.normal(size=(n, CHANNELS, WINDOW)).astype(np.float32)
        contexts = rng.normal(size=(n, N_CONTEXT)).astype(np.float32)
        descriptors = rng.normal(size=(n, N_DESCRIPTORS)).astype(np.float32)
        rows, least = np.arange(n), min(BATCHES)
        costs = dict.fromkeys(BATCHES, inf)
        first: NDArray[np.float32] | None = None
        # all sizes in each round: what disturbs for a while then spoils one try of many sizes,
        # and not all tries of one
        for size in BATCHES * _MEASURED:
            self._use({size: 1.0})
            memory = np.zeros((size, 2, self.hidden), np.float32)
            began = time.perf_counter()
            found = self.judge_beats(rows[:size], windows[:size], contexts[:size], memory)
            took = time.perf_counter() - began
            # held to be the same bits, too, and recorded by a GPU before a patient comes
            rhythm = self.judge_seconds(rows[:size], descriptors[:size], memory)
            whole = (found[:least], rhythm[:least], memory[:least].reshape(least, -1))
            seen = np.concatenate(whole, axis=1)
            first = seen if first is None else first
            if size > least and not np.array_equal(seen, first):
                costs.pop(size, None)
            elif size in costs:
                costs[size] = min(took, costs[size])
        logger.debug("batches cost, in s: %s", costs)
        return costs

    @torch.inference_mode()
    def judge_beats(
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
            h and c of every patient; changed.

        Returns
        -------
        ndarray, shape (n_beats, len(OUTPUTS))
            Calibrated probabilities.
        """
        encoded = np.empty((len(slots), self._beat_width), dtype=np.float32)
        for rows in self._slices(len(slots)):
            out = self._encode(self._pad(windows[rows]), self._pad(contexts[rows]))
            encoded[rows] = out[: rows.stop - rows.start].cpu().numpy()
        part = memory[:, :, : self._memory_width]
        logits = self._recall(self._beat_step, slots, encoded, part, len(OUTPUTS))
        return self._shares(logits, self._temperature)

    @torch.inference_mode()
    def judge_seconds(
        self,
        slots: NDArray[np.int64],
        descriptors: NDArray[np.float32],
        memory: NDArray[np.float32],
    ) -> NDArray[np.float32]:
        """Judge seconds of rhythm; those of one patient in their order.

        Parameters
        ----------
        slots : ndarray of int, shape (n_seconds,)
            Each second's row of ``memory``.
        descriptors : ndarray, shape (n_seconds, N_DESCRIPTORS)
        memory : ndarray, shape (n_slots, 2, hidden)
            Changed.

        Returns
        -------
        ndarray, shape (n_seconds, len(RHYTHMS))
            Probabilities.
        """
        part = memory[:, :, self._memory_width :]
        return self._shares(
            self._recall(self._second_step, slots, descriptors, part, len(RHYTHMS)), 1.0
        )

    def _recall(
        self,
        step: Callable[
            [torch.Tensor, tuple[torch.Tensor, torch.Tensor]],
            tuple[torch.Tensor, tuple[torch.Tensor, torch.Tensor]],
        ],
        slots: NDArray[np.int64],
        inputs: NDArray[np.float32],
        memory: NDArray[np.float32],
        n_outputs: int,
    ) -> NDArray[np.float32]:
        """Take one LSTM step for each input, a patient's own one after the other."""
        logits = np.empty((len(slots), n_outputs), dtype=np.float32)
        hs, cs = torch.from_numpy(memory).unbind(1)
        for turn in _turns(slots):
            for part in self._slices(len(turn)):
                rows = turn[part]
                n = len(rows)
                whose = torch.from_numpy(slots[rows])
                # rows that fill the batch up get somebody's memory, and nobody their result
                all_rows = torch.nn.functional.pad(whose, (0, self._size(n) - n))
                h, c = (bring(of.index_select(0, all_rows)[None], self.device) for of in (hs, cs))
                out, (h, c) = step(self._pad(inputs[rows])[:, None], (h, c))
                logits[rows] = out[:n, 0].cpu().numpy()
                hs.index_copy_(0, whose, h[0, :n].cpu())
                cs.index_copy_(0, whose, c[0, :n].cpu())
        return logits

    def _shares(self, logits: NDArray[np.float32], temperature: float) -> NDArray[np.float32]:
        # a row's softmax is worked out alone, so that no batch of a fixed size is needed
        shares: NDArray[np.float32] = torch.softmax(
            torch.from_numpy(logits) / temperature, dim=-1
        ).numpy()
        return shares

    def _use(self, costs: Mapping[int, float]) -> None:
        """Cut work into batches of these sizes, so that their costs are least together."""
        self._sizes = sorted(costs)
        self._cuts = _cuts(costs)

    def _slices(self, n: int) -> list[slice]:
        """Cut ``n`` rows into batches that fit a fixed size; the last may want padding."""
        slices, start = [], 0
        while start < n:
            filled = -(-(n - start) // _GRAIN)
            stop = min(start + self._cuts[min(filled, len(self._cuts) - 1)], n)
            slices.append(slice(start, stop))
            start = stop
        return slices

    def _size(self, n: int) -> int:
        """Return the fixed size that a batch of ``n`` rows gets."""
        return next(batch for batch in self._sizes if n <= batch)

    def _pad(self, rows: NDArray[np.float32]) -> torch.Tensor:
        """Bring rows to the device as a batch of the next fixed size, which the last ones need."""
        n, size = len(rows), self._size(len(rows))
        if n < size:
            batch = np.empty((size, *rows.shape[1:]), dtype=np.float32)
            batch[:n], batch[n:] = rows, 0.0
            rows = batch
        return bring(torch.from_numpy(rows), self.device)


def _cuts(costs: Mapping[int, float]) -> list[int]:
    """Return which size to cut off first, by how many times 16 rows there are.

    Examples
    --------
    >>> _cuts({32: 3.0, 64: 4.0, 96: 6.0})
    [0, 32, 32, 64, 64, 96, 96]
    """
    cuts, least = [0], [0.0]
    for filled in range(1, max(costs) // _GRAIN + 1):
        cost, size = min(
            (cost + least[max(filled - size // _GRAIN, 0)], size) for size, cost in costs.items()
        )
        cuts.append(size)
        least.append(cost)
    return cuts


def _turns(slots: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Return rows such that turn k holds the k-th beat of every slot.

    Examples
    --------
    >>> [turn.tolist() for turn in _turns(np.array([4, 4, 7, 4]))]
    [[0, 2], [1], [3]]
    """
    if len(set(slots.tolist())) == len(slots):  # as in nearly every tick
        return [np.arange(len(slots))] if len(slots) else []
    order = np.argsort(slots, kind="stable")
    ordered = slots[order]
    first = np.searchsorted(ordered, ordered, side="left")
    nth = np.arange(len(slots)) - first
    return [np.sort(order[nth == k]) for k in range(int(nth.max()) + 1)]

"""One call of the kernel: room for what may come, and only what came handed back."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecg import kernel
from ecg.features import CHANNELS, N_CONTEXT
from ecg.filters import Resampler
from ecg.state import WINDOW

DECIDE_S = 2.0
"""A beat is decided at most this long after its R peak, in s."""

_KEPT = 8192
"""Beats of one call up to which its room is kept, 16 MB: what 20,000 patients have in 250 ms."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tick:
    """What one call of the kernel found.

    Parameters
    ----------
    beats : ndarray of kernel.BEAT, shape (n_beats,)
        Beats that can be judged.
    windows : ndarray, shape (n_beats, CHANNELS, WINDOW)
        Their windows.
    contexts : ndarray, shape (n_beats, N_CONTEXT)
        Their contexts.
    seconds : ndarray of kernel.SECOND, shape (n_seconds,)
        Whole seconds that ended.
    """

    beats: NDArray[np.void]
    windows: NDArray[np.float32]
    contexts: NDArray[np.float32]
    seconds: NDArray[np.void]


class Room:
    """What the kernel writes into, kept from call to call.

    Fresh memory costs a page fault every second beat, which takes longer than finding one.
    """

    def __init__(self) -> None:
        self.make(0)

    def make(self, n: int) -> None:
        """Set aside room for ``n`` beats and seconds; it takes memory where it is written."""
        self.beats: NDArray[np.void] = np.empty(n, kernel.BEAT)
        self.windows = np.empty((n, CHANNELS, WINDOW), np.float32)
        self.contexts = np.empty((n, N_CONTEXT), np.float32)
        self.seconds: NDArray[np.void] = np.empty(n, kernel.SECOND)

    def __len__(self) -> int:
        """Return for how many beats there is room."""
        return len(self.beats)


class Batch:
    """Samples that wait to be taken, of rows of state that share rate and columns.

    Parameters
    ----------
    design : Resampler
        Of the rate.
    slots : list of int, optional
        Rows of state, in the order of their samples; one may come more than once.
    blocks : list of ndarray of int16, shape (n_samples, n_columns), optional
        Samples of each.
    """

    __slots__ = ("blocks", "design", "slots")

    def __init__(
        self,
        design: Resampler,
        *,
        slots: list[int] | None = None,
        blocks: list[NDArray[np.int16]] | None = None,
    ) -> None:
        self.design = design
        self.slots: list[int] = [] if slots is None else slots
        self.blocks: list[NDArray[np.int16]] = [] if blocks is None else blocks


def advance(states: NDArray[np.void], batch: Batch, room: Room | None = None) -> Tick:
    """Advance rows of state by their new samples.

    Parameters
    ----------
    states : ndarray of PATIENT, shape (n_slots,)
        All states; those of ``batch`` are changed.
    batch : Batch
        The samples.
    room : Room, optional
        Where the result lies: it holds until the next call with the same.
    """
    design, blocks = batch.design, batch.blocks
    room = Room() if room is None else room
    slots = np.array(batch.slots, np.int64)
    ends = np.cumsum(np.fromiter(map(len, blocks), np.int64, len(blocks)))
    # every beat needs 0.2 s and every status 1 s; some may have waited
    need = int(ends[-1] / design.fs * 5) + 16 * len(blocks)
    if len(room) < need:
        room.make(need)
    beats, windows, contexts, seconds = room.beats, room.windows, room.contexts, room.seconds
    n_beats, n_seconds = kernel.advance(
        states,
        slots,
        ends,
        _joined(blocks),
        design.fs,
        design.step,
        design.unit,
        design.half,
        decide_within(design),
        design.taps,
        beats,
        windows,
        contexts,
        seconds,
    )
    if n_beats > _KEPT:
        room.make(0)  # the result keeps what it lies in, and nobody else does
    return Tick(
        beats=beats[:n_beats],
        windows=windows[:n_beats],
        contexts=contexts[:n_beats],
        seconds=seconds[:n_seconds],
    )


def drain(states: NDArray[np.void], slot: int, decided: int, design: Resampler) -> Tick:
    """Let go of the beats of a row that still wait, because their signal ends at ``decided``."""
    room = states[slot]["pending_n"]
    beats = np.zeros(room, kernel.BEAT)
    windows = np.empty((room, CHANNELS, WINDOW), np.float32)
    contexts = np.empty((room, N_CONTEXT), np.float32)
    kernel.drain(states, slot, decided, design.step, design.unit, beats, windows, contexts)
    return Tick(beats=beats, windows=windows, contexts=contexts, seconds=np.zeros(0, kernel.SECOND))


def decide_within(design: Resampler) -> int:
    """Return after how many engine samples a beat is judged without a next one.

    What the resampler waits for counts in the 2.0 s.
    """
    return int((DECIDE_S * design.fs - design.half - 1) * design.unit // design.step)


def _joined(blocks: list[NDArray[np.int16]]) -> NDArray[np.int16]:
    """Return blocks one after the other, row by row: of each order the kernel is compiled anew."""
    buffers: list[Any] = blocks  # which arrays are, though their types do not say so
    try:
        # bytes know nothing of shapes and types, and are joined in a third of the time
        whole = b"".join(buffers)
    except TypeError:  # a block that does not lie in memory row by row
        whole = b"".join(block.tobytes() for block in blocks)
    return np.frombuffer(whole, np.int16).reshape(-1, blocks[0].shape[1])

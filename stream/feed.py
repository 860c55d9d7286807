"""How replayed ECG is cut into messages."""

from dataclasses import dataclass
from math import ceil, floor

import numpy as np
from numpy.typing import NDArray

from stream.errors import SettingsError
from stream.source import MIN_CHUNK_MS, Source

MAX_CHUNK_MS = 1000
DEFAULT_CHUNK_MS = 250
"""The most that a waveform message holds, and the default, in ms of signal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """The samples of one message, and where they stand in the stream."""

    first_sample: int
    discontinuity: bool
    samples: NDArray[np.int16]

    @property
    def end_sample(self) -> int:
        """Sample number one past the last row."""
        return self.first_sample + int(self.samples.shape[0])


def chunk_samples(chunk_ms: int, fs: float) -> int:
    """Return how many samples a message of ``chunk_ms`` holds at ``fs``.

    The nearest whole number that lies within what readers accept.

    Raises
    ------
    SettingsError
        If ``chunk_ms`` is not within 50 to 1000.

    Examples
    --------
    >>> chunk_samples(250, 360.0), chunk_samples(50, 128.0), chunk_samples(1000, 128.0)
    (90, 7, 128)
    """
    if not MIN_CHUNK_MS <= chunk_ms <= MAX_CHUNK_MS:
        raise SettingsError(
            f"a chunk must be {MIN_CHUNK_MS} to {MAX_CHUNK_MS} ms, got {chunk_ms} ms"
        )
    fewest, most = ceil(fs * MIN_CHUNK_MS / 1000), floor(fs * MAX_CHUNK_MS / 1000)
    return min(max(round(fs * chunk_ms / 1000), fewest), most)


class Feed:
    """The place in a source that has been reached; gives the next piece.

    Every sample of every pass is in exactly one piece. The sample number goes
    on when the source starts again, and that first piece carries
    ``discontinuity``.

    Parameters
    ----------
    source : Source
        What is sent.
    chunk_ms : int
        Length of a piece, 50 to 1000 ms. The last of a pass is longer or the
        last two are shorter, so that none is below 50 ms.
    loop : bool
        Start again at the end.

    Examples
    --------
    >>> from stream.messages import Signal
    >>> signal = Signal(name="II", kind="ecg", unit="mV", gain=200.0, baseline=0)
    >>> samples = np.arange(200, dtype=np.int16)[:, np.newaxis]
    >>> feed = Feed(
    ...     Source(patient="p", label="", fs=100.0, signals=(signal,), samples=samples),
    ...     chunk_ms=1000, loop=True)
    >>> [(p.first_sample, p.end_sample, p.discontinuity) for p in (feed.take() for _ in range(3))]
    [(0, 100, False), (100, 200, False), (200, 300, True)]
    """

    def __init__(self, source: Source, *, chunk_ms: int, loop: bool) -> None:
        self.source = source
        self.position = 0
        """Sample number of the next piece."""
        self.loops = loop
        self._length = chunk_samples(chunk_ms, source.fs)
        self._at = 0  # row of the source
        self._spliced = False  # the next piece sent does not continue the one sent before

    @property
    def done(self) -> bool:
        """Whether everything has been taken."""
        return self._at == self.source.n_samples and not self.loops

    @property
    def end(self) -> int:
        """Sample number one past the next piece: it is due when that much time has passed."""
        if self._at == self.source.n_samples and self.loops:
            return self.position + self._next_length(0)
        return self.position + self._next_length(self._at)

    def _next_length(self, at: int) -> int:
        left = self.source.n_samples - at
        rest = left - self._length
        fewest = ceil(self.source.fs * MIN_CHUNK_MS / 1000)
        if rest <= 0:
            return left
        if rest >= fewest:
            return self._length
        if left <= floor(self.source.fs * MAX_CHUNK_MS / 1000):
            return left
        return left // 2

    def take(self) -> Piece:
        """Return the next piece and go on.

        Raises
        ------
        IndexError
            If everything has been taken.
        """
        if self.done:
            raise IndexError(f"all samples of {self.source.patient} have been taken")
        if self._at == self.source.n_samples:
            self._at = 0
            self._spliced = True
        length = self._next_length(self._at)
        piece = Piece(
            first_sample=self.position,
            discontinuity=self._spliced,
            samples=self.source.samples[self._at : self._at + length],
        )
        self._at += length
        self.position += length
        self._spliced = False
        return piece

    def lose(self, piece: Piece) -> None:
        """Say that the piece just taken was not sent: its sample numbers stay out.

        A splice within it is told by the next piece.
        """
        self._spliced = self._spliced or piece.discontinuity

"""From waveform messages to chunks: samples are looked at where they stand, and little is copied.

A source sends the same lead names, gains and units with every chunk. They are
checked in full when they come first or change; after that only what moves on is
read, and the rest is compared as bytes.
"""

from dataclasses import dataclass
from typing import Literal

import msgspec
import numpy as np

from ecg.chunk import LAST_SAMPLE, Chunk
from ecg.errors import ChunkError
from stream.messages import Nanoseconds, Position, Signal, Waveform

_ADU_PER_MV = {"mv": 1.0, "uv": 1e3, "µv": 1e3, "μv": 1e3, "v": 1e-3}
"""What a gain in ADU per unit is multiplied by."""
_INT16 = np.dtype("<i2")

LONGEST_S = 10.0
"""Signal in a message at most: what ``score`` takes of a patient in a tick is answered by one
message, which must fit into what a broker takes."""


def adu_per_mv(signal: Signal) -> float | None:
    """Return a lead's gain in ADU per mV; None where its unit is no voltage.

    Examples
    --------
    >>> adu_per_mv(Signal(name="II", kind="ecg", unit="uV", gain=0.2, baseline=0))
    200.0
    """
    factor = _ADU_PER_MV.get(signal.unit.casefold())
    return None if factor is None else signal.gain * factor


def chunk_of(message: Waveform) -> Chunk:
    """Return the ECG leads of a waveform, with gains in ADU per mV.

    Raises
    ------
    ChunkError
        If there is no ECG lead, its unit is no voltage, or the message is longer
        than ``LONGEST_S``.
    """
    samples = message.array()
    n_samples = len(samples)
    if n_samples > LONGEST_S * message.fs:
        raise ChunkError(
            f"a message must hold at most {LONGEST_S:g} s of signal, got {n_samples} samples at "
            f"{message.fs:g} Hz; cut it into several"
        )
    columns = _ecg_columns(message)
    if not columns:
        kinds = ", ".join(sorted({signal.kind for signal in message.signals}))
        raise ChunkError(f"at least one signal must be of kind ecg, got only {kinds}")
    signals = [message.signals[i] for i in columns]
    gains = []
    for signal in signals:
        gain = adu_per_mv(signal)
        if gain is None:
            raise ChunkError(
                f"the unit of lead {signal.name} must be mV, uV or V, got {signal.unit!r}"
            )
        gains.append(gain)
    return Chunk(
        patient=message.patient,
        stream=message.stream,
        first_sample=message.first_sample,
        fs=message.fs,
        leads=tuple(signal.name for signal in signals),
        # a selection of columns lies column by column: for that the signal path is not compiled
        samples=np.ascontiguousarray(samples[:, columns], dtype=np.int16),
        gain=tuple(gains),
        baseline=tuple(signal.baseline for signal in signals),
        discontinuity=message.discontinuity,
        source_ns=message.source_ns,
        sent_ns=message.sent_ns,
    )


def _ecg_columns(message: Waveform) -> list[int]:
    return [i for i, signal in enumerate(message.signals) if signal.kind == "ecg"]


class Head(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A waveform whose signals are not looked into and whose samples are not copied."""

    version: Literal[1] = 1
    patient: str
    stream: str
    first_sample: Position
    fs: float
    source_ns: Nanoseconds
    sent_ns: Nanoseconds
    discontinuity: bool = False
    signals: msgspec.Raw
    samples: memoryview


_head = msgspec.msgpack.Decoder(Head)


def head_of(value: bytes) -> Head | None:
    """Return the head of a waveform; None for bytes that are none, whatever is wrong with them."""
    try:
        return _head.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What all chunks of a stream have in common, once it has been checked."""

    signals: bytes
    n_signals: int
    columns: tuple[int, ...] | None
    """Those with ECG; None for all."""
    last: Chunk

    @classmethod
    def of(cls, value: bytes, message: Waveform, chunk: Chunk) -> "Known | None":
        """Remember a message that was found to be right, and the chunk that it gave."""
        head = head_of(value)
        if head is None:
            return None
        columns = tuple(_ecg_columns(message))
        return cls(
            signals=bytes(head.signals),
            n_signals=len(message.signals),
            columns=None if len(columns) == len(message.signals) else columns,
            last=chunk,
        )

    def chunk(self, value: bytes) -> Chunk | None:
        """Return the chunk in a message; None if it has to be looked at in full."""
        head = head_of(value)
        last = self.last
        if (
            head is None
            or head.patient != last.patient
            or head.stream != last.stream
            or head.fs != last.fs
            or bytes(head.signals) != self.signals
        ):
            return None
        n_samples, rest = divmod(len(head.samples), 2 * self.n_signals)
        if rest or n_samples > LONGEST_S * head.fs or head.first_sample >= LAST_SAMPLE - n_samples:
            return None
        samples = np.ndarray((n_samples, self.n_signals), _INT16, head.samples)
        if self.columns is not None:
            samples = np.ascontiguousarray(samples[:, self.columns])
        return last.followed_by(
            samples,
            first_sample=head.first_sample,
            discontinuity=head.discontinuity,
            source_ns=head.source_ns,
            sent_ns=head.sent_ns,
        )

"""Messages to bytes and back: waveforms are MessagePack, everything else is JSON."""

from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from stream.errors import DecodeError
from stream.messages import (
    VERSION,
    ActionMessage,
    AlarmMessage,
    AlarmState,
    DeadLetter,
    EpochMessage,
    FindingsMessage,
    PatientMessage,
    RoleMessage,
    ScoreState,
    Signal,
    TrendMessage,
    Waveform,
)

T = TypeVar("T", bound=msgspec.Struct)

_pack = msgspec.msgpack.Encoder()
_json = msgspec.json.Encoder()
_waveform = msgspec.msgpack.Decoder(Waveform)
_decoders: dict[type, msgspec.json.Decoder[Any]] = {
    kind: msgspec.json.Decoder(kind)
    for kind in (
        FindingsMessage,
        AlarmMessage,
        ActionMessage,
        PatientMessage,
        TrendMessage,
        RoleMessage,
        EpochMessage,
        ScoreState,
        AlarmState,
        DeadLetter,
    )
}


def encode_waveform(message: Waveform) -> bytes:
    """Return the MessagePack bytes of a waveform."""
    return _pack.encode(message)


def decode_waveform(value: bytes) -> Waveform:
    """Return the waveform in ``value``.

    Raises
    ------
    DecodeError
        If the bytes are not a waveform of this version.
    """
    try:
        return _waveform.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DecodeError(f"not a waveform message of version {VERSION}: {error}") from error


def encode(message: msgspec.Struct) -> bytes:
    """Return the JSON bytes of any message but a waveform."""
    return _json.encode(message)


def decode(value: bytes, kind: type[T]) -> T:
    """Return the JSON message of type ``kind`` in ``value``.

    Raises
    ------
    DecodeError
        If the bytes are not such a message.
    """
    try:
        decoded: T = _decoders[kind].decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DecodeError(f"not a {kind.__name__}: {error}") from error
    return decoded


def headers_of(message: Waveform) -> list[tuple[str, bytes]]:
    """Return the Kafka headers by which a reader skips a waveform without decoding it."""
    return [
        ("patient", message.patient.encode()),
        ("stream", message.stream.encode()),
        ("first_sample", str(message.first_sample).encode()),
    ]


def pack_samples(samples: NDArray[np.int16], signals: Sequence[Signal]) -> bytes:
    """Return samples of shape (n_samples, n_signals) as the bytes of a waveform.

    Raises
    ------
    ValueError
        If the columns are not as many as the signals.
    """
    if samples.ndim != 2 or samples.shape[1] != len(signals):
        raise ValueError(f"{len(signals)} signals, but samples of shape {samples.shape}")
    return np.ascontiguousarray(samples, dtype="<i2").tobytes()

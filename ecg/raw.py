"""Signals as wfdb reads them from files, checked against what their headers say.

wfdb itself checks little: an array of the wrong length is its only complaint.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import wfdb
import wfdb.io.convert.edf
from numpy.typing import NDArray

from ecg.errors import RecordError

# what wfdb stores for "no value here", by format
_INVALID = {
    **dict.fromkeys(("80", "508"), -(1 << 7)),
    **dict.fromkeys(("310", "311"), -(1 << 9)),
    "212": -(1 << 11),
    **dict.fromkeys(("16", "61", "160", "516"), -(1 << 15)),
    **dict.fromkeys(("24", "524"), -(1 << 23)),
    "32": -(1 << 31),
}
_STUMBLES = (
    ValueError,
    IndexError,
    KeyError,
    TypeError,
    AttributeError,
    OSError,
    MemoryError,  # a length that no memory holds
    OverflowError,
    RecursionError,  # a segment that is its own record
)
# bytes a sample, by format; the compressed formats have no fixed size
_SAMPLE_BYTES = {
    **dict.fromkeys(("8", "80"), 1.0),
    **dict.fromkeys(("310", "311"), 4 / 3),
    "212": 1.5,
    **dict.fromkeys(("16", "61", "160"), 2.0),
    "24": 3.0,
    "32": 4.0,
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RawSignal:
    """One signal as wfdb gives it: digital values, or physical ones (``gain`` None)."""

    name: str
    unit: str
    fs: float
    values: NDArray[np.float64] | NDArray[np.int64]
    missing: NDArray[np.bool_]
    gain: float | None
    baseline: int


def read_wfdb(path: Path) -> list[RawSignal]:
    """Read the signals of a WFDB record, each at its own rate.

    Raises
    ------
    RecordError
        If it is not there, is not WFDB, or its header disagrees with its data.
    """
    header = path.with_name(f"{path.name}.hea")
    if not header.is_file():
        raise RecordError(f"no record {path}: there is no {header.name}; name a WFDB record")
    try:
        head = wfdb.rdheader(str(path))
        if not head.n_sig:
            raise RecordError(f"{header} announces no signal")
        physical = isinstance(head, wfdb.MultiRecord)
        found = wfdb.rdrecord(str(path), physical=physical, smooth_frames=False)
    except RecordError:
        raise
    except FileNotFoundError as error:
        missing = error.filename or error
        raise RecordError(f"record {path} is incomplete: {missing} is not there") from error
    # wfdb checks nothing: a damaged header or file surfaces as whatever it stumbles over
    except _STUMBLES as error:
        raise RecordError(
            f"record {path} cannot be read: it is not WFDB, or its header disagrees with its data "
            f"({error}); fetch it again"
        ) from error
    if physical:
        return _raw_physical(found)
    return _raw_digital(path, found)


def read_edf(path: Path) -> list[RawSignal]:
    """Read the signals of an EDF file, which must share one rate.

    Raises
    ------
    RecordError
        If it is not there, is not EDF, or holds signals of several rates.
    """
    if not path.is_file():
        raise RecordError(f"no record {path}: there is no such file")
    with path.open("rb") as file:
        head = file.read(256)
        start = head[:8]
        if start != b"0       ":
            raise RecordError(f"{path} is not EDF: it must start with '0       ', got {start!r}")
        try:
            n_signals = int(head[252:256])
            fields = file.read(256 * n_signals)
            labels = [fields[16 * i : 16 * i + 16].decode("latin-1") for i in range(n_signals)]
            counts = fields[216 * n_signals : 224 * n_signals]  # samples in a data record
            rates = {int(counts[8 * i : 8 * i + 8]) for i in range(n_signals)}
        except ValueError as error:
            raise RecordError(f"{path} cannot be read as EDF: {error}") from error
    if len(rates) > 1:
        # wfdb would average all signals down to the slowest, or stumble over annotations
        names = ", ".join(label.strip() for label in labels)
        raise RecordError(
            f"{path} holds signals of several rates, annotations included ({names}); "
            "save those of one rate alone"
        )
    try:
        found = wfdb.io.convert.edf.read_edf(str(path))
    # wfdb raises bare Exceptions for what it cannot read of EDF
    except Exception as error:
        raise RecordError(f"{path} cannot be read as EDF: {error}") from error
    found.e_p_signal = list(found.p_signal.T)
    return _raw_physical(found)


def _raw_digital(path: Path, found: Any) -> list[RawSignal]:
    signals = [np.asarray(signal, dtype=np.int64) for signal in found.e_d_signal]
    _check_lengths(path, found)
    # a signal with a skew comes shifted: its sum is of samples that are not among them
    sums = [None if skew else s for s, skew in zip(found.checksum, found.skew, strict=True)]
    _check_sums(path, sums, signals)
    raws = []
    for index, signal in enumerate(signals):
        invalid = _INVALID.get(found.fmt[index])
        absent = np.zeros(len(signal), dtype=bool) if invalid is None else signal == invalid
        raws.append(
            RawSignal(
                name=found.sig_name[index] or f"signal {index}",
                unit=found.units[index] or "mV",
                fs=float(found.fs) * int(found.samps_per_frame[index]),
                values=signal,
                missing=absent,
                gain=float(found.adc_gain[index]),
                baseline=int(found.baseline[index]),
            )
        )
    return raws


def _raw_physical(found: Any) -> list[RawSignal]:
    raws = []
    for index, signal in enumerate(found.e_p_signal):
        values = np.asarray(signal, dtype=np.float64)
        raws.append(
            RawSignal(
                name=found.sig_name[index] or f"signal {index}",
                unit=found.units[index] or "mV",
                fs=float(found.fs) * int(found.samps_per_frame[index]),
                values=values,
                missing=~np.isfinite(values),
                gain=None,
                baseline=0,
            )
        )
    return raws


def _check_lengths(path: Path, found: Any) -> None:
    """Refuse a file that is longer than the header says; wfdb refuses a shorter one."""
    for file in set(found.file_name):
        of_file = [i for i, name in enumerate(found.file_name) if name == file]
        fmt = found.fmt[of_file[0]]
        if fmt not in _SAMPLE_BYTES:
            continue
        frame = sum(int(found.samps_per_frame[i]) for i in of_file) * _SAMPLE_BYTES[fmt]
        expected = frame * found.sig_len + (found.byte_offset[of_file[0]] or 0)
        size = path.with_name(file).stat().st_size
        # the last bytes of packed formats may be padding
        if size - expected >= max(frame, 4):
            raise RecordError(
                f"record {path}: {file} is longer than its header says, expected "
                f"{expected:.0f} bytes, got {size}; fetch the record again"
            )


def _check_sums(path: Path, checksums: list[int | None], signals: list[NDArray[np.int64]]) -> None:
    # some writers (PhysioNet's challenge of 2017) put 0 for every sum they did not compute
    if not any(checksums):
        return
    for index, (expected, signal) in enumerate(zip(checksums, signals, strict=True)):
        if expected is None:
            continue
        found = int(signal.sum()) & 0xFFFF
        if found != expected & 0xFFFF:
            raise RecordError(
                f"record {path}: the header disagrees with the data, the checksum of signal "
                f"{index} must be {expected & 0xFFFF}, got {found}; fetch the record again"
            )

"""Records: ECGs on disk, read through wfdb into int16 samples as they are streamed.

What is kept exactly: digital values that fit int16 with their own gain in ADC
units per mV. What does not fit, or is not in mV, is rescaled to mV once, with
the gain that the record then states. Signals that are no ECG are kept apart.
"""

import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import wfdb
from numpy.typing import NDArray

from ecg.chunk import MISSING, Chunk, check_fs
from ecg.errors import LeadError, RecordError

logger = logging.getLogger(__name__)

RESCALED_GAIN = 1000.0
"""ADC units per mV of a lead that had to be rescaled: 1 uV, ten times finer than
the 10 uV that monitors ask of a recording, and +-32 mV fit."""

CHUNK_S = 0.25
"""Default duration of a chunk, in s."""

OtherKind = Literal["ppg", "abp", "resp"]

_MV_PER_UNIT = {"mv": 1.0, "uv": 1e-3, "µv": 1e-3, "μv": 1e-3, "v": 1e3, "nv": 1e-6}
_OTHER_NAMES: tuple[tuple[re.Pattern[str], OtherKind], ...] = (
    (re.compile(r"PLETH|PPG|SPO2"), "ppg"),
    (re.compile(r"\b(ABP|ART|BP|IBP|PAP|CVP|ICP|P[1-9])\b"), "abp"),
    (re.compile(r"RESP|IMPEDANCE"), "resp"),
)
_NO_ECG = re.compile(r"\b(EEG|EOG|EMG|ANNOTATIONS?|CO2|ST[0-9]?)\b")
# what wfdb stores for "no value here", by format
_INVALID = {
    **dict.fromkeys(("80", "508"), -(1 << 7)),
    **dict.fromkeys(("310", "311"), -(1 << 9)),
    "212": -(1 << 11),
    **dict.fromkeys(("16", "61", "160", "516"), -(1 << 15)),
    **dict.fromkeys(("24", "524"), -(1 << 23)),
    "32": -(1 << 31),
}
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
class OtherSignal:
    """A signal of a record that is no ECG; ``(adc - baseline) / gain`` is its value in ``unit``."""

    name: str
    kind: OtherKind
    unit: str
    fs: float
    samples: NDArray[np.int16]
    gain: float
    baseline: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Record:
    """An ECG record in memory.

    Parameters
    ----------
    name : str
        The record's name.
    fs : float
        Sampling frequency of the leads, in Hz.
    leads : tuple of str
        Lead names as in the header, one a column.
    samples : ndarray of int16, shape (n_samples, n_leads)
        ADC values; ``ecg.chunk.MISSING`` where there is none.
    gain : tuple of float
        ADC units per mV, one a lead.
    baseline : tuple of int
        ADC value of 0 mV, one a lead.
    others : tuple of OtherSignal
        Signals that are no ECG.
    """

    name: str
    fs: float
    leads: tuple[str, ...]
    samples: NDArray[np.int16]
    gain: tuple[float, ...]
    baseline: tuple[int, ...]
    others: tuple[OtherSignal, ...] = ()

    @property
    def n_samples(self) -> int:
        """Number of rows."""
        return int(self.samples.shape[0])

    @property
    def duration_s(self) -> float:
        """Length in s."""
        return self.n_samples / self.fs

    def column(self, lead: str) -> int:
        """Return the column of a lead.

        Raises
        ------
        LeadError
            If there is no such lead.
        """
        if lead not in self.leads:
            raise LeadError(f"record {self.name} has no lead {lead!r}, only {self.leads}")
        return self.leads.index(lead)

    def millivolts(self) -> NDArray[np.float64]:
        """Return the samples in mV, NaN where missing, shape (n_samples, n_leads)."""
        return to_millivolts(self.samples, gain=self.gain, baseline=self.baseline)

    def chunks(
        self,
        patient: str,
        stream: str,
        *,
        chunk_samples: int | None = None,
        duration_s: float = CHUNK_S,
        first_sample: int = 0,
    ) -> Iterator[Chunk]:
        """Yield the record as chunks; the last one is as long as what is left.

        Parameters
        ----------
        patient, stream : str
            What the chunks carry.
        chunk_samples : int, optional
            Samples a chunk; without it ``duration_s`` decides.
        duration_s : float
            Duration of a chunk, in s, rounded to a sample.
        first_sample : int
            Sample number in the stream of the record's first sample; not 0 where
            a replay loops, and then the first chunk says ``discontinuity``.

        Yields
        ------
        Chunk
            Consecutive and without overlap; together they are the record.

        Raises
        ------
        RecordError
            If a chunk would hold no sample.
        """
        step = max(1, round(duration_s * self.fs)) if chunk_samples is None else chunk_samples
        if step < 1:
            raise RecordError(f"a chunk needs at least one sample, got {step}")
        for start in range(0, self.n_samples, step):
            yield Chunk(
                patient=patient,
                stream=stream,
                first_sample=first_sample + start,
                fs=self.fs,
                leads=self.leads,
                samples=self.samples[start : start + step],
                gain=self.gain,
                baseline=self.baseline,
                discontinuity=start == 0 and first_sample > 0,
            )


def to_millivolts(
    samples: NDArray[np.int16], *, gain: Sequence[float], baseline: Sequence[int]
) -> NDArray[np.float64]:
    """Return ADC values in mV, NaN where missing, shape (n_samples, n_leads).

    Examples
    --------
    >>> to_millivolts(np.array([[1224], [-32768]], dtype=np.int16), gain=[200.0], baseline=[1024])
    array([[ 1.],
           [nan]])
    """
    millivolts: NDArray[np.float64] = samples.astype(np.float64)
    millivolts -= np.asarray(baseline, dtype=np.float64)
    millivolts /= np.asarray(gain, dtype=np.float64)
    millivolts[samples == MISSING] = np.nan
    return millivolts


def record_names(directory: str | Path) -> tuple[str, ...]:
    """Return the names of the records in a directory, sorted.

    They are those of its ``RECORDS`` file that are there, or else those that have a header.

    Raises
    ------
    RecordError
        If it is no directory, or holds no record.
    """
    directory = Path(directory)
    if not directory.is_dir():
        raise RecordError(f"{directory} is no directory; name one that holds WFDB records (*.hea)")
    names = {path.stem for path in directory.glob("*.hea")}
    listed = directory / "RECORDS"
    if listed.is_file():
        named = {line.strip() for line in listed.read_text(encoding="utf-8").splitlines()}
        names = {name for name in named if name and (directory / f"{name}.hea").is_file()} or names
    if not names:
        raise RecordError(
            f"{directory} holds no WFDB record (*.hea); `rhythmwatch records` downloads some"
        )
    return tuple(sorted(names))


def read_record(path: str | Path, *, leads: Sequence[str] | None = None) -> Record:
    """Read a WFDB record.

    Parameters
    ----------
    path : str or Path
        The record's path, with or without ``.hea``.
    leads : sequence of str, optional
        Keep only these leads, in this order; all of them without it.

    Returns
    -------
    Record
        Samples as they are streamed.

    Raises
    ------
    RecordError
        If it cannot be read, is not WFDB, or its header disagrees with its data.
    LeadError
        If it has no ECG lead, or not one that was asked for.
    RateError
        If its sampling frequency is not accepted.
    """
    path = Path(path)
    if path.suffix == ".hea":
        path = path.with_suffix("")
    found = _read(path)
    record = _assemble(path.name, found)
    if leads is None:
        return record
    columns = [record.column(lead) for lead in leads]
    return Record(
        name=record.name,
        fs=record.fs,
        leads=tuple(leads),
        samples=np.ascontiguousarray(record.samples[:, columns]),
        gain=tuple(record.gain[c] for c in columns),
        baseline=tuple(record.baseline[c] for c in columns),
        others=record.others,
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Raw:
    """One signal as wfdb gives it: digital values, or physical ones (``gain`` None)."""

    name: str
    unit: str
    fs: float
    values: NDArray[np.float64] | NDArray[np.int64]
    missing: NDArray[np.bool_]
    gain: float | None
    baseline: int


def _read(path: Path) -> list[_Raw]:
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
    except (ValueError, IndexError, KeyError, TypeError, AttributeError, OSError) as error:
        raise RecordError(
            f"record {path} cannot be read: it is not WFDB, or its header disagrees with its data "
            f"({error}); fetch it again"
        ) from error
    if physical:
        return _raw_physical(found)
    return _raw_digital(path, found)


def _raw_digital(path: Path, found: Any) -> list[_Raw]:
    signals = [np.asarray(signal, dtype=np.int64) for signal in found.e_d_signal]
    _check_lengths(path, found)
    _check_sums(path, found.checksum, signals)
    raws = []
    for index, signal in enumerate(signals):
        invalid = _INVALID.get(found.fmt[index])
        absent = np.zeros(len(signal), dtype=bool) if invalid is None else signal == invalid
        raws.append(
            _Raw(
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


def _raw_physical(found: Any) -> list[_Raw]:
    raws = []
    for index, signal in enumerate(found.e_p_signal):
        values = np.asarray(signal, dtype=np.float64)
        raws.append(
            _Raw(
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


def _assemble(name: str, raws: list[_Raw]) -> Record:
    ecgs = [raw for raw in raws if _is_ecg(raw)]
    if not ecgs:
        have = ", ".join(f"{raw.name} ({raw.unit})" for raw in raws)
        raise LeadError(f"record {name} has no ECG lead (a signal in mV, uV or V), only {have}")
    rates = {raw.fs for raw in ecgs}
    if len(rates) > 1:
        fs = max(rates)
        slow = [raw.name for raw in ecgs if raw.fs != fs]
        logger.warning("record=%s leads %s are not at %g Hz and left out", name, slow, fs)
        ecgs = [raw for raw in ecgs if raw.fs == fs]
    fs = check_fs(ecgs[0].fs)
    columns = [_to_int16(raw) for raw in ecgs]
    others = []
    for raw in raws:
        kind = _other_kind(raw.name)
        if kind is None:
            continue
        samples, gain, baseline = _to_int16(raw)
        others.append(
            OtherSignal(
                name=raw.name,
                kind=kind,
                unit=raw.unit,
                fs=raw.fs,
                samples=samples,
                gain=gain,
                baseline=baseline,
            )
        )
    return Record(
        name=name,
        fs=fs,
        leads=tuple(raw.name for raw in ecgs),
        samples=np.column_stack([samples for samples, _, _ in columns]),
        gain=tuple(gain for _, gain, _ in columns),
        baseline=tuple(baseline for _, _, baseline in columns),
        others=tuple(others),
    )


def _other_kind(name: str) -> OtherKind | None:
    upper = name.upper()
    return next((kind for pattern, kind in _OTHER_NAMES if pattern.search(upper)), None)


def _is_ecg(raw: _Raw) -> bool:
    in_volts = raw.unit.lower() in _MV_PER_UNIT
    return in_volts and _other_kind(raw.name) is None and not _NO_ECG.search(raw.name.upper())


def _to_int16(raw: _Raw) -> tuple[NDArray[np.int16], float, int]:
    """Return samples, gain and baseline; for a lead the gain is a mV's, else its unit's."""
    keep = ~raw.missing
    mv = _MV_PER_UNIT.get(raw.unit.lower())
    present = raw.values[keep]
    samples = np.full(len(raw.values), MISSING, dtype=np.int16)
    if raw.gain is not None and raw.gain > 0 and mv in (None, 1.0):
        fits = not len(present) or (present.min() > MISSING and present.max() <= np.iinfo("i2").max)
        if fits:
            samples[keep] = present.astype(np.int16)
            return samples, raw.gain, raw.baseline
    units = present.astype(np.float64)
    if raw.gain is not None:
        units = (units - raw.baseline) / raw.gain
    units = units * (mv or 1.0)
    largest = float(np.abs(units).max()) if len(units) else 0.0
    gain = RESCALED_GAIN if largest * RESCALED_GAIN <= np.iinfo("i2").max else 32_767 / largest
    samples[keep] = np.rint(units * gain).astype(np.int16)
    return samples, gain, 0

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
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ecg.chunk import MISSING, Chunk, check_fs
from ecg.errors import LeadError, RecordError
from ecg.raw import RawSignal, read_edf, read_wfdb

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

    They are those of its ``RECORDS`` file that are there, or else all that have a header,
    and EDF files, which keep their ``.edf``.

    Raises
    ------
    RecordError
        If it is no directory, or holds no record.
    """
    directory = Path(directory)
    if not directory.is_dir():
        raise RecordError(f"{directory} is no directory; name one that holds WFDB records (*.hea)")
    names = {path.stem for path in directory.glob("*.hea")}
    names |= {path.name for path in directory.glob("*.edf")}
    listed = directory / "RECORDS"
    if listed.is_file():
        named = {line.strip() for line in listed.read_text(encoding="utf-8").splitlines()}
        names = (names & named) or names
    if not names:
        raise RecordError(
            f"{directory} holds no WFDB record (*.hea) and no *.edf; some can be had with: "
            "rhythmwatch records download mitdb"
        )
    return tuple(sorted(names))


def read_record(path: str | Path, *, leads: Sequence[str] | None = None) -> Record:
    """Read a WFDB record, or an EDF file.

    Parameters
    ----------
    path : str or Path
        The record's path, with or without ``.hea``; an EDF file's with ``.edf``.
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
    found = read_edf(path) if path.suffix == ".edf" else read_wfdb(path)
    record = _assemble(path.stem if path.suffix == ".edf" else path.name, found)
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


def _assemble(name: str, raws: list[RawSignal]) -> Record:
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


def _is_ecg(raw: RawSignal) -> bool:
    in_volts = raw.unit.lower() in _MV_PER_UNIT
    return in_volts and _other_kind(raw.name) is None and not _NO_ECG.search(raw.name.upper())


def _to_int16(raw: RawSignal) -> tuple[NDArray[np.int16], float, int]:
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

"""Records on disk: read through wfdb into int16 samples as they are streamed.

What is kept exactly: digital values that fit int16 with their own gain in ADC
units per mV. What does not fit, is not in mV, or comes as physical values (EDF,
and records of several segments) is rescaled once, with the gain that the record
then states. Signals that are no ECG are kept apart.
"""

import logging
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecg.chunk import MISSING, check_fs
from ecg.errors import LeadError, RecordError
from ecg.raw import RawSignal, read_edf, read_wfdb
from ecg.record import OtherKind, OtherSignal, Record

logger = logging.getLogger(__name__)

RESCALED_GAIN = 1000.0
"""ADC units per mV of a lead that had to be rescaled: 1 uV, ten times finer than
the 10 uV that monitors ask of a recording, and +-32 mV fit."""

_MV_PER_UNIT = {"mv": 1.0, "uv": 1e-3, "µv": 1e-3, "μv": 1e-3, "v": 1e3, "nv": 1e-6}
_OTHER_NAMES: tuple[tuple[re.Pattern[str], OtherKind], ...] = (
    (re.compile(r"PLETH|PPG|SPO2"), "ppg"),
    (re.compile(r"\b(ABP|ART|BP|IBP|PAP|CVP|ICP|P[1-9])\b"), "abp"),
    (re.compile(r"RESP|IMPEDANCE"), "resp"),
)
_NO_ECG = re.compile(r"\b(EEG|EOG|EMG|ANNOTATIONS?|CO2|ST[0-9]?)\b")


def record_names(directory: str | Path) -> tuple[str, ...]:
    """Return the names of the records in a directory, sorted.

    They are those of its ``RECORDS`` file that are there, or else all that have a header,
    and EDF files, which keep their ``.edf``. Its subdirectories are not searched.

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
        named = {line.strip() for line in listed.read_text("utf-8", "replace").splitlines()}
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

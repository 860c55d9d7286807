"""QRS detectors side by side: ours from ``Monitor``, and those of other libraries.

Ours hears records as they would come live and decides within 2.0 s. The others hear one
lead, the one that ours likes best, and see the whole recording with all of its future.
"""

import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality import Said
from ecg.judge import Judge
from ecg.lead import choose_leads
from ecg.monitor import Monitor
from ecg.record import Record
from training.hearing import as_live

CHUNK_S = 1.0
"""Signal a chunk; what is found does not depend on it."""
FIRST_S = 30.0
"""Signal that a detector of others sees before its time is taken: what a library loads and compiles
at its first call is not its speed."""

Beats = NDArray[np.int64]
Report = Callable[[str], None]
"""Told the name of each record that is done."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Found:
    """What a detector found in some records.

    Parameters
    ----------
    beats : mapping of str to ndarray of int
        Sample numbers by record, in order.
    process_s : float
        Processor time that it took, of all its threads together.
    signal_s : float
        Length of the records.
    said : mapping of str to Said
        Second by second, of detectors that judge the signal; empty for the others.
    """

    beats: Mapping[str, Beats]
    process_s: float
    signal_s: float
    said: Mapping[str, Said]

    @property
    def x_realtime(self) -> float:
        """Seconds of signal for each second of one processor."""
        return self.signal_s / max(self.process_s, 1e-9)


Detector = Callable[[Mapping[str, Record], Report], Found]


def live(judge: Judge | None, *, one_lead: bool = False) -> Detector:
    """Return our detector: all records at a time in one monitor, chunk after chunk.

    Parameters
    ----------
    judge : Judge or None
        The model, which drops what it is sure is no beat; None for the detector alone.
    one_lead : bool
        Hear only the lead that the others hear.
    """

    def detect(records: Mapping[str, Record], report: Report) -> Found:
        if one_lead:
            records = {name: only(record, preferred(record)) for name, record in records.items()}
        monitor = Monitor(judge)
        beats: dict[str, list[int]] = {name: [] for name in records}
        reasons: dict[str, list[str | None]] = {name: [] for name in records}
        streams = {name: as_live(record, CHUNK_S) for name, record in records.items()}
        process_s = 0.0
        while streams:
            chunks = []
            for name, stream in list(streams.items()):
                if (chunk := next(stream, None)) is None:
                    del streams[name]
                    report(name)
                else:
                    chunks.append(chunk)
            began = time.process_time()
            heard = monitor.advance(chunks)
            process_s += time.process_time() - began
            for findings in heard:
                beats[findings.patient] += [beat.sample for beat in findings.beats]
                reasons[findings.patient] += [status.reason for status in findings.statuses]
        inside = {
            name: np.array(sorted(b for b in found if b < records[name].n_samples), np.int64)
            for name, found in beats.items()
        }
        said = {
            name: Said(
                fs=record.fs,
                reasons=tuple(reasons[name][: int(record.duration_s)]),
                beats=inside[name],
            )
            for name, record in records.items()
        }
        return Found(beats=inside, process_s=process_s, signal_s=_length_s(records), said=said)

    return detect


def offline(find: Callable[[NDArray[np.float64], float], Any]) -> Detector:
    """Return a detector that takes one lead in mV, whole, and its rate."""

    def found_in(signal: NDArray[np.float64], fs: float) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # NeuroKit2 announces changes of its own
            return find(signal, fs)

    def detect(records: Mapping[str, Record], report: Report) -> Found:
        beats: dict[str, Beats] = {}
        process_s = 0.0
        for place, (name, record) in enumerate(records.items()):
            signal = record.millivolts()[:, preferred(record)]
            if place == 0:
                found_in(signal[: round(FIRST_S * record.fs)], record.fs)
            began = time.process_time()
            found = found_in(signal, record.fs)
            process_s += time.process_time() - began
            beats[name] = np.unique(np.asarray(found, dtype=np.int64))
            report(name)
        return Found(beats=beats, process_s=process_s, signal_s=_length_s(records), said={})

    return detect


def sleepecg(signal: NDArray[np.float64], fs: float) -> Any:
    """Find beats with SleepECG."""
    from sleepecg.heartbeats import detect_heartbeats

    return detect_heartbeats(signal, fs)


def neurokit2(signal: NDArray[np.float64], fs: float) -> Any:
    """Find beats with NeuroKit2's own method, after its own cleaning."""
    import neurokit2

    rate = round(fs)
    clean = neurokit2.ecg_clean(signal, sampling_rate=rate)
    return neurokit2.ecg_peaks(clean, sampling_rate=rate)[1]["ECG_R_Peaks"]


def xqrs(signal: NDArray[np.float64], fs: float) -> Any:
    """Find beats with wfdb's XQRS."""
    from wfdb.processing import xqrs_detect

    return xqrs_detect(signal, fs, verbose=False)


def gqrs(signal: NDArray[np.float64], fs: float) -> Any:
    """Find beats with wfdb's port of GQRS."""
    from wfdb.processing import gqrs_detect

    return gqrs_detect(sig=signal, fs=fs)


_OTHERS: dict[str, tuple[str, Callable[[NDArray[np.float64], float], Any]]] = {
    "SleepECG": ("sleepecg", sleepecg),
    "NeuroKit2": ("neurokit2", neurokit2),
    "wfdb XQRS": ("wfdb", xqrs),
    "wfdb GQRS": ("wfdb", gqrs),
}
"""Library and function of each."""

OURS = ("RhythmWatch", "RhythmWatch, detector alone", "RhythmWatch, detector alone, one lead")


def detectors(judge: Judge | None) -> dict[str, Detector]:
    """Return the detectors that are installed by name; ours first."""
    ours = {
        OURS[0]: live(judge),
        OURS[1]: live(None),
        OURS[2]: live(None, one_lead=True),
    }
    if judge is None:
        del ours[OURS[0]]
    absent = not_installed()
    others = {name: find for name, (_, find) in _OTHERS.items() if name not in absent}
    return {**ours, **{name: offline(find) for name, find in others.items()}}


def not_installed() -> tuple[str, ...]:
    """Return the detectors of others whose library is not here."""
    return tuple(name for name, (library, _) in _OTHERS.items() if find_spec(library) is None)


def preferred(record: Record) -> int:
    """Return the column of the lead that is judged first."""
    return choose_leads(record.leads).columns[0]


def only(record: Record, column: int) -> Record:
    """Return a record with one of its leads."""
    return replace(
        record,
        leads=(record.leads[column],),
        samples=record.samples[:, [column]],
        gain=(record.gain[column],),
        baseline=(record.baseline[column],),
    )


def _length_s(records: Mapping[str, Record]) -> float:
    return sum(record.duration_s for record in records.values())

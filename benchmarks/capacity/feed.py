"""The input of every measurement: two leads at 360 Hz without an end, each patient elsewhere.

The records are those of MIT-BIH that models may learn from (DS1); where there
are no recordings it is simulated patients, and the report says so.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecg.chunk import Chunk
from ecg.reader import read_record
from ecg.simulator import Simulator
from training.split import DS1

FS = 360.0
SIMULATED_S = 1800.0
"""As long as recordings: the second in which one starts anew has no status."""
STREAM = "bench"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tape:
    """One recording; it starts again at its end."""

    leads: tuple[str, ...]
    gain: tuple[float, ...]
    baseline: tuple[int, ...]
    samples: NDArray[np.int16]
    """Shape (n_samples, n_leads); a whole number of seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """What patients send.

    Parameters
    ----------
    tapes : sequence of Tape
        Patient i hears number i modulo their number.
    what : str
        Where they come from, for people.
    """

    tapes: tuple[Tape, ...]
    what: str

    def tape(self, patient: int) -> Tape:
        """Return whose heart patient number ``patient`` has."""
        return self.tapes[patient % len(self.tapes)]

    def phase(self, patient: int, step: int) -> int:
        """Return the sample of the tape at which a patient starts, a multiple of ``step``.

        Patients of the same tape lie a golden section apart: no two beat together.
        """
        n_steps = len(self.tape(patient).samples) // step
        turn = patient // len(self.tapes) * 0.6180339887498949 % 1.0
        return int(turn * n_steps) * step

    def chunk(self, patient: int, first_sample: int, step: int, *, sent_ns: int = 0) -> Chunk:
        """Return the ``step`` samples of a patient from ``first_sample`` on."""
        tape = self.tape(patient)
        n = len(tape.samples) // step * step
        at = (self.phase(patient, step) + first_sample) % n
        return Chunk(
            patient=name_of(patient),
            stream=STREAM,
            first_sample=first_sample,
            fs=FS,
            leads=tape.leads,
            samples=tape.samples[at : at + step],
            gain=tape.gain,
            baseline=tape.baseline,
            discontinuity=at == 0 and first_sample > 0,
            sent_ns=sent_ns,
        )


def name_of(patient: int) -> str:
    """Return the id of patient number ``patient``.

    Examples
    --------
    >>> name_of(7)
    'p00007'
    """
    return f"p{patient:05d}"


def data_dir(data: Path | None = None) -> Path | None:
    """Return where MIT-BIH is: ``data``, else as RHYTHMWATCH_DATA says; None where it is not."""
    if data is None and (named := os.environ.get("RHYTHMWATCH_DATA")):
        data = Path(named)
    return data if data is not None and (data / "mitdb").is_dir() else None


def open_feed(data: Path | None = None, *, records: Sequence[str] = DS1) -> Feed:
    """Return recordings from ``data``, simulated patients without."""
    if data is None:
        return simulated()
    tapes = []
    for name in records:
        record = read_record(data / "mitdb" / name)
        whole = record.n_samples // round(FS) * round(FS)
        tapes.append(
            Tape(
                leads=record.leads,
                gain=record.gain,
                baseline=record.baseline,
                samples=np.ascontiguousarray(record.samples[:whole]),
            )
        )
    return Feed(tapes=tuple(tapes), what=f"{len(tapes)} records of MIT-BIH (DS1), looped")


def simulated(*, patients: int = 4, duration_s: float = SIMULATED_S) -> Feed:
    """Return simulated patients."""
    tapes = tuple(
        Tape(
            leads=("II", "V1"),
            gain=(1000.0, 1000.0),
            baseline=(0, 0),
            samples=Simulator(fs=FS, leads=("II", "V1"), seed=seed, then="loop").take(
                round(duration_s * FS)
            ),
        )
        for seed in range(patients)
    )
    return Feed(tapes=tapes, what=f"{patients} simulated patients, looped (no recordings here)")

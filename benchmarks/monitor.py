"""How many live patients one core carries: the whole of ``Monitor``, and a QRS detector as a peer.

The peer, wfdb's XQRS, looks at whole recordings with all of their future, finds
QRS complexes and nothing else; it is the detector that comes with the format.
"""

import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from wfdb.processing import XQRS

from ecg.checkpoint import load
from ecg.chunk import Chunk
from ecg.judge import Judge
from ecg.monitor import Monitor
from ecg.simulator import Simulator
from ecg.warm import warm_up

SIGNAL_S = 20.0
CHUNK_S = 0.25
FS = 250.0
REPEATS = 3
PATIENTS = (1, 16, 256)
PEER_PATIENTS = 16
"""Most patients for whom the peer is run: it is slow, and its time grows with their number."""

Measure = Callable[[NDArray[np.int16]], tuple[float, float | None]]
"""Takes everybody's signal; returns the whole time and the longest wait for a chunk, in s."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One measurement; times are the median of ``REPEATS``."""

    what: str
    patients: int
    wall_s: float
    times_real_time: float
    """Seconds of signal a second, all patients together: live patients that one core carries."""
    worst_chunk_ms: float | None
    """The longest wait for the findings of one chunk of everybody."""


def signals(n_patients: int) -> NDArray[np.int16]:
    """Return simulated ECG, shape (n_patients, n_samples, 2); eight patients differ."""
    n_samples = round(SIGNAL_S * FS)
    different = [
        Simulator(fs=FS, leads=("II", "V1"), seed=seed, then="loop").take(n_samples)
        for seed in range(min(8, n_patients))
    ]
    return np.stack([different[i % len(different)] for i in range(n_patients)])


def median_of(what: str, samples: NDArray[np.int16], measure: Measure) -> Row:
    """Measure several times and return the middle one by wall time."""
    found = sorted((measure(samples) for _ in range(REPEATS)), key=lambda one: one[0])
    wall_s, worst_s = found[REPEATS // 2]
    signal_s = samples.shape[0] * samples.shape[1] / FS
    return Row(
        what=what,
        patients=samples.shape[0],
        wall_s=wall_s,
        times_real_time=signal_s / wall_s,
        worst_chunk_ms=None if worst_s is None else worst_s * 1000,
    )


def monitored(samples: NDArray[np.int16], *, judge: Judge | None) -> tuple[float, float | None]:
    """Send everybody's chunks through a new monitor; return whole and worst time, in s."""
    monitor = Monitor(judge)
    step = round(CHUNK_S * FS)
    worst = whole = 0.0
    for first in range(0, samples.shape[1], step):
        chunks = [
            Chunk(
                patient=f"p{i}",
                stream="s",
                first_sample=first,
                fs=FS,
                leads=("II", "V1"),
                samples=np.ascontiguousarray(rows[first : first + step]),
                gain=(1000.0, 1000.0),
                baseline=(0, 0),
            )
            for i, rows in enumerate(samples)
        ]
        began = time.perf_counter()
        monitor.advance(chunks)
        took = time.perf_counter() - began
        worst, whole = max(worst, took), whole + took
    return whole, worst


def detected(samples: NDArray[np.int16]) -> tuple[float, float | None]:
    """Run the peer over everybody's first lead."""
    began = time.perf_counter()
    for rows in samples:
        XQRS(sig=rows[:, 0] / 1000.0, fs=FS).detect(verbose=False)
    return time.perf_counter() - began, None


def measured(judge: Judge | None, *, patients: Sequence[int] = PATIENTS) -> list[Row]:
    """Measure the monitor with the model and without, and the peer where it ends in time."""
    rows = []
    for n_patients in patients:
        samples = signals(n_patients)
        rows.append(median_of("Monitor, everything", samples, partial(monitored, judge=judge)))
        rows.append(median_of("Monitor, no model", samples, partial(monitored, judge=None)))
        if n_patients <= PEER_PATIENTS:
            rows.append(median_of("wfdb XQRS, QRS only", samples, detected))
    return rows


def main() -> None:
    """Measure, and print a table and JSON."""
    torch.set_num_threads(1)
    judge = load(device="cpu")
    warm_up(judge)
    rows = measured(judge)
    title = f"{SIGNAL_S:g} s of two leads at {FS:g} Hz, chunks of {CHUNK_S * 1000:g} ms, one core"
    table = Table(title=title)
    for heading in ("what", "patients", "wall s", "times real time", "worst chunk ms"):
        table.add_column(heading, justify="left" if heading == "what" else "right")
    for row in rows:
        table.add_row(*(_cell(value) for value in asdict(row).values()))
    Console(stderr=True).print(table)
    json.dump([asdict(row) for row in rows], sys.stdout, indent=2)
    sys.stdout.write("\n")


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()

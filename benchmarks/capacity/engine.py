"""The engine alone: CPU time of ``Monitor.advance`` for each second of each patient.

Every number of patients is measured in a process of its own, so that memory is
theirs alone. The first seconds of a stream, in which leads are on trial, are run
and not counted.
"""

import gc
import multiprocessing
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from typing import Any

import torch

from benchmarks.capacity.feed import FS, Feed, name_of
from benchmarks.capacity.machine import resident_kb
from ecg.judge import Judge
from ecg.monitor import Monitor
from stream.memory import keep_what_is_loaded

PATIENTS = (10, 100, 1_000, 5_000)
CHUNK_S = 0.25
SETTLE_S = 11.0
"""Leads are on trial for 10 s."""
CPU_S = 0.6
"""A run ends after so much CPU time, and a whole second of signal at least."""
SIGNAL_S = 60.0
"""Or after so much signal."""
ROUNDS = 3
"""How often every number of patients is measured, in turns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineRow:
    """What a number of patients costs."""

    patients: int
    patients_per_core: float
    """1 / (CPU seconds per patient and second)."""
    kb_per_patient: float
    """Memory that the process grew by, everything counted, in kB (of 1,000 bytes)."""
    kb_exported: float
    """The largest exported state of a patient."""
    beats_per_s: float
    """Beats of a patient in a second, on average."""
    signal_s: float
    """How much signal the measurement took."""
    worst_tick_ms: float
    """CPU time of the longest tick."""


def measure(
    feed: Feed,
    judge: Judge | None,
    patients: int,
    *,
    settle_s: float = SETTLE_S,
    signal_s: float = SIGNAL_S,
    cpu_s: float = CPU_S,
) -> EngineRow:
    """Measure in this process; see ``measure_apart``.

    Parameters
    ----------
    feed : Feed
        What the patients send.
    judge : Judge or None
        The model; warmed up.
    patients : int
        How many.
    settle_s : float
        Signal before anything counts, in s.
    signal_s, cpu_s : float
        The measurement ends at whichever is reached first, in s.
    """
    torch.set_num_threads(1)
    # as the role does; and this process is a copy, in which looking through all that it began with
    # would copy the memory of it
    keep_what_is_loaded()
    before_kb = resident_kb()
    monitor = Monitor(judge)
    step = round(CHUNK_S * FS)
    settle = round(settle_s / CHUNK_S)
    used = worst = 0.0
    beats = ticks = at = 0
    while ticks * CHUNK_S < signal_s and (ticks * CHUNK_S < 1.0 or used < cpu_s):
        chunks = [feed.chunk(patient, at, step) for patient in range(patients)]
        began = time.process_time()
        found = monitor.advance(chunks)
        took = time.process_time() - began
        at += step
        if at <= settle * step:
            continue
        ticks += 1
        used += took
        worst = max(worst, took)
        beats += sum(len(findings.beats) for findings in found)
    del chunks, found
    gc.collect()
    grown_kb = resident_kb() - before_kb
    exported = max(len(monitor.export(name_of(p))) for p in range(min(patients, 100)))
    signal = ticks * CHUNK_S
    return EngineRow(
        patients=patients,
        patients_per_core=patients * signal / used,
        kb_per_patient=grown_kb / patients,
        kb_exported=exported / 1000,
        beats_per_s=beats / (patients * signal),
        signal_s=signal,
        worst_tick_ms=worst * 1000,
    )


def measure_apart(feed: Feed, judge: Judge | None, patients: int, **limits: float) -> EngineRow:
    """Measure in a process that begins as a copy of this one."""
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe(duplex=False)
    child = context.Process(target=_send, args=(there, feed, judge, patients, limits))
    child.start()
    there.close()
    try:
        row: EngineRow = here.recv()
    except EOFError:
        child.join()
        raise RuntimeError(
            f"the measurement of {patients} patients ended with status {child.exitcode}"
        ) from None
    child.join()
    return row


def _send(
    there: Connection, feed: Feed, judge: Judge | None, patients: int, limits: dict[str, float]
) -> None:
    there.send(measure(feed, judge, patients, **limits))
    there.close()


def measured(
    feed: Feed, judge: Judge | None, *, quick: bool, on_row: Callable[[str], None]
) -> list[dict[str, Any]]:
    """Measure every number of patients ``ROUNDS`` times, in turns; return the runs of the middle.

    A neighbour on the same machine costs a run of seconds up to a fifth, and no load average
    shows it: of some runs that lie apart, the one in the middle is seldom such a one.

    Parameters
    ----------
    feed : Feed
    judge : Judge or None
    quick : bool
        Take as little CPU time as will do.
    on_row : callable
        Hears what is being done.
    """
    cpu_s = CPU_S if quick else 25 * CPU_S
    runs: dict[int, list[EngineRow]] = {patients: [] for patients in PATIENTS}
    for number in range(ROUNDS):
        for patients, rows in runs.items():
            on_row(f"engine alone, round {number + 1} of {ROUNDS}, {patients:,} patients")
            rows.append(measure_apart(feed, judge, patients, cpu_s=cpu_s))
    return [_middle(rows) for rows in runs.values()]


def _middle(rows: list[EngineRow]) -> dict[str, Any]:
    ordered = sorted(rows, key=lambda row: row.patients_per_core)
    middle = ordered[len(ordered) // 2]
    return {key: round(value, 3) for key, value in asdict(middle).items()} | {
        "worst_tick_ms": round(max(row.worst_tick_ms for row in rows), 3),
        "runs": [round(row.patients_per_core) for row in ordered],
    }

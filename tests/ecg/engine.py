"""What tests of the engine share: simulated patients and a small model with fixed weights."""

from collections.abc import Iterable, Sequence
from itertools import pairwise, takewhile

import torch
from msgspec.structs import replace

from ecg.chunk import Chunk
from ecg.finding import Beat, Finding, Findings, RhythmWindow, Status
from ecg.judge import Judge
from ecg.model import BeatEnsemble, BeatLSTM, BeatLSTMSize, RhythmLSTM
from ecg.monitor import Monitor
from ecg.script import Step
from ecg.simulator import Simulator

BUSY: tuple[Step, ...] = (
    Step(duration_s=12, pvc_per_min=12),
    Step(duration_s=4, artefact="noise"),
    Step(duration_s=4, rhythm="vt", rate_bpm=170),
    Step(duration_s=4, artefact="missing"),
    Step(duration_s=5, rhythm="vf"),
    Step(duration_s=6, rhythm="asystole"),
    Step(duration_s=5, artefact="lead_off"),
    Step(duration_s=10, rate_bpm=95),
)
"""Everything that can happen to an engine, in 50 s."""


def judge() -> Judge:
    """Return models whose weights are always the same chance ones."""
    torch.manual_seed(7)
    two = BeatEnsemble([BeatLSTM(BeatLSTMSize()), BeatLSTM(BeatLSTMSize())])
    return Judge(two, RhythmLSTM(), version="test", device="cpu")


def recorded(
    patient: str, *, fs: float = 360.0, seed: int = 0, script: Sequence[Step] = BUSY
) -> Chunk:
    """Return a whole simulated recording as one chunk."""
    simulator = Simulator(tuple(script), fs=fs, seed=seed)
    n = round(simulator.script_s * fs)
    whole = next(iter(simulator.chunks(patient, "s1", chunk_samples=n)))
    assert whole.n_samples == n
    return whole


def cut(whole: Chunk, sizes: int | Iterable[int]) -> list[Chunk]:
    """Cut a chunk into chunks of one size, or of the given sizes and the rest."""
    if isinstance(sizes, int):
        sizes = [sizes] * (whole.n_samples // sizes)
    edges = [0]
    for size in sizes:
        edges.append(edges[-1] + size)
    edges = [*takewhile(lambda edge: edge < whole.n_samples, edges), whole.n_samples]
    return [part(whole, a, b) for a, b in pairwise(edges)]


def part(whole: Chunk, start: int, end: int) -> Chunk:
    """Return rows ``start`` to ``end`` (excluded) of a chunk, at their place."""
    return replace(whole, first_sample=whole.first_sample + start, samples=whole.samples[start:end])


def watch(monitor: Monitor, chunks: Iterable[Chunk]) -> list[Findings]:
    """Let a monitor take chunks one by one."""
    return [findings for chunk in chunks for findings in monitor.advance([chunk])]


def said(found: Iterable[Findings], patient: str | None = None) -> list[Finding]:
    """Return all findings of a patient in the order in which they were said."""
    return [
        finding
        for findings in found
        if patient is None or findings.patient == patient
        for finding in findings.in_order()
    ]


def beats(found: Iterable[Findings]) -> list[Beat]:
    """Return the beats alone."""
    return [finding for finding in said(found) if isinstance(finding, Beat)]


def statuses(found: Iterable[Findings]) -> list[Status]:
    """Return the statuses alone."""
    return [finding for finding in said(found) if isinstance(finding, Status)]


def windows(found: Iterable[Findings]) -> list[RhythmWindow]:
    """Return the rhythm windows alone."""
    return [finding for finding in said(found) if isinstance(finding, RhythmWindow)]

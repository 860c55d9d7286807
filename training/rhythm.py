"""Teach the rhythm model: seconds as the monitor describes them, and what people called them.

Recordings of VF are few: vfdb has most of what can be had, mitdb 207 some
flutter. Asystole is a few dozen seconds of vfdb and otherwise simulated, which
the card says. What is neither is everywhere, and much of it looks like VF for a
while: people at bedsides, and with a recorder in their hands, teach what is not.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ecg.annotation import VF_RHYTHMS, RhythmStretch, read_annotations
from ecg.chunk import Chunk
from ecg.finding import RHYTHMS
from ecg.model import RhythmLSTM
from ecg.monitor import Monitor
from ecg.reader import read_record
from ecg.record import Record
from ecg.rhythm import N_DESCRIPTORS
from ecg.roster import Place
from ecg.script import Step
from ecg.simulator import Simulator
from training.dataset import UNLABELLED

LOOK_S = 2.0
"""A second's description looks this far back; it has a label if one rhythm filled that time."""

UNTAUGHT = frozenset({"NOISE", "NOD", "VT"})
"""Marks that teach nothing: noise and nodal marks of vfdb name no rhythm, and its fast VT
passes into VF where two readers would not agree; either is a lethal alarm."""

_LENGTH = 60
_LONG = 1000
"""Seconds from which a record is drawn as often as any other."""
_BATCH = 32
STEPS = 3000
"""Of 1,200 less of strangers' VF was found, of 6,000 no more."""
_CHUNK = 2500


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SecondSequence:
    """The seconds of one record.

    Parameters
    ----------
    record : str
        Database and record.
    descriptors : ndarray, shape (n_seconds, N_DESCRIPTORS)
    targets : ndarray of int, shape (n_seconds,)
        Position in ``ecg.finding.RHYTHMS``, or ``UNLABELLED``.
    """

    record: str
    descriptors: NDArray[np.float32]
    targets: NDArray[np.int64]


def observe_rhythm(path: Path) -> SecondSequence:
    """Run the monitor over a record and keep what the rhythm model would see.

    Raises
    ------
    RecordError
        If the record or its annotations cannot be read.
    """
    record = read_record(path)
    annotations = read_annotations(path, fs=record.fs, n_samples=record.n_samples)
    stretches = [
        *(s for s in annotations.rhythms if s.rhythm not in UNTAUGHT),
        *(
            RhythmStretch(rhythm="VFL", first_sample=start, end_sample=end)
            for start, end in annotations.flutter
        ),
    ]
    return _observe_record(path, record, stretches)


def observe_organised(path: Path) -> SecondSequence:
    """Do the same with a record throughout which the ventricles beat.

    Raises
    ------
    RecordError
        If the record cannot be read.
    """
    record = read_record(path)
    throughout = RhythmStretch(rhythm="N", first_sample=0, end_sample=record.n_samples)
    return _observe_record(path, record, [throughout])


def simulated_rhythms(n: int, *, seed: int) -> list[SecondSequence]:
    """Return scripted patients with asystole and VF between sinus rhythm and VT."""
    rng = np.random.default_rng(seed)
    sequences = []
    for number in range(n):
        script = [Step(duration_s=float(rng.uniform(20, 40)), rate_bpm=float(rng.uniform(50, 110)))]
        for rhythm in rng.permutation(["asystole", "vf", "vt", "asystole"]):
            script.append(Step(duration_s=float(rng.uniform(6, 20)), rhythm=str(rhythm),  # type: ignore[arg-type]  # permutation forgets the literals
                               rate_bpm=float(rng.uniform(140, 220))))  # fmt: skip
            script.append(
                Step(duration_s=float(rng.uniform(10, 30)), rate_bpm=float(rng.uniform(50, 130)))
            )
        simulator = Simulator(tuple(script), seed=seed + number)
        chunks = [
            chunk
            for chunk in simulator.chunks("training", "training", chunk_samples=_CHUNK)
            if chunk.end_sample <= simulator.script_s * chunk.fs
        ]
        names = {"vf": "VFIB", "asystole": "ASYS"}
        episodes = simulator.truth().episodes
        stretches = [
            RhythmStretch(rhythm=names.get(e.kind, "N"), first_sample=e.onset, end_sample=e.end)
            for e in episodes
        ]
        edges = [0, *(edge for e in episodes for edge in (e.onset, e.end)), chunks[-1].end_sample]
        stretches += [
            RhythmStretch(rhythm="N", first_sample=a, end_sample=b)
            for a, b in zip(edges[::2], edges[1::2], strict=True)
        ]
        sequences.append(_observe(f"simulated/{number}", chunks, stretches, fs=chunks[0].fs))
    return sequences


def fit_rhythm(sequences: Sequence[SecondSequence], *, seed: int, steps: int = STEPS) -> RhythmLSTM:
    """Fit the rhythm model; records are drawn equally often, the short ones less.

    Raises
    ------
    ValueError
        If there is no record, or none with VF.
    """
    usable = [s for s in sequences if len(s.targets)]
    # a stretch of VF is what the model is for: half of the sequences are drawn around one
    with_vf = [s for s in usable if (s.targets == RHYTHMS.index("vf")).any()]
    if not with_vf:
        raise ValueError(f"none of {len(usable)} records to learn from has VF")
    shares = np.array([min(len(s.targets) / _LONG, 1.0) for s in usable])
    shares /= shares.sum()
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    model = RhythmLSTM()
    loss_of = nn.CrossEntropyLoss(ignore_index=UNLABELLED)
    optimiser = torch.optim.AdamW(model.parameters(), lr=5e-3, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 5e-3, total_steps=steps)
    model.train()
    for _ in range(steps):
        picked = [usable[k] for k in rng.choice(len(usable), _BATCH // 2, p=shares)]
        picked += [with_vf[k] for k in rng.integers(len(with_vf), size=_BATCH // 2)]
        descriptors, targets = _stretches(picked, rng)
        logits, _ = model(torch.from_numpy(descriptors))
        loss = loss_of(logits.flatten(0, 1), torch.from_numpy(targets).flatten())
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
    return model.eval()


def _stretches(
    picked: Sequence[SecondSequence], rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return a stretch of each record from anywhere, as another recorder may have shown it."""
    descriptors = np.zeros((len(picked), _LENGTH, N_DESCRIPTORS), np.float32)
    targets = np.full((len(picked), _LENGTH), UNLABELLED)
    for row, s in enumerate(picked):
        start = int(rng.integers(max(len(s.targets) - _LENGTH, 0) + 1))
        n = min(len(s.targets) - start, _LENGTH)
        descriptors[row, :n] = s.descriptors[start : start + n]
        targets[row, :n] = s.targets[start : start + n]
    descriptors += rng.normal(0, 0.05, descriptors.shape).astype(np.float32)
    # recorders differ in gain
    descriptors[:, :, 0] += rng.normal(0, 0.5, (len(picked), 1)).astype(np.float32)
    return descriptors, targets


@torch.inference_mode()
def seconds_scored(model: RhythmLSTM, sequences: Sequence[SecondSequence]) -> dict[str, float]:
    """Return sensitivity and positive predictivity of VF by labelled seconds."""
    vf = RHYTHMS.index("vf")
    hits = called = true = 0
    for sequence in sequences:
        logits, _ = model(torch.from_numpy(sequence.descriptors)[None])
        said = logits[0].argmax(dim=-1).numpy() == vf
        known = sequence.targets != UNLABELLED
        truth = sequence.targets == vf
        hits += int((said & truth & known).sum())
        called += int((said & known).sum())
        true += int((truth & known).sum())
    return {
        "se": hits / true if true else float("nan"),
        "ppv": hits / called if called else float("nan"),
        "seconds": float(true),
    }


def _observe_record(
    path: Path, record: Record, stretches: Sequence[RhythmStretch]
) -> SecondSequence:
    chunks = record.chunks("training", "training", chunk_samples=_CHUNK)
    return _observe(f"{path.parent.name}/{path.name}", chunks, stretches, fs=record.fs)


def _observe(
    name: str, chunks: Iterable[Chunk], stretches: Sequence[RhythmStretch], *, fs: float
) -> SecondSequence:
    ends: list[int] = []
    descriptors: list[NDArray[np.float32]] = []

    def observe(_: Place, second: np.void) -> None:
        ends.append(int(second["sample"]))
        descriptors.append(second["descriptors"].copy())

    monitor = Monitor(on_second=observe)
    for chunk in chunks:
        monitor.advance([chunk])
    targets = [_target(stretches, end - round(LOOK_S * fs), end) for end in ends]
    return SecondSequence(
        record=name,
        descriptors=np.array(descriptors, np.float32).reshape(-1, N_DESCRIPTORS),
        targets=np.array(targets, np.int64),
    )


def _target(stretches: Sequence[RhythmStretch], first: int, end: int) -> int:
    touched = [s for s in stretches if s.first_sample < end and s.end_sample > first]
    if not touched:
        return UNLABELLED
    kinds = {_kind(s.rhythm) for s in touched}
    covered = min(s.first_sample for s in touched) <= max(first, 0) and end <= max(
        s.end_sample for s in touched
    )
    return RHYTHMS.index(kinds.pop()) if len(kinds) == 1 and covered else UNLABELLED


def _kind(rhythm: str) -> str:
    if rhythm in VF_RHYTHMS:
        return "vf"
    return "asystole" if rhythm == "ASYS" else "organised"

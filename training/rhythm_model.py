"""Teach the rhythm model, and see what it says of people whom it did not know.

``python -m training.rhythm_model DATA`` deals people into parts, lets a fit without each part judge
it, and prints what they said. Where a record is organised throughout, each second that is
called fibrillation is a false alarm in the making, and four in a row are one.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console

from ecg.criteria import VF_S
from ecg.finding import RHYTHMS
from ecg.model import RhythmLSTM
from training.dataset import UNLABELLED
from training.ensemble import deal
from training.front import bars
from training.of_rhythm import rhythms_named
from training.page import put_between
from training.processes import PROCESSES, Tell, run_apart
from training.records import DATABASES, FIBRILLATION, IN_BETWEEN, rhythm_records
from training.rhythm import STEPS, SecondSequence, fit_rhythm, seconds_scored, simulated_rhythms
from training.store import Kind, default_work, observe, read_seconds, record_of

SIMULATED = 12
"""Scripted patients who teach the rhythm model asystole, of which recordings have seconds."""

PARTS = 14
"""Parts into which people are dealt for the figures: of vfdb, about one in each."""

_VF = RHYTHMS.index("vf")
_NAMES = {"A": "atrial fibrillation", "N": "normal rhythm", "O": "another rhythm", "~": "noise"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Taught:
    """A rhythm model and what its card says.

    Parameters
    ----------
    model : RhythmLSTM
    card : dict
        ``records`` that taught, and how it does on them.
    """

    model: RhythmLSTM
    card: dict[str, Any]


def teach(files: Sequence[Path], *, seed: int, steps: int = STEPS, processes: int = 1) -> Taught:
    """Fit the rhythm model to observed seconds and simulated patients, in a process of its own.

    Parameters
    ----------
    files : sequence of Path
        Of the store.
    seed : int
    steps : int
        Batches that it learns from.
    processes : int
        With 0 it is fitted in this process.

    Raises
    ------
    ProcessDiedError
        If the process ends early.
    ValueError
        If there is no VF to learn from.
    """
    return _teach_each([(tuple(files), seed, steps)], processes)[0]


def by_strangers(
    files: Sequence[Path],
    judged: Sequence[Path],
    *,
    parts: int = PARTS,
    steps: int = STEPS,
    processes: int = PROCESSES,
) -> list[tuple[SecondSequence, NDArray[np.int64]]]:
    """Return the seconds of people, and what fits said of them that did not know them.

    Parameters
    ----------
    files : sequence of Path
        Observed seconds that teach.
    judged : sequence of Path
        The same or others; those that nobody learnt from are judged by any fit.
    parts : int
    steps : int
        Batches that each fit learns from.
    processes : int
        Fits at a time.

    Returns
    -------
    list of (SecondSequence, ndarray of int, shape (n_seconds,))
        In the order of ``judged``; positions in ``RHYTHMS``.
    """
    everyone = list(dict.fromkeys((*files, *judged)))
    dealt = dict(zip(everyone, deal([record_of(file) for file in everyone], parts), strict=True))
    tasks = [
        (tuple(file for file in files if dealt[file] != part), part, steps) for part in range(parts)
    ]
    fits = [taught.model for taught in _teach_each(tasks, processes)]
    return [
        (seconds, _said(fits[dealt[file]], seconds))
        for file in judged
        for seconds in [read_seconds(file)]
    ]


@dataclass(slots=True)
class _Counts:
    records: int = 0
    seconds: int = 0
    vf: int = 0
    called: int = 0
    elsewhere: int = 0
    alarms: int = 0

    def add(self, seconds: SecondSequence, said: NDArray[np.int64]) -> None:
        known, vf, called = seconds.targets != UNLABELLED, seconds.targets == _VF, said == _VF
        self.records += 1
        self.seconds += int(known.sum())
        self.vf += int(vf.sum())
        self.called += int((vf & called).sum())
        self.elsewhere += int((known & ~vf & called).sum())
        self.alarms += _alarms(known & ~vf & called)

    def cells(self) -> list[str]:
        hours = (self.seconds - self.vf) / 3600
        found = f"{100 * self.called / self.vf:.1f}" if self.vf else "-"
        return [
            f"{self.records}", f"{hours:.1f}", f"{self.vf:,}", found,
            f"{self.elsewhere / hours:.1f}", f"{self.alarms / hours:.2f}",
        ]  # fmt: skip


def table_of(
    judged: Sequence[tuple[SecondSequence, NDArray[np.int64]]], rhythm_named: dict[str, str]
) -> str:
    """Return what was found and what was called VF wrongly, by database, as Markdown.

    Parameters
    ----------
    judged : sequence of (SecondSequence, ndarray of int)
        As ``by_strangers`` returns them.
    rhythm_named : dict of str to str
        Of the records of the 2017 challenge.
    """
    counts: dict[str, _Counts] = {}
    for seconds, said in judged:
        database, name = seconds.record.split("/")
        row = f"{database}, {_NAMES[rhythm_named[name]]}" if database == FIBRILLATION else database
        if seconds.record == IN_BETWEEN:
            row = f"{database}, {name}"
        counts.setdefault(row, _Counts()).add(seconds, said)
    lines = [
        "| seconds of | records | hours without VF | s of VF | called so, % "
        "| elsewhere called VF, s an hour | 4 s of it in a row, an hour |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    lines += [f"| {row} | {' | '.join(counts[row].cells())} |" for row in sorted(counts)]
    return "\n".join(lines) + "\n"


def _alarms(called: NDArray[np.bool_]) -> int:
    """Return how often as many seconds in a row are called as an alarm needs.

    Examples
    --------
    >>> _alarms(np.array([True] * 5 + [False] + [True] * 3))
    1
    """
    n = int(VF_S)
    row = np.convolve(called.astype(int), np.ones(n, int))[: len(called)] == n
    return int((row & ~np.concatenate([[False], row[:-1]])).sum())


_Task = tuple[tuple[Path, ...], int, int]
"""Whose seconds teach, the seed, and how many steps."""


def _teach_each(tasks: Sequence[_Task], processes: int) -> list[Taught]:
    taught = []
    for weights, card in run_apart(_teach, tasks, processes=processes):
        model = RhythmLSTM()
        model.load_state_dict({name: torch.from_numpy(of) for name, of in weights.items()})
        taught.append(Taught(model=model.eval(), card=card))
    return taught


def _teach(task: _Task, _: Tell) -> tuple[dict[str, NDArray[np.float32]], dict[str, Any]]:
    """Fit one; its weights are arrays, since tensors end with the process that made them."""
    torch.set_num_threads(1)  # small LSTMs are slower on two
    files, seed, steps = task
    seconds = [read_seconds(file) for file in files] + simulated_rhythms(SIMULATED, seed=seed)
    model = fit_rhythm(seconds, seed=seed, steps=steps)
    card = {
        "records": [s.record for s in seconds],
        "vf_seconds_of_the_training_records": seconds_scored(model, seconds),
    }
    return {name: of.numpy() for name, of in model.state_dict().items()}, card


@torch.inference_mode()
def _said(model: RhythmLSTM, seconds: SecondSequence) -> NDArray[np.int64]:
    logits, _ = model(torch.from_numpy(seconds.descriptors)[None])
    said: NDArray[np.int64] = logits[0].argmax(dim=-1).numpy()
    return said


def main() -> None:
    """Hear the records, let strangers judge them, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m training.rhythm_model", description=__doc__)
    parser.add_argument("data", type=Path, help="directory that holds the training databases")
    parser.add_argument("--work", type=Path, default=default_work(), help="where work is kept")
    parser.add_argument("--page", help="write the table between this page's markers, too")
    options = parser.parse_args()
    teaching = rhythm_records(options.data, DATABASES)
    named = rhythms_named(options.data / FIBRILLATION)
    others: list[tuple[Path, Kind]] = [
        (options.data / FIBRILLATION / name, "organised")
        for name, rhythm in named.items()
        if rhythm == "~"
    ]
    others.append((options.data / IN_BETWEEN, "seconds"))
    with bars("records") as show:
        files = observe(
            [*teaching, *others],
            options.work,
            progress=lambda *told: show("records", *told[1:]),
        )
    with Console(stderr=True).status(f"fitting, {PARTS} times without some people"):
        table = table_of(by_strangers(files[: len(teaching)], files), dict(named))
    sys.stdout.write(table)
    if options.page:
        put_between(options.page, table, name="rhythm")


if __name__ == "__main__":
    main()

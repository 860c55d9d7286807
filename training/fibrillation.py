"""Fit the LSTM that tells atrial fibrillation: ``python -m training.fibrillation DATA``.

It hears RR intervals between the beats that the monitor finds in the 2017 challenge, DS1 and svdb
(``training.comparisons``), and those of made-up people. Short records are repeated. The command
prints what fits say of people they did not know, then fits one to all of them and writes its
weights.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from torch import Tensor, nn

from ecg import fibrillation_weights
from ecg.fibrillation import LEAST_BEATS
from ecg.reader import record_names
from ecg.state import COMPARISONS, UNITS
from training.comparisons import Rhythm, made_up, rhythm_of
from training.constants import python_of
from training.dataset import UNLABELLED
from training.ensemble import deal
from training.front import bars
from training.of_rhythm import rhythms_named
from training.page import put_between
from training.records import FIBRILLATION as CHALLENGE
from training.records import training_paths
from training.store import Kind, default_work, observe

STEPS, BATCH, LENGTH, RATE = 4000, 64, 128, 6e-3
FOLDS = 3
FIBRILLATION = 0.5
"""Probability from which it is called atrial fibrillation where that is counted; the monitor weighs
what looks S by the probability itself (``ecg.call``)."""
MADE_UP = 150
"""People who do not exist."""
_LONG, _MANY = 5.0, 1000
"""How often a record with so many beats is drawn, beside a short one."""
_NAMES = {"A": "atrial fibrillation", "N": "normal rhythm", "O": "another rhythm"}
_TRUTH = {1: "in atrial fibrillation", 0: "elsewhere"}


class FibrillationLSTM(nn.Module):
    """What ``ecg.fibrillation`` computes, as it is fitted."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = nn.Linear(COMPARISONS, UNITS)
        self.lstm = nn.LSTM(UNITS, UNITS, batch_first=True)
        self.out = nn.Linear(2 * UNITS, 1)

    def forward(self, compared: Tensor) -> Tensor:
        """Return log-odds, shape (n, n_beats).

        Parameters
        ----------
        compared : Tensor, shape (n, n_beats, COMPARISONS)
        """
        seen = torch.relu(self.seen(compared))
        h, _ = self.lstm(seen)
        odds: Tensor = self.out(torch.cat([h, seen], dim=-1))[..., 0]
        return odds

    def constants(self) -> dict[str, NDArray[np.float64]]:
        """Return the weights as ``ecg.fibrillation`` takes them, a column for each unit or gate."""
        lstm = dict(self.lstm.named_parameters())
        said = {
            "IN": self.seen.weight.T,
            "IN_BIAS": self.seen.bias,
            "GATES": torch.cat([lstm["weight_ih_l0"], lstm["weight_hh_l0"]], dim=1).T,
            "GATES_BIAS": lstm["bias_ih_l0"] + lstm["bias_hh_l0"],
            "OUT": self.out.weight.reshape(2, UNITS),
            "BIAS": self.out.bias[0],
        }
        return {name: t.detach().numpy().astype(np.float64) for name, t in said.items()}


def fit(rhythms: Sequence[Rhythm], *, seed: int = 0, steps: int = STEPS) -> FibrillationLSTM:
    """Fit the LSTM; the same bits for the same rhythms and machine.

    Raises
    ------
    ValueError
        If there is no record with fibrillation, or none without.
    """
    usable = [r for r in rhythms if (r.heard[0][1][LEAST_BEATS:] >= 0).any()]
    sick = np.array([(r.heard[0][1] > 0).mean() > 0.1 for r in usable])
    if not sick.any() or sick.all():
        raise ValueError("there must be records with atrial fibrillation, and some without")
    share = np.array([_LONG if len(r.heard[0][1]) > _MANY else 1.0 for r in usable])
    share[sick] *= 0.5 * share[~sick].sum() / share[sick].sum()  # one in three
    share /= share.sum()
    torch.manual_seed(seed)
    chance = np.random.default_rng(seed)
    model = FibrillationLSTM()
    optimiser = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=steps)
    for _ in range(steps):
        inputs, truth = _draw(
            [usable[k] for k in chance.choice(len(usable), BATCH, p=share)], chance
        )
        odds, known = model(torch.from_numpy(inputs)), torch.from_numpy(truth)
        heard = known >= 0
        heard[:, :LEAST_BEATS] = False
        loss = nn.functional.binary_cross_entropy_with_logits(odds[heard], known[heard])
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch's own stub lacks it
        optimiser.step()
        schedule.step()
    return model.eval()


def _draw(
    drawn: Sequence[Rhythm], chance: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return a stretch of each record; a short one begins anywhere and is repeated."""
    inputs = np.zeros((len(drawn), LENGTH, COMPARISONS), np.float32)
    truth = np.full((len(drawn), LENGTH), UNLABELLED, np.float32)
    for row, rhythm in enumerate(drawn):
        heard, known = rhythm.heard[int(chance.integers(len(rhythm.heard)))]
        n = len(known)
        start = int(chance.integers(max(n - LENGTH, 0) + 1 if n >= LENGTH else n))
        at = (start + np.arange(LENGTH)) % n
        inputs[row], truth[row] = heard[at], known[at]
    return inputs, truth


@torch.inference_mode()
def probabilities(model: FibrillationLSTM, rhythm: Rhythm) -> NDArray[np.float32]:
    """Return the probability of fibrillation at each beat of a record as it was observed."""
    heard = rhythm.heard[0][0]
    if not len(heard):
        return np.zeros(0, np.float32)
    p = torch.sigmoid(model(torch.from_numpy(heard)[None]))[0].numpy()
    p[:LEAST_BEATS] = 0.0
    return p


def by_strangers(
    rhythms: Sequence[Rhythm], *, folds: int = FOLDS, steps: int = STEPS
) -> list[NDArray[np.float32]]:
    """Return the probabilities of each record by a fit that did not know the person."""
    dealt = deal([rhythm.record for rhythm in rhythms], folds)
    said = [np.zeros(0, np.float32)] * len(rhythms)
    for fold in range(folds):
        others = [r for r, k in zip(rhythms, dealt, strict=True) if k != fold]
        model = fit([*others, *made_up(MADE_UP, seed=fold)], seed=fold, steps=steps)
        for place, (rhythm, k) in enumerate(zip(rhythms, dealt, strict=True)):
            if k == fold:
                said[place] = probabilities(model, rhythm)
    return said


def table_of(
    rhythms: Sequence[Rhythm], said: Sequence[NDArray[np.float32]], rhythm_named: Mapping[str, str]
) -> str:
    """Return how much of what is fibrillation was called so, and of what is not, as Markdown."""
    counts: dict[str, list[int]] = {}
    for rhythm, p in zip(rhythms, said, strict=True):
        database, name = rhythm.record.split("/")
        known, called = rhythm.heard[0][1][LEAST_BEATS:], p[LEAST_BEATS:] > FIBRILLATION
        for truth in (1, 0):
            chosen = known == truth
            if not chosen.any():
                continue
            row = f"DS1, {_TRUTH[truth]}" if database == "mitdb" else database
            if database == CHALLENGE:
                row = f"{database}, {_NAMES[rhythm_named[name]]}"
            place = counts.setdefault(row, [0, 0, 0])
            place[0] += 1
            place[1] += int(chosen.sum())
            place[2] += int((chosen & called).sum())
    lines = [
        "| beats of | records | beats | called atrial fibrillation, % |",
        "|---|---:|---:|---:|",
    ]
    for row, (records, beats, hits) in sorted(counts.items()):
        lines.append(f"| {row} | {records} | {beats:,} | {100 * hits / max(beats, 1):.1f} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Hear the records, say what strangers say of them, fit, and write the weights."""
    parser = argparse.ArgumentParser(prog="python -m training.fibrillation", description=__doc__)
    parser.add_argument("data", type=Path, help=f"directory that holds mitdb, svdb and {CHALLENGE}")
    parser.add_argument("--work", type=Path, default=default_work(), help="where work is kept")
    parser.add_argument("--out", type=Path, default=Path(str(fibrillation_weights.__file__)))
    parser.add_argument("--page", help="write the table between this page's markers, too")
    options = parser.parse_args()
    torch.set_num_threads(1)
    paths = training_paths(options.data, ("mitdb", "svdb"))
    asked: list[tuple[Path, Kind]] = [(path, "detected") for path in paths]
    short = options.data / CHALLENGE
    asked += [(short / name, "unmarked") for name in record_names(short)]
    with bars("records", "rhythms") as show:
        files = observe(asked, options.work, progress=lambda *told: show("records", *told[1:]))
        rhythms = []
        for (path, _), file in zip(asked, files, strict=True):
            rhythms.append(rhythm_of(path, file))
            show("rhythms", len(rhythms), len(asked))
    console = Console(stderr=True)
    with console.status(f"fitting, {FOLDS} times without some people and once with all"):
        table = table_of(rhythms, by_strangers(rhythms), rhythms_named(short))
        model = fit([*rhythms, *made_up(MADE_UP, seed=FOLDS)])
    sys.stdout.write(table)
    if options.page:
        put_between(options.page, table, name="fibrillation")
    about = str(fibrillation_weights.__doc__)
    options.out.write_text(python_of(about, model.constants()), encoding="utf-8")


if __name__ == "__main__":
    main()

"""Fit a model to sequences of beats, the same bits for the same seed and machine.

With a checkpoint, a fit that was killed goes on after its last whole epoch and
ends with the same bits as one that was not.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ecg.device import bring, choose_device
from ecg.model import OUTPUTS, BeatLSTMSize
from training.balance import of_classes, of_records
from training.batch import Batch, draw
from training.dataset import UNLABELLED, BeatSequence
from training.loss import by_labels, by_opinion
from training.resume import Progress, repeatable
from training.variant import Variant

_LONG = 1000
"""Beats from which a record is drawn as often as any other."""
_SHORT_SHARE = 0.1
"""How often the shortest record is drawn, beside a long one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FitSettings:
    """How a model is fitted; kept in its card."""

    members: int = 3
    """Models of the ensemble; each leaves out a part of the patients."""
    epochs: int = 10
    """Passes, each over as many beats as there are; those of a noisy copy are not counted again."""
    beats: int | None = None
    """Beats of a pass instead."""
    batch: int = 32
    """Sequences in a step."""
    length: int = 64
    """Beats in a sequence."""
    learning_rate: float = 3e-3
    """Highest rate of the one-cycle schedule."""
    weight_decay: float = 1e-3
    dropout: float = 0.3
    rare_power: float = 0.25
    """A class counts as the inverse of its share of all beats to this power."""
    record_power: float = 0.7
    """An S or V beat counts as the inverse of its class' share of the record to this power."""
    seed: int = 0
    device: str = "auto"

    def as_dict(self) -> dict[str, object]:
        """Return the settings by name."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Epoch:
    """What an epoch came to."""

    number: int
    loss: float
    validation_loss: float | None
    f1: dict[str, float]
    """Of each output on the validation records, by detected beats; empty without any."""


_Opinion = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def fit(
    sequences: Sequence[BeatSequence],
    validation: Sequence[BeatSequence],
    settings: FitSettings,
    *,
    size: BeatLSTMSize | None = None,
    variant: Variant | None = None,
    opinion: _Opinion | None = None,
    checkpoint: Path | None = None,
    progress: Callable[[Epoch], None] | None = None,
) -> tuple[nn.Module, list[Epoch]]:
    """Fit a model.

    Parameters
    ----------
    sequences : sequence of BeatSequence
        Records to learn from; each is drawn equally often, the short ones less.
    validation : sequence of BeatSequence
        Records that are only looked at; may be empty.
    settings : FitSettings
    size : BeatLSTMSize, optional
    variant : Variant, optional
        Another model than ``BeatLSTM``, or one that sees less.
    opinion : callable, optional
        What teachers think, learnt in place of the labels: windows and contexts of a batch of
        sequences to probabilities, shape (n_sequences, n_beats, len(OUTPUTS)). Where a target is
        ``NORMAL`` they are corrected: only N and artefact are possible.
    checkpoint : Path, optional
        Kept there after every epoch; if there is one, the fit goes on from it. It must
        be of the same fit: the caller names it after what decides the result.
    progress : callable, optional
        Told every epoch, those of a checkpoint too.

    Returns
    -------
    model : Module
        On the CPU; a ``BeatLSTM`` without ``variant``.
    epochs : list of Epoch

    Raises
    ------
    ValueError
        If no record has beats.
    """
    usable = [s for s in sequences if len(s)]
    if not usable:
        raise ValueError("no record has beats to learn from")
    shares = np.array([max(min(len(s) / _LONG, 1.0), _SHORT_SHARE) for s in usable])
    shares /= shares.sum()
    device = choose_device(settings.device)
    repeatable(device)
    torch.manual_seed(settings.seed)
    rng = np.random.default_rng(settings.seed)
    variant = variant or Variant()
    model = variant.build(size or BeatLSTMSize(), dropout=settings.dropout).to(device)
    of_class = torch.from_numpy(of_classes(sequences, settings.rare_power)).to(device)
    of_record = of_records(usable, shares, settings.record_power)
    beats = settings.beats or sum({s.record: len(s) for s in usable}.values())
    shape = (settings.batch, settings.length)
    steps = max(beats // (settings.batch * settings.length), 1)
    optimiser = torch.optim.AdamW(
        model.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, settings.learning_rate, total_steps=steps * settings.epochs
    )
    kept = Progress(checkpoint, model=model, optimiser=optimiser, schedule=schedule, rng=rng)
    epochs = [Epoch(**epoch) for epoch in kept.resume(device)]
    for epoch in epochs:
        if progress is not None:
            progress(epoch)
    for number in range(len(epochs) + 1, settings.epochs + 1):
        model.train()
        total = 0.0
        for _ in range(steps):
            batch = draw(usable, shares, of_record, rng, shape=shape, change=variant.augment)
            loss = _loss(model, batch, of_class, opinion, device)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # torch's own stub lacks it
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            total += float(loss.detach())
        epochs.append(_look(model, validation, of_class, number=number, loss=total / steps))
        kept.save([asdict(epoch) for epoch in epochs], device)
        if progress is not None:
            progress(epochs[-1])
    return model.cpu().eval(), epochs


@torch.inference_mode()
def judge_sequence(model: nn.Module, sequence: BeatSequence) -> torch.Tensor:
    """Return the logits of a record's beats, each with the memory of all before it.

    Returns
    -------
    Tensor, shape (n_beats, len(OUTPUTS))
    """
    model.eval()
    device = next(model.parameters()).device
    if not len(sequence):
        return torch.zeros(0, len(OUTPUTS))
    # copies: sequences may be mapped from read-only files
    windows = torch.from_numpy(np.array(sequence.windows))[None].to(device)
    contexts = torch.from_numpy(np.array(sequence.contexts))[None].to(device)
    logits: torch.Tensor = model(windows, contexts)
    return logits[0].cpu()


def scores_by_class(
    predicted: NDArray[np.int64], targets: NDArray[np.int64]
) -> dict[str, dict[str, float]]:
    """Return se, ppv and f1 of each output among labelled detections; 0 where there are none."""
    known = targets >= 0
    predicted, targets = predicted[known], targets[known]
    scores = {}
    for k, name in enumerate(OUTPUTS):
        hits = int(((predicted == k) & (targets == k)).sum())
        said, true = int((predicted == k).sum()), int((targets == k).sum())
        scores[name] = {
            "se": hits / true if true else 0.0,
            "ppv": hits / said if said else 0.0,
            "f1": 2 * hits / (said + true) if said + true else 0.0,
        }
    return scores


def _loss(
    model: nn.Module,
    batch: Batch,
    of_class: torch.Tensor,
    opinion: _Opinion | None,
    device: torch.device,
) -> torch.Tensor:
    windows = bring(torch.from_numpy(batch.windows), device)
    contexts = bring(torch.from_numpy(batch.contexts), device)
    targets = bring(torch.from_numpy(batch.targets), device).flatten()
    logits = model(windows, contexts).flatten(0, 1)
    if opinion is None:
        counts = bring(torch.from_numpy(batch.counts), device).flatten()
        return by_labels(logits, targets, counts, of_class)
    present = bring(torch.from_numpy(batch.present), device).flatten()
    thought = opinion(windows, contexts).flatten(0, 1)
    return by_opinion(logits[present], targets[present], thought[present])


def _look(
    model: nn.Module,
    validation: Sequence[BeatSequence],
    of_class: torch.Tensor,
    *,
    number: int,
    loss: float,
) -> Epoch:
    if not validation:
        return Epoch(number=number, loss=loss, validation_loss=None, f1={})
    logits = torch.cat([judge_sequence(model, s) for s in validation])
    targets = torch.from_numpy(np.concatenate([s.targets for s in validation]))
    validation_loss = nn.functional.cross_entropy(
        logits, targets, weight=of_class.cpu(), ignore_index=UNLABELLED
    )
    return Epoch(
        number=number,
        loss=loss,
        validation_loss=float(validation_loss),
        f1={
            name: figures["f1"]
            for name, figures in scores_by_class(
                logits.argmax(dim=-1).numpy(), targets.numpy()
            ).items()
        },
    )

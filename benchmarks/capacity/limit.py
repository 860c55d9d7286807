"""How far from the limit: the models' arithmetic against the core's, bytes against the broker's."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from ecg.checkpoint import read_card
from ecg.features import CHANNELS, N_CONTEXT
from ecg.model import BeatLSTM, BeatLSTMSize, RhythmLSTM
from ecg.rhythm import N_DESCRIPTORS
from ecg.state import WINDOW


@dataclass(frozen=True, slots=True, kw_only=True)
class Flops:
    """Floating point operations; a multiplication and an addition are two."""

    beat: int
    """Of the beat model for one beat, of all its members together."""
    beat_lstm: int
    """Of them those of the LSTMs."""
    second: int
    """For one second of rhythm, nearly all of them the LSTM's."""


def flops_of(module: nn.Module, *inputs: torch.Tensor) -> tuple[int, int]:
    """Return the operations of one call, and those of its LSTMs among them.

    Examples
    --------
    >>> flops_of(nn.Linear(3, 4), torch.zeros(2, 3))
    (48, 0)
    >>> flops_of(nn.LSTM(3, 5, batch_first=True), torch.zeros(1, 1, 3))
    (320, 320)
    """
    whole = lstm = 0

    def count(part: nn.Module, given: tuple[torch.Tensor, ...], out: Any) -> None:
        nonlocal whole, lstm
        if isinstance(part, nn.LSTM):
            weights = sum(p.numel() for name, p in part.named_parameters() if "weight" in name)
            operations = 2 * weights * given[0].shape[0] * given[0].shape[1]
            lstm += operations
        elif isinstance(part, nn.Linear):
            operations = 2 * part.weight.numel() * (given[0].numel() // part.in_features)
        elif isinstance(part, nn.Conv1d):
            operations = 2 * part.weight.numel() * out.shape[0] * out.shape[-1]
        else:
            return
        whole += operations

    hooks = [part.register_forward_hook(count) for part in module.modules()]
    try:
        with torch.inference_mode():
            module(*inputs)
    finally:
        for hook in hooks:
            hook.remove()
    return whole, lstm


def shipped() -> Flops:
    """Return what the shipped models take, by their sizes."""
    size = read_card()["size"]
    one = BeatLSTM(
        BeatLSTMSize(conv=tuple(size["conv"]), beat=int(size["beat"]), hidden=int(size["hidden"]))
    )
    whole, lstm = flops_of(one, torch.zeros(1, 1, CHANNELS, WINDOW), torch.zeros(1, 1, N_CONTEXT))
    second, _ = flops_of(RhythmLSTM(int(size["rhythm"])), torch.zeros(1, 1, N_DESCRIPTORS))
    members = int(size["members"])
    return Flops(beat=members * whole, beat_lstm=members * lstm, second=second)


def shares(flops: Flops, engine: Mapping[str, float], *, gflops: float) -> dict[str, float | int]:
    """Return the arithmetic of one core that is busy with the engine alone.

    Parameters
    ----------
    flops : Flops
        What the models take.
    engine : mapping
        A row of the engine's figures.
    gflops : float
        The core's peak at multiplying matrices, in GFLOP/s.
    """
    patients, beats = engine["patients_per_core"], engine["beats_per_s"]
    models = patients * (beats * flops.beat + flops.second) / 1e9
    lstms = patients * (beats * flops.beat_lstm + flops.second) / 1e9
    return {
        "flops_per_beat": flops.beat,
        "flops_per_beat_lstm": flops.beat_lstm,
        "flops_per_second": flops.second,
        "models_gflops": round(models, 3),
        "lstms_gflops": round(lstms, 3),
        "flop_share": round(models / gflops, 5),
        "lstm_flop_share": round(lstms / gflops, 5),
    }

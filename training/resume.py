"""A fit's state on disk after every epoch: all that decides the bits of what follows."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from training.files import write_whole


def repeatable(device: torch.device) -> None:
    """Ask torch for the same bits in every run; CUDA gives them only when asked."""
    if device.type == "cuda":
        # cuBLAS reads it when it starts; else its matrix products may differ from run to run
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True)


class Progress:
    """Weights, optimiser, schedule and sources of chance of a fit, kept in a file.

    Parameters
    ----------
    file : Path or None
        Where; without one nothing is kept.
    model, optimiser, schedule, rng
        What is kept, and set back by ``resume``.
    """

    def __init__(
        self,
        file: Path | None,
        *,
        model: nn.Module,
        optimiser: torch.optim.Optimizer,
        schedule: torch.optim.lr_scheduler.LRScheduler,
        rng: np.random.Generator,
    ) -> None:
        self._file = file
        self._model = model
        self._optimiser = optimiser
        self._schedule = schedule
        self._rng = rng

    def save(self, epochs: list[dict[str, Any]], device: torch.device) -> None:
        """Keep the state after ``epochs``."""
        if self._file is None:
            return
        state = {
            "model": self._model.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "schedule": self._schedule.state_dict(),
            "torch": torch.get_rng_state(),
            "cuda": torch.cuda.get_rng_state(device) if device.type == "cuda" else None,
            "numpy": json.dumps(self._rng.bit_generator.state),
            "epochs": epochs,
        }
        write_whole(self._file, lambda out: torch.save(state, out))

    def resume(self, device: torch.device) -> list[dict[str, Any]]:
        """Set everything back to where the file left it; return its epochs, none without a file."""
        if self._file is None or not self._file.exists():
            return []
        # generators live on the CPU, and load_state_dict moves the rest to where it belongs
        state = torch.load(self._file, map_location="cpu", weights_only=True)
        self._model.load_state_dict(state["model"])
        self._optimiser.load_state_dict(state["optimiser"])
        self._schedule.load_state_dict(state["schedule"])
        torch.set_rng_state(state["torch"])
        if state["cuda"] is not None:
            torch.cuda.set_rng_state(state["cuda"], device)
        self._rng.bit_generator.state = json.loads(state["numpy"])
        epochs: list[dict[str, Any]] = state["epochs"]
        return epochs

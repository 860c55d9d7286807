"""Weights on disk: both models in one safetensors file, and beside it a card.

The card is JSON: architecture and sizes, version, temperature, the layout of
the features it was trained on, and how it was made. Weights whose card does
not fit this code are refused.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from ecg.errors import CheckpointError
from ecg.features import CHANNELS, CONTEXT
from ecg.filters import ENGINE_FS
from ecg.finding import RHYTHMS
from ecg.judge import Judge
from ecg.model import OUTPUTS, BeatEnsemble, BeatLSTM, BeatLSTMSize, RhythmLSTM
from ecg.rhythm import DESCRIPTORS
from ecg.state import WINDOW

SHIPPED = Path(__file__).parent / "weights" / "monitor.safetensors"
"""The weights that come with the package."""

ARCHITECTURE = "BeatEnsemble + RhythmLSTM"
FEATURES = {
    "engine_fs": ENGINE_FS,
    "channels": CHANNELS,
    "window": WINDOW,
    "context": list(CONTEXT),
    "outputs": list(OUTPUTS),
    "descriptors": list(DESCRIPTORS),
    "rhythms": list(RHYTHMS),
}
"""What the models see and say; a change makes older weights unusable."""


def save(
    beats: BeatEnsemble,
    rhythm: RhythmLSTM,
    path: Path,
    *,
    temperature: float,
    card: dict[str, Any] | None = None,
) -> str:
    """Write weights and card.

    Parameters
    ----------
    beats : BeatEnsemble
    rhythm : RhythmLSTM
    path : Path
        Ends in ``.safetensors``; the card goes beside it as ``.json``.
    temperature : float
        Calibration of the beats' probabilities.
    card : dict, optional
        What else to say: data, figures, licence, how it was made.

    Returns
    -------
    str
        The version: a hash of the weights and the temperature.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors = {
        f"{part}.{name}": tensor.detach().cpu().contiguous()
        for part, model in (("beats", beats), ("rhythm", rhythm))
        for name, tensor in sorted(model.state_dict().items())
    }
    save_file(tensors, path)
    version = _version(path, temperature)
    said = {
        "architecture": ARCHITECTURE,
        "version": version,
        "size": {
            "members": len(beats.members),
            **beats.size.as_dict(),
            "rhythm": rhythm.hidden,
        },
        "temperature": temperature,
        "features": FEATURES,
        **(card or {}),
    }
    path.with_suffix(".json").write_text(json.dumps(said, indent=2) + "\n", encoding="utf-8")
    return version


def load(path: Path = SHIPPED, *, device: str = "auto") -> Judge:
    """Load weights for the monitor.

    Raises
    ------
    CheckpointError
        If weights or card are absent, damaged, or made for other features.
    """
    card = read_card(path)
    for key, wanted in (("architecture", ARCHITECTURE), ("features", FEATURES)):
        if card.get(key) != wanted:
            raise CheckpointError(
                f"{path.name} was made for another {key} than this code has: its card says "
                f"{card.get(key)!r}, wanted {wanted!r}; train again with: rhythmwatch train"
            )
    temperature = float(card["temperature"])
    if _version(path, temperature) != card["version"]:
        raise CheckpointError(
            f"{path} is not what its card {path.with_suffix('.json').name} describes "
            f"(version {card['version']}): restore both from one place, or train again"
        )
    size = card["size"]
    of_one = BeatLSTMSize(
        conv=tuple(size["conv"]), beat=int(size["beat"]), hidden=int(size["hidden"])
    )
    beats = BeatEnsemble([BeatLSTM(of_one) for _ in range(int(size["members"]))])
    rhythm = RhythmLSTM(int(size["rhythm"]))
    try:
        tensors = load_file(path)
        for part, model in (("beats", beats), ("rhythm", rhythm)):
            own = {k.removeprefix(f"{part}."): t for k, t in tensors.items() if k.startswith(part)}
            model.load_state_dict(own)
    except (SafetensorError, RuntimeError) as error:
        raise CheckpointError(f"{path} cannot be loaded: {error}") from error
    return Judge(beats, rhythm, version=card["version"], temperature=temperature, device=device)


def read_card(path: Path = SHIPPED) -> dict[str, Any]:
    """Return the card beside the weights ``path``.

    Raises
    ------
    CheckpointError
        If weights or card are absent, or the card is not JSON.
    """
    beside = path.with_suffix(".json")
    for needed in (path, beside):
        if not needed.is_file():
            raise CheckpointError(f"no {needed}: make it with: rhythmwatch train --data DIR")
    try:
        card: dict[str, Any] = json.loads(beside.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise CheckpointError(f"{beside} is not JSON: {error}") from error
    return card


def _version(path: Path, temperature: float) -> str:
    digest = hashlib.sha256(path.read_bytes())
    digest.update(repr(temperature).encode())
    return f"rw-{digest.hexdigest()[:12]}"


def count_parameters(model: torch.nn.Module) -> int:
    """Return how many numbers the model learns."""
    return sum(p.numel() for p in model.parameters())

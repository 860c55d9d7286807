"""Weights and card: what is saved is loaded, what does not fit is refused."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from ecg.checkpoint import SHIPPED, load, read_card, save
from ecg.errors import CheckpointError
from ecg.features import CHANNELS, N_CONTEXT
from ecg.model import BeatEnsemble, BeatLSTM, BeatLSTMSize, RhythmLSTM
from ecg.state import WINDOW


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    torch.manual_seed(1)
    path = tmp_path / "here" / "m.safetensors"
    save(BeatEnsemble([BeatLSTM(BeatLSTMSize(hidden=16))]), RhythmLSTM(), path, temperature=1.5)
    return path


def test_loaded_models_judge_as_the_saved_ones(weights: Path) -> None:
    torch.manual_seed(1)
    model = BeatLSTM(BeatLSTMSize(hidden=16)).eval()
    at_work = load(weights, device="cpu")
    windows = np.ones((1, CHANNELS, WINDOW), np.float32)
    contexts = np.ones((1, N_CONTEXT), np.float32)
    memory = np.zeros((1, 2, at_work.hidden), np.float32)
    said = at_work.judge_beats(np.array([0]), windows, contexts, memory)
    with torch.inference_mode():
        logits = model(torch.from_numpy(windows)[None], torch.from_numpy(contexts)[None])[0, 0]
    assert said[0] == pytest.approx(torch.softmax(logits / 1.5, dim=-1).numpy(), abs=1e-6)
    assert at_work.version == read_card(weights)["version"]


def test_the_shipped_weights_load_and_their_card_says_what_they_are() -> None:
    card = read_card()
    assert load(device="cpu").version == card["version"]
    assert "Not a medical device" in card["intended_use"]
    assert "Open Data Commons" in card["licence"]
    assert SHIPPED.stat().st_size + SHIPPED.with_suffix(".json").stat().st_size < 2_000_000
    taught = {name.split("/")[1] for name in card["records"] if name.startswith("mitdb/")}
    assert "100" not in taught
    assert "101" in taught


def test_absent_weights_say_how_to_make_them(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="rhythmwatch train"):
        load(tmp_path / "none.safetensors")


def test_damaged_weights_are_refused(weights: Path) -> None:
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-1] + b"\x01")
    with pytest.raises(CheckpointError, match="not what its card"):
        load(weights)
    weights.write_bytes(whole)
    weights.with_suffix(".json").write_text("{", encoding="utf-8")
    with pytest.raises(CheckpointError, match="not JSON"):
        load(weights)


@pytest.mark.parametrize(
    ("key", "value"), [("architecture", "Transformer"), ("features", {"window": 90})]
)
def test_weights_made_for_other_code_are_refused(weights: Path, key: str, value: object) -> None:
    beside = weights.with_suffix(".json")
    card = json.loads(beside.read_text(encoding="utf-8"))
    card[key] = value
    beside.write_text(json.dumps(card), encoding="utf-8")
    with pytest.raises(CheckpointError, match=f"another {key}"):
        load(weights)

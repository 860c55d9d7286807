"""The page about a model says what its card says, and shows figures of this model only."""

import json
from pathlib import Path

import pytest

from ecg.checkpoint import SHIPPED, read_card, save
from ecg.errors import CheckpointError
from ecg.model import BeatEnsemble, BeatLSTM, BeatLSTMSize, RhythmLSTM
from ecg.script import Step
from ecg.simulator import Simulator, write_wfdb
from training.hearing import evaluate
from training.model_card import write_model_card
from training.scorecard import scorecard


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "m.safetensors"
    about = {
        "licence": "ODC-By",
        "databases": ["mitdb", "svdb", "nstdb"],
        "records": ["mitdb/101", "mitdb/106", "svdb/800"],
        "opinions": ["challenge2015/a103l"],
    }
    beats = BeatEnsemble([BeatLSTM(BeatLSTMSize())])
    save(beats, RhythmLSTM(), path, temperature=1.0, card=about)
    return path


@pytest.fixture
def figures(tmp_path: Path) -> Path:
    write_wfdb(tmp_path, "p1", Simulator([Step(duration_s=20)], fs=250, seed=1))
    card = scorecard(evaluate(tmp_path, ["p1"], judge=None), from_s=5.0)
    path = tmp_path / "figures.json"
    path.write_text(json.dumps(card))
    return path


def test_the_page_lies_beside_the_weights_and_says_what_the_card_says(weights: Path) -> None:
    page = write_model_card(weights)
    assert page == weights.with_name("README.md")
    text = page.read_text()
    assert read_card(weights)["version"] in text
    assert "ODC-By" in text
    assert "Records that taught beats: 2 of mitdb, 1 of svdb." in text
    assert "what the student's teachers think: 1 of challenge2015." in text
    assert "taught twice again, in noise of nstdb." in text
    assert "Not measured yet" in text
    assert "$ rhythmwatch records download svdb" in text


def test_figures_are_shown_if_they_are_of_this_model_and_stay(weights: Path, figures: Path) -> None:
    with pytest.raises(CheckpointError, match="figures of None"):
        write_model_card(weights, figures=figures)
    card = {"model": read_card(weights)["version"], **json.loads(figures.read_text())}
    figures.write_text(json.dumps(card))
    first = write_model_card(weights, figures=figures).read_text()
    assert "| QRS, 150 ms | 100.00 | 100.00 |" in first
    assert write_model_card(weights).read_text() == first


@pytest.mark.parametrize(
    ("text", "wrong"),
    [("", "holds no figures"), ("[]", "other figures"), ('{"model": "rw-1"}', "other figures")],
)
def test_a_file_of_something_else_is_refused_in_words(
    weights: Path, tmp_path: Path, text: str, wrong: str
) -> None:
    path = tmp_path / "other.json"
    path.write_text(text)
    with pytest.raises(CheckpointError, match=f"{wrong}.*evaluate --json"):
        write_model_card(weights, figures=path)


def test_the_shipped_page_is_of_the_shipped_model() -> None:
    text = SHIPPED.with_name("README.md").read_text()
    version = read_card(SHIPPED)["version"]
    assert f"# Model card of {version}" in text, "run: rhythmwatch model-card"

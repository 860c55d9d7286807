"""The report shows what the figures say, and the strips that were judged wrong."""

from pathlib import Path

import numpy as np
import pytest
import torch

from ecg.judge import Judge
from ecg.model import BeatEnsemble, BeatLSTM, BeatLSTMSize, RhythmLSTM
from ecg.script import Step
from ecg.simulator import Simulator, write_wfdb
from training.calibration import reliability
from training.evaluate import evaluate
from training.report import write_report
from training.scorecard import calibration_of, markdown_of, scorecard


def test_reliability_of_truthful_probabilities_is_near_zero() -> None:
    rng = np.random.default_rng(1)
    probability = rng.random(20_000)
    found = reliability(probability, rng.random(20_000) < probability)
    assert found.error is not None
    assert found.error < 0.02
    assert found.n.sum() == 20_000


def test_reliability_of_boasting_probabilities_is_their_excess() -> None:
    found = reliability(np.full(100, 0.9), np.arange(100) < 60)
    assert found.error == pytest.approx(0.3)
    assert reliability(np.empty(0), np.empty(0, dtype=bool)).error is None


def test_reliability_refuses_what_is_no_probability() -> None:
    with pytest.raises(ValueError, match="within 0 to 1"):
        reliability(np.array([1.2]), np.array([True]))
    with pytest.raises(ValueError, match="shapes"):
        reliability(np.array([0.5]), np.array([True, False]))


def test_the_report_is_one_page_with_figures_and_wrong_strips(tmp_path: Path) -> None:
    write_wfdb(tmp_path, "p1", Simulator([Step(duration_s=40, pvc_per_min=10)], fs=250, seed=1))
    torch.manual_seed(3)  # weights of chance judge most beats wrong
    judge = Judge(
        BeatEnsemble([BeatLSTM(BeatLSTMSize())]), RhythmLSTM(), version="rw-test", device="cpu"
    )
    heard = evaluate(tmp_path, ["p1"], judge=judge)
    card = scorecard(heard, from_s=5.0)
    page = tmp_path / "out" / "report.html"
    write_report(page, card, heard, directory=tmp_path, model="rw-test")
    text = page.read_text(encoding="utf-8")
    assert "Evaluation of rw-test" in text
    assert "Not a medical device" in text
    assert "beats wrong; annotated black, called red" in text
    assert "<script src=" not in text  # self-contained
    assert markdown_of(card).splitlines()[2] == "| % | Se | +P | F1 |"
    assert card["calibration"]["V"] == round(calibration_of(heard, "V", 5.0).error or 0.0, 6)

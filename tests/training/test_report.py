"""The report shows what the figures say, and the strips that were judged wrong."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from ecg.judge import Judge
from ecg.model import BeatEnsemble, BeatLSTM, BeatLSTMSize, RhythmLSTM
from ecg.script import Step
from ecg.simulator import Simulator, write_wfdb
from training.heard import calibration_of
from training.hearing import evaluate
from training.report import write_report
from training.scorecard import scorecard
from training.strips import wrong_beats


def test_the_report_is_one_page_with_figures_and_wrong_strips(tmp_path: Path) -> None:
    write_wfdb(tmp_path, "p1", Simulator([Step(duration_s=40, pvc_per_min=10)], fs=250, seed=1))
    torch.manual_seed(3)  # weights of chance judge most beats wrong
    judge = Judge(
        BeatEnsemble([BeatLSTM(BeatLSTMSize())]), RhythmLSTM(), version="rw-test", device="cpu"
    )
    heard = evaluate(tmp_path, ["p1"], judge=judge)
    card = scorecard(heard, from_s=5.0)
    page = tmp_path / "out" / "report.html"
    noise = {"118 119": {"em": {"6": {"RhythmWatch": {"f1": 0.9}}}}}
    write_report(page, card, heard, directory=tmp_path, names=["p1"], model="rw-test", noise=noise)
    text = page.read_text(encoding="utf-8")
    assert "Evaluation of rw-test" in text
    assert "Not a medical device" in text
    assert "beats wrong" in text
    assert "electrode motion" in text
    assert "Kiranyaz 2016" in text
    assert "<script src=" not in text  # self-contained
    assert text.count("plotly.js v") == 1
    error = calibration_of(heard, "V", 5.0).error
    assert card["calibration"]["V"]["ece"] == round(error or 0.0, 6)


def test_wrong_beats_are_those_missed_miscalled_or_invented(tmp_path: Path) -> None:
    write_wfdb(tmp_path, "p1", Simulator([Step(duration_s=20)], fs=250, seed=1))
    (heard,) = evaluate(tmp_path, ["p1"], judge=None)
    reference, _ = heard.annotations.beats()
    right = replace(heard, samples=reference, classes=np.full(len(reference), "N"))
    assert wrong_beats(right, from_s=0.0).tolist() == []
    called = right.classes.copy()
    called[4] = "V"
    miscalled = replace(right, classes=called)
    assert wrong_beats(miscalled, from_s=0.0).tolist() == [reference[4]]
    without = replace(right, samples=np.delete(reference, 7), classes=right.classes[1:])
    assert wrong_beats(without, from_s=0.0).tolist() == [reference[7]]
    extra = int(reference[9]) + 100
    invented = replace(
        right, samples=np.insert(reference, 10, extra), classes=np.full(len(reference) + 1, "N")
    )
    assert wrong_beats(invented, from_s=0.0).tolist() == [extra]
    assert wrong_beats(invented, from_s=19.0).tolist() == []

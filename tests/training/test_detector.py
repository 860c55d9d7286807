from pathlib import Path
from typing import Any

import numpy as np

from ecg import qrs_weights
from ecg.annotation import Annotations, read_annotations
from ecg.candidate import N_LOOKS
from ecg.reader import read_record
from ecg.script import Step
from ecg.simulator import Simulator, write_wfdb
from training.candidates import Candidates, filtered, hear, label
from training.detector import fit, with_noise, written

FS = 360.0


def test_candidates_are_labelled_and_their_odds_fitted(tmp_path: Path) -> None:
    write_wfdb(tmp_path, "a", Simulator([Step(duration_s=60, rate_bpm=75)], fs=FS, seed=4))
    record = read_record(tmp_path / "a")
    truth = read_annotations(tmp_path / "a")
    clean = filtered(record)
    assert clean.band.shape == (len(clean.trace), len(record.leads))
    chance = np.random.default_rng(3)
    noisy = with_noise(clean, np.ones(clean.band.shape[1]), [clean], chance)
    assert not np.array_equal(noisy.band, clean.band)
    looks, at = hear(noisy, (0,))
    found = label(looks, at, truth, fs=FS, weight=2.0)
    assert found.looks.shape == (len(at), N_LOOKS)
    assert found.targets.sum() <= len(truth.beats()[0])
    assert found.targets.sum() > 50
    net = fit(found, hidden=4, epochs=3)
    names: dict[str, Any] = {}
    exec(written(net), names)  # noqa: S102  # it is Python that we have just written
    assert np.shape(names["HIDDEN"]) == (4, N_LOOKS)
    assert qrs_weights.HIDDEN.shape[1] == N_LOOKS


def test_beats_of_flutter_teach_nothing() -> None:
    at = np.array([100, 300, 500])
    truth = Annotations(samples=np.array([101]), symbols=("N",), rhythms=(), flutter=((280, 320),))
    found = label(np.zeros((3, N_LOOKS), np.float32), at, truth, fs=250.0, weight=1.0)
    assert isinstance(found, Candidates)
    assert found.targets.tolist() == [1.0, 0.0]

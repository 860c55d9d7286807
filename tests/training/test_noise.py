"""Noise on ECGs: as large as stated, where it is stated, and what models learn from it."""

from pathlib import Path

import numpy as np
import pytest

from ecg.annotation import read_annotations
from ecg.errors import RecordError
from ecg.model import ARTEFACT, OUTPUTS
from ecg.reader import read_record
from ecg.script import Step
from ecg.simulator import Simulator, write_wfdb
from tests import need
from tests.training.observed import noises
from training.dataset import observe_noisy, observe_record
from training.noise import add_noise, disturbed

FROM = 300 * 250


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("data")
    (where / "made").mkdir()
    script = (Step(duration_s=420, rate_bpm=75, pvc_per_min=6),)
    for name in "abc":
        write_wfdb(where / "made", name, Simulator(script, fs=250.0, seed=1))
    noises(where)
    return where


def test_noise_has_the_ratio_asked_for_and_begins_at_5_minutes(tmp_path: Path) -> None:
    script = (Step(duration_s=310, rate_bpm=75),)
    write_wfdb(tmp_path, "clean", Simulator(script, fs=250.0, seed=1))
    record = read_record(tmp_path / "clean")
    noise = np.random.default_rng(1).normal(size=(record.n_samples, 2))
    noisy = add_noise(record, read_annotations(tmp_path / "clean"), noise, 6.0)
    added = noisy.millivolts() - record.millivolts()
    assert np.abs(added[: 300 * 250]).max() < 0.002
    beats = read_annotations(tmp_path / "clean").beats()[0]
    for lead in range(2):
        height = np.mean([np.ptp(record.millivolts()[b - 12 : b + 13, lead]) for b in beats[:100]])
        ratio = height**2 / 8 / added[300 * 250 :, lead].var()
        assert 10 * np.log10(ratio) == pytest.approx(6.0, abs=0.3)


def test_name_and_copy_decide_which_noise_a_record_teaches_with(data: Path) -> None:
    added = {}
    for name in "abc":
        record, truth = read_record(data / "made" / name), read_annotations(data / "made" / name)
        noisy = disturbed(record, truth, data / "nstdb")
        again = disturbed(record, truth, data / "nstdb")
        assert np.array_equal(noisy.samples, again.samples)
        other = disturbed(record, truth, data / "nstdb", copy=1)
        assert not np.allclose(noisy.millivolts(), other.millivolts(), atol=0.01)
        added[name] = noisy.millivolts() - record.millivolts()
        assert np.abs(added[name][:FROM]).max() < 0.002
        assert added[name][FROM:].std() > 0.02
    assert not np.allclose(added["a"], added["b"], atol=0.01)


def test_beats_in_noise_are_what_they_were_and_what_else_is_found_is_an_artefact(
    data: Path,
) -> None:
    clean, noisy = observe_record(data / "made" / "a"), observe_noisy(data / "made" / "a")
    assert noisy.record == clean.record == "made/a"
    before = clean.samples < FROM
    assert np.array_equal(noisy.targets[noisy.samples < FROM], clean.targets[before])
    in_noise = noisy.samples >= FROM + 500
    nearest = np.abs(noisy.samples[in_noise, None] - clean.samples[None]).argmin(axis=1)
    off = np.abs(noisy.samples[in_noise] - clean.samples[nearest])
    expected = np.where(off <= 37, clean.targets[nearest], OUTPUTS.index(ARTEFACT))
    assert np.mean(expected == noisy.targets[in_noise]) > 0.95
    assert not np.array_equal(noisy.windows[in_noise], clean.windows[nearest])


def test_without_the_noise_it_is_said_what_is_missing(data: Path, tmp_path: Path) -> None:
    record, truth = read_record(data / "made" / "a"), read_annotations(data / "made" / "a")
    with pytest.raises(RecordError, match="no record"):
        disturbed(record, truth, tmp_path)


@pytest.mark.recordings
def test_noise_made_here_is_that_of_the_noise_stress_test_database() -> None:
    data = need.recordings("nstdb").parent
    record = read_record(need.recordings("mitdb") / "118")
    noise = read_record(data / "nstdb" / "em").millivolts()
    made = add_noise(record, read_annotations(data / "mitdb" / "118"), noise, 6.0)
    theirs = read_record(data / "nstdb" / "118e06")
    at = slice(300 * 360, 420 * 360)
    added = (made.millivolts() - record.millivolts())[at]
    stated = (theirs.samples.astype(float) - record.samples)[at] / 200
    for lead in range(2):
        assert np.corrcoef(added[:, lead], stated[:, lead])[0, 1] > 0.9999
        assert added[:, lead].std() == pytest.approx(stated[:, lead].std(), rel=0.03)

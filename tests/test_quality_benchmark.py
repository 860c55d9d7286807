"""The quality benchmark: noise of the size it states, and counts of what was said."""

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import quality
from benchmarks.quality import Count, Row, Said, markdown
from ecg.annotation import Annotations, read_annotations
from ecg.errors import RecordError
from ecg.record import read_record
from ecg.script import Step
from ecg.simulator import Simulator, write_wfdb
from tests import need
from training.noise import add_noise


def truth_at(*samples: int) -> Annotations:
    return Annotations(
        samples=np.array(samples), symbols=("N",) * len(samples), rhythms=(), flutter=()
    )


def test_beats_and_seconds_are_counted_by_what_was_said_of_their_second() -> None:
    count = Count("x")
    # fit, noisy, fit; a false beat in the noise, a missed one in the last second
    said = Said(fs=100.0, reasons=(None, "noisy", None), beats=np.array([50, 120, 170]))
    count.add(said, truth_at(52, 118, 250))
    row = count.row()
    assert row == Row(
        what="x", minutes=3 / 60, unfit=1 / 3, reasons="noisy 0.3333",
        se_fit=0.5, ppv_fit=1.0, se_unfit=1.0, ppv_unfit=0.5,
    )  # fmt: skip
    assert "| x | 0.1 | 0.3333 | noisy 0.3333 | 0.5000 | 1.0000 |" in markdown([row])


def test_seconds_that_are_not_asked_for_do_not_count() -> None:
    count = Count("x")
    said = Said(fs=100.0, reasons=("flat", None), beats=np.array([50, 150]))
    count.add(said, truth_at(50, 150), np.array([False, True]))
    assert (count.row().unfit, count.row().se_fit, count.row().se_unfit) == (0.0, 1.0, None)


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


def test_a_directory_without_recordings_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="--data"):
        quality.main(["--data", str(tmp_path)])


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


@pytest.mark.recordings
def test_electrode_motion_is_called_noisy_and_the_clean_signal_is_not() -> None:
    data = need.recordings("nstdb").parent
    noisy, between = quality.stress(data, "em", -6, names=("119",), seconds=545)
    assert noisy.unfit is not None
    assert noisy.unfit > 0.7
    assert between.unfit is not None
    assert between.unfit < 0.05
    shifted = quality.offset(data, ("119",))
    assert shifted.unfit is not None
    assert shifted.unfit < 0.01


@pytest.mark.recordings
def test_the_benchmark_prints_its_rows_as_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    data = need.recordings("mitdb").parent
    monkeypatch.setattr(
        quality, "measured", lambda data: [quality.clean(data, "mitdb", ["101"], seconds=60)]
    )
    quality.main(["--data", str(data), "--markdown", str(tmp_path / "table.md")])
    rows = json.loads(capsys.readouterr().out)
    assert [(row["what"], row["minutes"], row["unfit"]) for row in rows] == [
        ("mitdb, 1 records", pytest.approx(59 / 60), 0.0)
    ]
    assert "mitdb, 1 records" in (tmp_path / "table.md").read_text(encoding="utf-8")

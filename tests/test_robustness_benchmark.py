"""The changes of the robustness benchmark are what they say, and find the same beats."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks import robustness
from benchmarks.robustness_page import markdown
from ecg.script import Step
from ecg.simulator import Simulator, write_wfdb
from training.hearing import annotated, hear
from training.scorecard import brief


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("data")
    simulator = Simulator([Step(duration_s=12, rate_bpm=75)], fs=360, leads=("II", "V1"), seed=1)
    write_wfdb(where, "p1", simulator)
    return where


def test_every_change_leaves_the_beats_where_they_are(directory: Path) -> None:
    rows = robustness.changed(directory, ["p1"], None, from_s=5.0)
    assert len(rows) == 5 + len(robustness.GAINS) + len(robustness.RATES)
    assert {name: row["qrs"]["se"] for name, row in rows.items()} == dict.fromkeys(rows, 1.0)


def test_changes_change_what_they_say(directory: Path) -> None:
    record, truth = annotated(directory / "p1")
    millivolts = record.millivolts()
    turned, _ = robustness.scaled(record, truth, by=-1.0)
    assert np.allclose(turned.millivolts(), -millivolts)
    quarter, _ = robustness.scaled(record, truth, by=0.25)
    assert np.allclose(quarter.millivolts(), millivolts / 4)
    exchanged, _ = robustness.swapped(record, truth)
    assert exchanged.leads == record.leads
    assert np.allclose(exchanged.millivolts(), millivolts[:, ::-1])
    alone, _ = robustness.one_lead(record, truth, column=1)
    assert alone.leads == ("V1",)
    slower, moved = robustness.resampled(record, truth, fs=128.0)
    assert slower.duration_s == pytest.approx(record.duration_s, abs=0.01)
    assert np.allclose(moved.samples / 128.0, truth.samples / 360.0, atol=0.005)


def test_short_recordings_are_counted_without_annotations(directory: Path, tmp_path: Path) -> None:
    write_wfdb(tmp_path, "A1", Simulator([Step(duration_s=10)], fs=300, seed=2))
    (tmp_path / "REFERENCE.csv").write_text("A1,N\nA2,N\nA3,~\n")
    row = robustness.short_records(tmp_path, "N", None)
    assert row["records"] == 1
    assert row["hours"] == pytest.approx(10 / 3600, abs=1e-3)
    assert row["v_per_hour"] == 0.0
    assert row["unfit_share"] == 0.0


def test_page_shows_every_figure_and_dashes_for_none(directory: Path) -> None:
    rows = robustness.changed(directory, ["p1"], None, from_s=5.0)
    short = {"records": 1, "hours": 0.1, "v_per_hour": 2.5, "vf_seconds_per_hour": 0.0}
    text = markdown(
        {
            "model": "rw-1",
            "stranger": "rw-2",
            "set": "DS1",
            "records": ["p1"],
            "changed": rows,
            "cross": {"svdb": {"records": 52, **rows["as recorded"]}},
            "short": {"normal": {**short, "unfit_share": 0.0123}},
        }
    )
    assert "| leads swapped | 100.00 | 100.00 | - | - |" in text
    assert "| svdb, 52 records | 100.00 |" in text
    assert "| normal | 1 | 0.10 | 2.5 | 0.0 | 1.23 |" in text


def test_records_that_examine_are_refused_unless_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        robustness.main(["--data", str(tmp_path), "--records", "101,100"])
    assert "100 examine: say --ds2" in capsys.readouterr().err


def test_original_is_not_touched_by_a_change(directory: Path) -> None:
    record, truth = annotated(directory / "p1")
    before = record.samples.copy()
    for _, change in robustness.changes():
        change(record, truth)
    assert np.array_equal(record.samples, before)
    (heard,) = hear([(replace(record, name="other"), truth)], judge=None)
    assert brief([heard], from_s=5.0)["qrs"]["se"] == 1.0

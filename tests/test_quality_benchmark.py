"""The quality benchmark: noise of the size it states, and counts of what was said."""

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import quality
from benchmarks.quality import Count, Row, Said, markdown
from ecg.annotation import Annotations
from ecg.errors import RecordError
from ecg.script import Step
from ecg.simulator import Simulator, write_wfdb
from tests import need


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


def test_a_directory_without_recordings_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="--data"):
        quality.main(["--data", str(tmp_path)])


def test_all_of_the_seconds_before_an_alarm_are_looked_at(tmp_path: Path) -> None:
    for folder, name in (("challenge2015", "a1"), ("vfdb", "v1")):
        (tmp_path / folder).mkdir()
        simulator = Simulator([Step(duration_s=300)], fs=250, seed=1)
        write_wfdb(tmp_path / folder, name, simulator)
    (tmp_path / "challenge2015" / "ALARMS").write_text("a1,Asystole,1\n", encoding="ascii")
    before, _ = quality.marked(tmp_path, "Asystole", "ASYS")
    assert (before.minutes, before.unfit) == (quality.ALARM_S / 60, 0.0)


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
        ("mitdb, 1 records", 1.0, 0.0)
    ]
    assert "mitdb, 1 records" in (tmp_path / "table.md").read_text(encoding="utf-8")

"""The benchmark of alarms on recordings: what it counts, and when an alarm is in time."""

from pathlib import Path

import pytest

from benchmarks import episodes
from benchmarks.episodes import Holding, Watched, bedside, score, ventricular
from benchmarks.episodes_page import markdown
from ecg.checkpoint import load
from ecg.script import Step
from ecg.simulator import Simulator, write_wfdb

SINUS = Step(duration_s=40, rate_bpm=70)


def listed(folder: Path, *names: str) -> None:
    (folder / "RECORDS").write_text("".join(f"{name}\n" for name in names), encoding="ascii")


@pytest.mark.parametrize(
    ("raised_s", "end_s", "counts"),
    [(280, 289, False), (280, 291, True), (301, 305, True), (303, 305, False)],
)
def test_an_alarm_counts_when_it_holds_in_the_time_that_is_looked_at(
    raised_s: float, end_s: float, counts: bool
) -> None:
    held = Holding(code="vt", raised_s=raised_s, end_s=end_s)
    first_s = episodes.ALARM_AT_S - episodes.BEFORE_S
    assert held.overlaps(first_s, episodes.ALARM_AT_S + episodes.AFTER_S) is counts


def test_alarms_at_the_bedside_are_counted_by_what_people_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(episodes, "ALARM_AT_S", 67.0)
    pause = [SINUS, Step(duration_s=10, rhythm="asystole"), Step(duration_s=20, rate_bpm=70)]
    write_wfdb(tmp_path, "a1", Simulator(pause, fs=250, seed=1))
    write_wfdb(tmp_path, "a2", Simulator([Step(duration_s=70)], fs=250, seed=2))
    (tmp_path / "ALARMS").write_text("a1,Asystole,1\na2,Asystole,0\n", encoding="ascii")
    none = bedside(tmp_path, load())
    assert none["Asystole"] == {"true": 1, "false": 1, "true, raised": 0, "false, raised": 0}
    monkeypatch.setattr(episodes, "ALARM_AT_S", 48.0)
    rows = bedside(tmp_path, load())
    assert rows["Asystole"] == {"true": 1, "false": 1, "true, raised": 1, "false, raised": 0}
    assert (score(none), score(rows)) == (1 / 6, 1.0)


def test_a_tachycardia_is_alarmed_soon_and_elsewhere_there_is_none(tmp_path: Path) -> None:
    script = [SINUS, Step(duration_s=12, rhythm="vt", rate_bpm=170), SINUS]
    write_wfdb(tmp_path, "v1", Simulator(script, fs=250, seed=3))
    listed(tmp_path, "v1")
    found = ventricular(tmp_path, load())
    vt = found["rhythms"]["VT"]
    assert (vt["stretches"], vt["raised"]) == (1, 1)
    assert 0 < vt["delay_s"] < 5
    assert 0.4 < vt["held"] <= 1
    assert (found["elsewhere"]["vt"], found["elsewhere"]["vf"]) == (0, 0)
    assert found["elsewhere"]["held_s"] == 0
    assert found["elsewhere"]["hours"] == pytest.approx(80 / 3600, abs=0.01)
    row = {"true": 2, "true, raised": 1, "false": 3, "false, raised": 0}
    page = markdown(
        {"model": "m", "bedside": {"Asystole": row}, "score": 0.5, "ventricular": found}
    )
    assert "| asystole | 2 | 1 | 3 | 0 |" in page
    assert "| ventricular flutter | 0 | 0 | - | - |" in page


def test_an_alarm_that_goes_on_into_another_rhythm_is_counted_as_long_as_it_holds_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = [SINUS, Step(duration_s=10, rhythm="vt", rate_bpm=170), SINUS]
    write_wfdb(tmp_path, "v1", Simulator(script, fs=250, seed=3))
    listed(tmp_path, "v1")
    vt = Holding(code="vt", raised_s=42, end_s=600)
    one = Watched(name="v1", fs=250, n_samples=90 * 250, holding=(vt,))
    monkeypatch.setattr(episodes, "watch", lambda *_: [one])
    elsewhere = ventricular(tmp_path, None)["elsewhere"]
    assert (elsewhere["vt"], elsewhere["vf"]) == (0, 0)
    # from 5 s after the stretch to the end of the recording
    assert elsewhere["held_s"] == pytest.approx(35, abs=0.5)

"""Each condition is raised when its criterion holds, and not just below it."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from msgspec import structs

from ecg.alarm import Limits
from ecg.alarm_cycle import PatientAlarms
from ecg.criteria import CRITERIA
from ecg.finding import BeatClass, Gap, Unfit
from tests.ecg.alarms import raised, told
from tests.story import FS, Story, regular

Beats = list[tuple[float, BeatClass | None]]


def run_of(n: int, *, rate: float, at: float = 20.25, beat_class: BeatClass = "V") -> Beats:
    """``n`` V beats within a normal rhythm of 75/min."""
    step = 60.0 / rate
    run: Beats = [(at + i * step, beat_class) for i in range(n)]
    return [*regular(75, end=at - 0.3), *run, *regular(75, start=run[-1][0] + 0.8, end=50)]


def test_nothing_is_raised_when_the_rhythm_is_normal() -> None:
    assert told(Story(seconds=120, beats=regular(75, end=120))) == []


def test_asystole_is_raised_after_four_seconds_without_a_beat() -> None:
    beats = regular(75, end=20.2)
    last_r = round(beats[-1][0] * FS)
    event = raised(Story(seconds=28, beats=beats))["asystole"]
    assert event.onset_sample == last_r
    assert (event.sample - last_r) / FS == pytest.approx(4.0, abs=1.6)
    assert event.sample - last_r >= 4.0 * FS
    assert event.text == "*** ASYSTOLE 4 s"
    assert (event.priority, event.limit, event.unit) == ("high", 4.0, "s")


def test_asystole_is_not_raised_when_the_next_beat_comes_before_four_seconds() -> None:
    beats = [*regular(75, end=20.2), *regular(75, start=23.9, end=40)]
    assert "asystole" not in raised(Story(seconds=40, beats=beats))


def test_asystole_counts_only_fit_signal() -> None:
    beats = [*regular(75, end=20.2), *regular(75, start=24.5, end=40)]
    unfit: dict[int, Unfit] = {22: "noisy"}
    assert "asystole" not in raised(Story(seconds=40, beats=beats, unfit=unfit))
    assert "asystole" in raised(Story(seconds=40, beats=beats))


def test_asystole_without_any_beat_waits_for_the_detector_to_learn() -> None:
    assert "asystole" not in raised(Story(seconds=8, warm_up_s=30))
    assert raised(Story(seconds=10, warm_up_s=30))["asystole"].onset_sample == FS


def test_asystole_is_not_raised_while_the_rhythm_is_fibrillation() -> None:
    story = Story(seconds=40, beats=regular(75, end=20.2), vf=range(22, 41))
    assert set(raised(story)) == {"vf"}


def test_vf_is_raised_when_windows_cover_four_seconds_of_it() -> None:
    event = raised(Story(seconds=40, beats=regular(75, end=40), vf=range(22, 30)))["vf"]
    assert event.onset_sample == 18 * FS
    assert event.sample == 22 * FS
    assert event.probability == 0.95
    assert event.text == "*** VF 4 s"


def test_vf_is_not_raised_when_shorter_windows_cover_less() -> None:
    whole = Story(seconds=40, beats=regular(75, end=40), vf=[22, 23]).whole()
    halves = tuple(structs.replace(w, first_sample=w.end_sample - 500) for w in whole.windows)
    short = structs.replace(whole, windows=halves)  # two windows of 2 s, one second apart: 3 s
    assert PatientAlarms("p1").fold(short) == []


def test_vf_goes_on_across_a_window_that_cannot_be_judged() -> None:
    story = Story(seconds=40, beats=regular(75, end=40), vf=[22, 23, 25, 26], no_rhythm=[24])
    events = told(story)
    assert [e.event for e in events if e.code == "vf"][:1] == ["raised"]
    assert len({e.alarm_id for e in events}) == 1


def test_beats_found_in_fibrillation_make_no_runs() -> None:
    shaking: Beats = [(t / 10, "V" if t % 8 else "N") for t in range(200, 300, 4)]
    beats = [*regular(75, end=20), *shaking, *regular(75, start=31, end=50)]
    codes = set(raised(Story(seconds=50, beats=beats, vf=range(22, 31))))
    assert codes == {"vf"}


def test_vt_is_raised_at_the_fifth_fast_v() -> None:
    event = raised(Story(seconds=50, beats=run_of(5, rate=180)))["vt"]
    assert event.onset_sample == round(20.25 * FS)
    assert event.sample >= round((20.25 + 4 / 3) * FS)
    assert event.text == "*** VT 180/min, 5 V"
    assert event.value == pytest.approx(180, abs=2)
    assert event.probability == pytest.approx(0.9)


def test_vt_text_counts_on_in_updates_when_the_run_is_long() -> None:
    events = told(Story(seconds=60, beats=run_of(60, rate=180)))
    vt = [e for e in events if e.code == "vt"]
    assert [e.event for e in vt] == ["raised", "updated", "updated", "condition_ended"]
    gaps = [b.sample - a.sample for a, b in pairwise(vt[:-1])]
    assert all(gap >= 5 * FS for gap in gaps)


@pytest.mark.parametrize(
    ("called_v", "rate_after", "goes_on"),
    [(12, 160, True), (12, 172, True), (11, 160, False), (12, 180, False), (12, 140, False)],
)
def test_a_tachycardia_that_lasts_goes_on_with_beats_at_its_rate(
    called_v: int, rate_after: float, goes_on: bool
) -> None:
    end_of_v = 20.25 + (called_v - 1) * 60 / 160
    start = end_of_v + 60 / rate_after
    beats = [
        *regular(75, end=19.95),
        *((20.25 + i * 60 / 160, "V") for i in range(called_v)),
        *regular(rate_after, start=start, end=start + 15, beat_class="S"),
        *regular(75, start=start + 16, end=60),
    ]
    vt = [e for e in told(Story(seconds=60, beats=beats)) if e.code == "vt"]
    assert vt[-1].event == "condition_ended"
    held_s = vt[-1].sample / FS - end_of_v
    assert held_s > 15 if goes_on else held_s < 6


@pytest.mark.parametrize(
    ("rate", "likely", "vt"),
    [
        (150, [0.3, 0.7, 0.7, 0.3, 0.8], True),
        (150, [0.3, 0.6, 0.7, 0.3, 0.8], False),  # 0.54 in the mean
        (150, [0.1, 0.9, 0.9, 0.9, 0.9], False),  # the first is none
        (150, [0.9, 0.9, 0.1, 0.9, 0.9], False),
        (90, [0.3, 0.7, 0.7, 0.3, 0.8], False),
    ],
)
def test_vt_is_raised_by_beats_that_are_likely_v_though_some_are_called_s(
    rate: float, likely: list[float], vt: bool
) -> None:
    run: Beats = [(20.25 + k * 60 / rate, "V" if p > 0.5 else "S") for k, p in enumerate(likely)]
    normal = (regular(75, end=19.9), regular(75, start=24.5, end=40))
    whole = Story(seconds=40, beats=[*normal[0], *run, *normal[1]]).whole()
    beats = list(whole.beats)
    first = next(k for k, beat in enumerate(beats) if beat.sample >= 20.2 * FS)
    for k, p in enumerate(likely, first):
        beats[k] = structs.replace(beats[k], probabilities=(0.0, 1.0 - p, p, 0.0, 0.0))
    events = PatientAlarms("p1").fold(structs.replace(whole, beats=tuple(beats)))
    said = [e for e in events if e.code == "vt" and e.event == "raised"]
    assert bool(said) == vt
    assert all((e.text[-3:], e.onset_sample) == ("5 V", round(20.25 * FS)) for e in said)


@pytest.mark.parametrize(
    ("n", "rate", "codes"),
    [
        (4, 180, {"nsvt"}),
        (3, 110, {"nsvt"}),
        (3, 90, {"v_run"}),
        (2, 180, {"v_pair"}),
        (1, 180, set()),
        (5, 90, {"vent_rhythm"}),
        (5, 101, {"vt"}),
        (5, 99, {"vent_rhythm"}),
    ],
)
def test_a_run_is_named_by_its_length_and_rate(n: int, rate: float, codes: set[str]) -> None:
    story = Story(seconds=40, beats=run_of(n, rate=rate))
    assert set(raised(story)) == codes


def test_the_heart_rate_is_not_held_against_a_vt_that_is_over() -> None:
    story = Story(seconds=50, beats=run_of(30, rate=180))
    assert set(raised(story)) == {"vt", "v_per_min"}


@pytest.mark.parametrize("reason", ["lead_off", "noisy"])
def test_the_heart_rate_does_not_reach_across_unfit_signal(reason: Unfit) -> None:
    unfit: dict[int, Unfit] = dict.fromkeys(range(20, 29), reason)
    beats = [*regular(75, end=20), *regular(75, start=28.5, end=60)]
    story = Story(seconds=60, beats=beats, unfit=unfit)
    assert min(s.heart_rate_bpm or 99 for s in story.whole().statuses) < 50
    assert {e.kind for e in told(story)} == {"technical"}


def test_a_slow_heart_is_found_soon_after_unfit_signal() -> None:
    unfit: dict[int, Unfit] = dict.fromkeys(range(20, 29), "noisy")
    beats = [*regular(75, end=20), *regular(36, start=29.5, end=60)]
    event = raised(Story(seconds=60, beats=beats, unfit=unfit))["extreme_brady"]
    assert event.sample < 40 * FS


def test_the_heart_rate_after_asystole_is_that_of_the_beats_after_it() -> None:
    beats = [*regular(75, end=20), *regular(75, start=28.5, end=60)]
    assert set(raised(Story(seconds=60, beats=beats))) == {"pause", "asystole"}


def test_an_unclear_beat_does_not_end_a_run_nor_count_in_it() -> None:
    beats = run_of(6, rate=180)
    at = next(i for i, beat in enumerate(beats) if beat[1] == "V") + 2
    unclear: Beats = [*beats[:at], (beats[at][0], None), *beats[at + 1 :]]
    broken: Beats = [*beats[:at], (beats[at][0], "N"), *beats[at + 1 :]]
    assert "vt" in raised(Story(seconds=40, beats=unclear))
    assert "vt" not in raised(Story(seconds=40, beats=broken))


def test_v_per_minute_is_raised_above_ten() -> None:
    def with_v(n: int) -> Story:
        beats = regular(75, end=90)
        spread = {5 * (i + 1) for i in range(n)}
        return Story(
            seconds=90, beats=[(t, "V" if i in spread else "N") for i, (t, _) in enumerate(beats)]
        )

    assert "v_per_min" not in raised(with_v(10))
    event = raised(with_v(11))["v_per_min"]
    assert event.text == "V/MIN 11>10"
    assert event.onset_sample == round(with_v(11).beats[55][0] * FS)


@pytest.mark.parametrize(
    ("rate", "text"),
    [
        (119, None),
        (120, None),
        (134, "HR 134>120"),
        (140, "HR 140>120"),
        (150, "*** EXTREME TACHY 150>140"),
        (50, None),
        (45, "HR 45<50"),
        (40, "HR 40<50"),
        (36, "*** EXTREME BRADY 36<40"),
    ],
)
def test_the_heart_rate_is_held_against_its_limits(rate: float, text: str | None) -> None:
    said = raised(Story(seconds=60, beats=regular(rate, end=60)))
    assert [e.text for e in said.values()] == ([] if text is None else [text])


def test_limits_of_the_patient_are_used() -> None:
    story = Story(seconds=60, beats=regular(134, end=60))
    assert raised(story, limits=Limits(hr_high=140.0)) == {}


def test_a_pause_is_raised_above_two_and_a_half_seconds() -> None:
    def with_pause(length: float) -> Story:
        beats = regular(75, end=20.2)
        return Story(seconds=40, beats=[*beats, *regular(75, start=beats[-1][0] + length, end=40)])

    assert "pause" not in raised(with_pause(2.4))
    event = raised(with_pause(2.6))["pause"]
    assert event.text == "PAUSE 2.6 s>2.5"
    assert event.onset_sample == round(regular(75, end=20.2)[-1][0] * FS)


def test_a_pause_across_unfit_signal_is_none() -> None:
    beats = [*regular(75, end=20.2), *regular(75, start=23.3, end=40)]
    unfit: dict[int, Unfit] = {22: "noisy"}
    assert "pause" not in raised(Story(seconds=40, beats=beats, unfit=unfit))


def test_warm_up_raises_only_asystole_and_vf() -> None:
    fast = Story(seconds=29, beats=regular(180, end=29, beat_class="V"), warm_up_s=30)
    assert raised(fast) == {}
    assert "vt" in raised(replace(fast, seconds=40, beats=regular(180, end=40, beat_class="V")))
    still = Story(seconds=29, beats=regular(75, end=10), warm_up_s=30)
    assert set(raised(still)) == {"asystole"}
    vf = Story(seconds=29, beats=regular(75, end=10), vf=range(12, 30), warm_up_s=30)
    assert set(raised(vf)) == {"vf"}


def test_a_gap_ends_a_run() -> None:
    whole = Story(seconds=40, beats=run_of(6, rate=180)).whole()
    at = round(21.3 * FS)
    gap = Gap(first_sample=at - 75, end_sample=at, decided_sample=at + 50, reset=False)
    events = PatientAlarms("p1").fold(structs.replace(whole, gaps=(gap,)))
    assert "vt" not in {e.code for e in events}


@pytest.mark.parametrize(
    ("name", "value"), [("hr_high", 500.0), ("asystole_s", 60.0), ("v_per_min", 0.0)]
)
def test_a_limit_that_would_switch_an_alarm_off_is_refused(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{name} must be from"):
        Limits(**{name: value})


def test_crossed_limits_are_refused() -> None:
    with pytest.raises(ValueError, match="hr_low must be below hr_high"):
        Limits(hr_low=110.0, hr_high=100.0)


def test_the_page_names_every_condition_with_its_priority() -> None:
    page = (Path(__file__).parents[2] / "docs" / "concepts" / "alarms.md").read_text("utf-8")
    rows = [line.split("|")[1:-1] for line in page.splitlines() if line.startswith("| `")]
    told = {
        code.strip(" `"): (priority.split(",")[0].strip(), chain.strip(), "latches" in priority)
        for codes, _, priority, chain in rows
        for code in codes.split(",")
    }
    assert told == {
        key: (criterion.priority, criterion.chain, criterion.latches)
        for key, criterion in CRITERIA.items()
        if not key.endswith(".some")
    }

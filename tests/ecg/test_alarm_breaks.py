"""Alarms where the signal breaks off: nothing counts as over that nobody saw end."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from msgspec import structs

from ecg.alarm import AlarmEvent
from ecg.finding import Findings, Gap
from tests.ecg.alarms import kinds, told
from tests.ecg.alarms import until as told_until
from tests.story import FS, Story, cut, regular

SLOW = Story(seconds=120, beats=regular(45, end=120))
FAST_V = Story(
    seconds=120,
    beats=[*regular(75, end=20), *regular(130, start=20.2, end=120, beat_class="V")],
)
STOPS = Story(seconds=120, beats=regular(75, end=40))
CODES = ["hr_low", "vt", "asystole"]


def lost(whole: Findings, start: float, end: float) -> Findings:
    """Return what is said where the samples from ``start`` to ``end``, in s, never came."""
    first, last = round(start * FS), round(end * FS)
    beats, before = [], None
    for beat in whole.beats:
        if not first <= beat.sample < last:
            through = before is not None and before < first <= beat.sample
            beats.append(structs.replace(beat, rr_s=None) if through else beat)
            before = beat.sample
    gap = Gap(first_sample=first, end_sample=last, decided_sample=last, reset=end - start > 60)
    return structs.replace(
        whole,
        spans=tuple(s for s in whole.spans if not first <= s.first_sample < last),
        beats=tuple(b for b in beats if not first <= b.decided_sample < last),
        windows=tuple(w for w in whole.windows if w.first_sample >= last or w.end_sample <= first),
        statuses=tuple(s for s in whole.statuses if not first < s.sample <= last),
        gaps=(*whole.gaps, gap),
    )


def of(events: Sequence[AlarmEvent], code: str) -> list[tuple[str, str | None]]:
    return [(e.event, e.reason) for e in events if e.code == code and e.event != "updated"]


def heard(findings: Findings) -> list[AlarmEvent]:
    alarms, _ = told_until(SLOW, 0.0)
    return alarms.fold(structs.replace(findings, stream="broken"))


@pytest.mark.parametrize(
    ("code", "story"), [("hr_low", SLOW), ("vt", FAST_V), ("asystole", STOPS)], ids=CODES
)
def test_an_alarm_goes_on_over_a_lost_chunk(code: str, story: Story) -> None:
    assert of(heard(lost(story.whole(), 70.0, 70.25)), code) == [("raised", None)]


@pytest.mark.parametrize(
    ("code", "story"), [("hr_low", SLOW), ("vt", FAST_V), ("asystole", STOPS)], ids=CODES
)
def test_an_alarm_goes_on_over_a_noisy_second(code: str, story: Story) -> None:
    assert of(told(replace(story, unfit={70: "noisy"})), code) == [("raised", None)]


def test_fibrillation_goes_on_over_a_noisy_second() -> None:
    story = Story(seconds=60, beats=regular(75, end=20), vf=range(24, 61), unfit={40: "noisy"})
    events = [event for event in told(story) if event.code == "vf"]
    assert of(events, "vf") == [("raised", None)]
    lasted = [event.value or 0.0 for event in events]
    assert lasted == sorted(lasted)
    assert lasted[-1] > 30


def test_what_a_long_gap_hides_is_not_told_as_over_and_is_announced_again() -> None:
    fast = Story(seconds=120, beats=regular(130, end=120))
    events = of(heard(lost(fast.whole(), 30.0, 70.0)), "hr_high")
    assert events == [
        ("raised", None),
        ("ended", "not judged: signal interrupted"),
        ("raised", None),
    ]


def test_a_rate_that_is_well_after_a_break_ends_its_alarm() -> None:
    story = Story(
        seconds=120,
        beats=[*regular(45, end=70), *regular(75, start=71, end=120)],
        unfit={70: "noisy"},
    )
    assert of(told(story), "hr_low") == [("raised", None), ("ended", None)]


def test_a_beat_ends_asystole_after_a_break() -> None:
    story = Story(
        seconds=90,
        beats=[*regular(75, end=40), *regular(75, start=60, end=90)],
        unfit={59: "noisy"},
    )
    assert of(told(story), "asystole") == [("raised", None), ("condition_ended", None)]


def test_normal_beats_after_a_break_end_a_tachycardia() -> None:
    story = replace(
        FAST_V,
        beats=[
            *regular(75, end=20),
            *regular(130, start=20.2, end=60, beat_class="V"),
            *regular(75, start=61, end=120),
        ],
        unfit={60: "noisy"},
    )
    assert of(told(story), "vt") == [("raised", None), ("condition_ended", None)]


def test_a_rate_that_nobody_can_tell_after_a_break_is_not_told_as_over() -> None:
    story = Story(seconds=60, beats=regular(45, end=29.5), unfit=dict.fromkeys((30, 31), "noisy"))
    # no beat comes: asystole takes over, and of the rate nothing is known
    events = told(story)
    assert ("asystole", "raised") in kinds(events)
    assert ("ended", None) not in of(events, "hr_low")


@pytest.mark.parametrize("rate", [130, 45])
def test_the_rate_before_fibrillation_is_not_announced_after_it(rate: float) -> None:
    beats = [
        *regular(rate, end=30),
        *regular(100, start=30.3, end=110),
        *regular(70, start=110.8, end=150),
    ]
    events = told(Story(seconds=150, beats=beats, vf=range(33, 111)))
    assert {e.code for e in events if e.event == "raised" and e.sample > 35 * FS} == set()


@pytest.mark.parametrize("unit", ["noisy second", "lost chunk"])
def test_a_condition_that_has_passed_does_not_go_on_by_more_breaks(unit: str) -> None:
    story = Story(seconds=200, beats=[*regular(140, end=45), *regular(75, start=45.8, end=200)])
    if unit == "noisy second":
        events = told(replace(story, unfit=dict.fromkeys(range(46, 200, 3), "noisy")))
    else:
        whole = story.whole()
        for k in range(60):
            whole = lost(whole, 46 + 2.5 * k, 46.25 + 2.5 * k)
        events = heard(whole)
    (ended,) = [e for e in events if e.code == "hr_high" and e.event == "ended"]
    assert ended.sample < 80 * FS


def test_state_is_the_same_however_broken_findings_are_cut() -> None:
    whole = structs.replace(lost(SLOW.whole(), 70.0, 70.25), stream="broken")
    alarms, _ = told_until(SLOW, 0.0)
    pieces = cut(whole, range(0, round(120 * FS), 61))
    assert [e for piece in pieces for e in alarms.fold(piece)] == heard(whole)

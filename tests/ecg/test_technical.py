"""Signals that cannot be judged are said, each by its own alarm."""

import pytest
from msgspec import structs

from ecg.alarm_cycle import PatientAlarms
from ecg.finding import Unfit
from tests.ecg.alarms import raised, told
from tests.story import FS, Story, regular


@pytest.mark.parametrize(
    ("reason", "code", "priority"),
    [
        ("missing", "no_data", "high"),
        ("lead_off", "lead_off", "high"),
        ("flat", "flat", "high"),
        ("clipped", "clipped", "low"),
        ("noisy", "noisy", "low"),
    ],
)
def test_unfit_signal_is_a_technical_alarm_when_it_lasts(
    reason: Unfit, code: str, priority: str
) -> None:
    beats = regular(75, end=60)
    short: dict[int, Unfit] = {20: reason, 21: reason}
    assert raised(Story(seconds=60, beats=beats, unfit=short)) == {}
    long: dict[int, Unfit] = {**short, 22: reason}
    events = told(Story(seconds=60, beats=beats, unfit=long))
    assert [(e.code, e.event, e.priority) for e in events] == [
        (code, "raised", priority),
        (code, "ended", priority),
    ]
    assert events[0].kind == "technical"
    assert events[0].onset_sample == 20 * FS


def test_an_unjudged_signal_grows_to_high_priority_when_it_stays() -> None:
    unfit: dict[int, Unfit] = dict.fromkeys(range(20, 61), "noisy")
    events = told(Story(seconds=60, beats=regular(75, end=20), unfit=unfit))
    assert [(e.event, e.priority) for e in events] == [("raised", "low"), ("updated", "high")]
    assert events[1].sample - events[1].onset_sample >= 30 * FS


def test_one_lead_of_several_is_a_low_alarm_that_names_it() -> None:
    off: dict[int, Unfit] = dict.fromkeys(range(20, 40), "lead_off")
    (event,) = raised(Story(seconds=60, beats=regular(75, end=60), unfit_lead=off)).values()
    assert (event.text, event.priority, event.leads) == ("LEAD OFF V1", "low", ("V1",))


def test_one_lead_gives_way_when_all_are_off() -> None:
    some: dict[int, Unfit] = dict.fromkeys(range(20, 30), "lead_off")
    whole: dict[int, Unfit] = dict.fromkeys(range(30, 40), "lead_off")
    events = told(Story(seconds=40, beats=regular(75, end=30), unfit_lead=some, unfit=whole))
    assert [(e.text, e.event) for e in events[:3]] == [
        ("LEAD OFF V1", "raised"),
        ("LEADS OFF", "raised"),
        ("LEAD OFF V1 (gives way to LEADS OFF)", "ended"),
    ]


def test_a_model_that_is_not_loaded_is_said() -> None:
    story = Story(seconds=30, beats=regular(75, end=30), no_model=range(1, 20))
    events = told(story)
    assert [(e.code, e.event) for e in events] == [("no_model", "raised"), ("no_model", "ended")]


def test_unfit_signal_raises_no_arrhythmia_alarm() -> None:
    unfit: dict[int, Unfit] = dict.fromkeys(range(1, 41), "noisy")
    story = Story(seconds=40, beats=regular(180, end=40, beat_class="V"), unfit=unfit)
    assert set(raised(story)) == {"noisy"}


def test_a_jump_of_the_source_clock_is_said() -> None:
    whole = Story(seconds=90, beats=regular(75, end=90)).whole()
    spans = tuple(
        structs.replace(s, source_ns=s.source_ns + (s.first_sample >= 2500) * 8 * 10**9)
        for s in whole.spans
    )
    events = PatientAlarms("p1").fold(structs.replace(whole, spans=spans))
    assert [(e.code, e.event, e.text) for e in events] == [
        ("clock_jump", "raised", "CLOCK JUMP +8 s"),
        ("clock_jump", "ended", "CLOCK JUMP +8 s"),
    ]

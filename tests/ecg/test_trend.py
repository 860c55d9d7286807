"""One-minute summaries against counts made by hand."""

from dataclasses import replace

import pytest
from msgspec import structs

from ecg.alarm_cycle import PatientAlarms
from ecg.finding import Unfit
from tests.story import FS, START_NS, Story, cut, regular


def test_a_minute_counts_its_beats_rates_and_unfit_seconds() -> None:
    unfit: dict[int, Unfit] = dict.fromkeys(range(50, 55), "noisy")
    beats = [*regular(60, end=60), *regular(120, start=60.1, end=130, beat_class="V")]
    alarms = PatientAlarms("p1")
    alarms.fold(Story(seconds=130, beats=beats, unfit=unfit).whole())
    first, second = alarms.minutes()
    assert (first.first_sample, first.end_sample) == (0, 60 * FS)
    assert first.beats == {"N": 60, "S": 0, "V": 0, "F": 0, "Q": 0, "unjudged": 0}
    assert first.unfit_s == 5
    assert (first.heart_rate_min, first.heart_rate_mean) == (60.0, 60.0)
    assert second.beats["V"] == 120
    assert second.heart_rate_max == pytest.approx(120.0)
    assert second.start_ns == START_NS + 60 * 10**9
    assert alarms.minutes() == []


def test_a_minute_is_complete_only_when_its_last_beat_can_have_been_decided() -> None:
    whole = Story(seconds=130, beats=regular(75, end=130)).whole()
    alarms = PatientAlarms("p1")
    alarms.fold(cut(whole, [round(61.9 * FS)])[0])
    assert alarms.minutes() == []
    alarms.fold(cut(whole, [round(62.6 * FS)])[0])
    assert len(alarms.minutes()) == 1


def test_a_minute_without_heart_rate_says_so() -> None:
    unfit: dict[int, Unfit] = dict.fromkeys(range(1, 71), "lead_off")
    alarms = PatientAlarms("p1")
    alarms.fold(replace(Story(seconds=70), unfit=unfit).whole())
    (minute,) = alarms.minutes()
    assert minute.heart_rate_mean is None
    assert minute.unfit_s == 60


def test_seconds_that_never_came_count_as_not_judged() -> None:
    whole = Story(seconds=130, beats=regular(75, end=130)).whole()
    statuses = tuple(s for s in whole.statuses if not 20 * FS < s.sample <= 40 * FS)
    alarms = PatientAlarms("p1")
    alarms.fold(structs.replace(whole, statuses=statuses))
    assert [minute.unfit_s for minute in alarms.minutes()] == [20, 0]


def test_the_last_minute_of_a_stream_is_told_when_the_next_begins() -> None:
    story = Story(seconds=100, beats=regular(75, end=100))
    alarms = PatientAlarms("p1")
    alarms.fold(story.whole())
    assert len(alarms.minutes()) == 1
    alarms.fold(Story(seconds=10, beats=regular(75, end=10), stream="s2").whole())
    (last,) = alarms.minutes()
    assert (last.stream, last.first_sample, last.unfit_s) == ("s1", 60 * FS, 20)
    assert last.beats["N"] == 50

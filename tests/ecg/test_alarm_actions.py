"""What nurses do: standby, discharge, silence, limits; each once, and only where it makes sense."""

from dataclasses import replace

import pytest

from ecg.alarm import Limits
from ecg.alarm_cycle import PatientAlarms
from ecg.errors import ActionError
from tests.ecg.alarms import VT, S, action, kinds, until
from tests.story import START_NS, Story, regular


def test_a_patient_in_standby_or_discharged_has_no_alarms() -> None:
    for kind in ("standby", "discharge"):
        alarms = PatientAlarms("p1")
        alarms.apply(action("standby" if kind == "standby" else "discharge"))
        alarms.tick(START_NS)
        assert alarms.tick(START_NS + 60 * S) == []
    alarms = PatientAlarms("p1", standby=True)
    assert alarms.fold(VT.whole()) == []
    alarms.apply(action("resume"))
    assert not alarms.standby


def test_standby_keeps_an_unacknowledged_lethal_alarm() -> None:
    alarms, _ = until(VT, 35)
    assert kinds(alarms.apply(action("standby"))) == [("vt", "condition_ended")]
    assert [alarm.key for alarm in alarms.active()] == ["vt"]


def test_discharge_ends_everything_until_another_stream_comes() -> None:
    alarms, _ = until(VT, 35)
    (event,) = alarms.apply(action("discharge"))
    assert (event.event, event.reason) == ("ended", "discharged by nurse")
    assert alarms.fold(VT.whole()) == []
    alarms.fold(replace(VT, stream="s2").whole())
    assert not alarms.discharged


def test_a_silence_has_an_author_and_an_end() -> None:
    alarms, _ = until(VT, 35)
    end = START_NS + 155 * S
    (event,) = alarms.apply(action("silence", until_ns=end))
    assert (event.event, event.author, event.silenced_until_ns) == ("silenced", "nurse", end)
    assert alarms.tick(end - 1) == []
    events = alarms.tick(end)
    assert [(e.event, e.reason, e.silenced_until_ns) for e in events] == [
        ("updated", "audio pause over", None)
    ]


@pytest.mark.parametrize("until_ns", [None, START_NS, START_NS + 10**6 * S])
def test_a_silence_without_a_sensible_end_is_refused(until_ns: int | None) -> None:
    alarms, _ = until(VT, 35)
    with pytest.raises(ActionError, match="silence must end"):
        alarms.apply(action("silence", until_ns=until_ns))


def test_new_limits_end_an_alarm_that_is_within_them() -> None:
    alarms, _ = until(Story(seconds=60, beats=regular(130, end=60)), 30)
    (event,) = alarms.apply(action("limits", limits=Limits(hr_high=150.0)))
    assert (event.event, event.reason) == ("ended", "limits changed by nurse")
    assert alarms.limits.hr_high == 150.0


def test_an_action_is_applied_once() -> None:
    alarms, _ = until(VT, 35)
    first = action("silence", until_ns=START_NS + 60 * S, action_id="same")
    assert alarms.apply(first)
    assert alarms.apply(first) == []


def test_an_action_for_an_unknown_alarm_is_refused_and_changes_nothing() -> None:
    alarms, _ = until(VT, 35)
    before = alarms.export()
    with pytest.raises(ActionError, match="must name an active alarm of p1"):
        alarms.apply(action("acknowledge", alarm_id="0" * 20))
    with pytest.raises(ActionError, match="must carry limits"):
        alarms.apply(action("limits"))
    with pytest.raises(ActionError, match="action for p2"):
        alarms.apply(replace(action("acknowledge"), patient="p2"))
    assert alarms.export() == before


def test_an_alarm_that_goes_on_shows_the_limit_that_is_in_force() -> None:
    fast = Story(seconds=60, beats=regular(134, end=60))
    alarms, _ = until(fast, 30)
    alarms.apply(action("limits", limits=Limits(hr_high=130.0)))
    events = alarms.fold(fast.whole())
    assert [(e.code, e.event, e.text) for e in events] == [("hr_high", "updated", "HR 134>130")]


def test_limits_that_a_pause_is_within_end_it() -> None:
    story = Story(seconds=40, beats=[*regular(75, end=20), *regular(75, start=22.5, end=40)])
    alarms, events = until(story, 24)
    assert kinds(events) == [("pause", "raised")]
    assert kinds(alarms.apply(action("limits", limits=Limits(pause_s=3.0)))) == [("pause", "ended")]


def test_a_pause_of_sound_ends_within_an_hour_by_our_own_clock() -> None:
    alarms, _ = until(VT, 35)
    day = replace(action("silence"), at_ns=START_NS + 86_400 * S, until_ns=START_NS + 86_460 * S)
    alarms.apply(day)
    assert alarms.tick(START_NS + 36 * S) == []
    events = alarms.tick(START_NS + (36 + 3600) * S)
    assert ("vt", "updated") in kinds(events)
    assert alarms.silenced_until_ns is None


def test_what_was_set_for_a_stay_ends_with_it() -> None:
    alarms = PatientAlarms("p1", limits=Limits(hr_high=190.0), standby=True)
    alarms.apply(action("discharge"))
    assert (alarms.limits, alarms.standby) == (Limits(), False)
    assert ("vt", "raised") in kinds(alarms.fold(VT.whole()))


def test_a_discharge_that_is_taken_back_is_watched_in_the_same_stream() -> None:
    alarms, _ = until(VT, 20)
    alarms.apply(action("discharge"))
    alarms.admit()
    assert ("vt", "raised") in kinds(alarms.fold(VT.whole()))
    alarms.apply(action("discharge"))
    alarms.admit()
    alarms.tick(START_NS)
    assert alarms.tick(START_NS + 10 * S) == []
    assert kinds(alarms.tick(START_NS + 16 * S)) == [("no_data", "raised")]

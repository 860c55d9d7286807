"""The view: bounded memory of each patient, ages, and what is down."""

from dataclasses import replace
from unittest import mock

import numpy as np
import pytest
from msgspec import structs

from ecg.alarm import Action
from ecg.alarm_cycle import PatientAlarms
from ecg.chunk import MISSING
from stream.kafka import Incoming
from stream.messages import AlarmState, PatientMessage, RoleMessage
from stream.patients import DISCHARGED_S
from stream.recent import WAVEFORM_S, Recent
from stream.topics import ALARM_STATE, FINDINGS, PATIENTS, WAVEFORMS, Topic
from stream.trouble import SILENT_S
from stream.view import HISTORY_S, View
from stream.wire import encode, encode_waveform
from tests.dashboard.synthetic import (
    FS,
    START_NS,
    Clocks,
    alarm,
    beat,
    findings,
    hear,
    incoming,
    minute,
    new_view,
    ramp,
    status,
    waveform,
)


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


@pytest.fixture
def view(clocks: Clocks) -> View:
    return new_view(clocks)


def recent_of(view: View, patient: str = "p1") -> Recent:
    with view.reading() as patients:
        return patients[patient]


def role(clocks: Clocks, name: str = "alarm") -> RoleMessage:
    return RoleMessage(role=name, epoch=1, at_ns=clocks.wall_ns())  # type: ignore[arg-type]  # literals


def test_samples_are_the_same_whatever_the_chunks(clocks: Clocks) -> None:
    whole, pieces = new_view(clocks), new_view(clocks)
    hear(whole, waveform(0, ramp(0, 700)))
    for first in range(0, 700, 7):
        hear(pieces, waveform(first, ramp(first, 7)))
    for view in (whole, pieces):
        stretch = recent_of(view).stretch(0)
        assert stretch is not None
        np.testing.assert_array_equal(stretch.samples, ramp(0, 700))


def test_memory_is_bounded_and_keeps_the_newest(view: View) -> None:
    size = round(WAVEFORM_S * FS)
    for first in range(0, 3 * size, 500):
        hear(view, waveform(first, ramp(first, 500)))
    stretch = recent_of(view).stretch(0)
    assert stretch is not None
    assert (stretch.first_sample, stretch.end_sample) == (2 * size, 3 * size)
    np.testing.assert_array_equal(stretch.samples, ramp(2 * size, size))


def test_gap_is_missing_and_overlap_and_repeat_are_cut(view: View) -> None:
    hear(view, waveform(0, ramp(0, 100)), waveform(150, ramp(150, 50)))
    hear(view, waveform(150, ramp(0, 50)), waveform(190, ramp(190, 30)))
    stretch = recent_of(view).stretch(90)
    assert stretch is not None
    assert stretch.end_sample == 220
    np.testing.assert_array_equal(stretch.samples[:10], ramp(90, 10))
    assert (stretch.samples[10:60] == MISSING).all()
    np.testing.assert_array_equal(stretch.samples[60:], ramp(150, 70))


def test_gap_longer_than_memory_leaves_no_old_sample(view: View) -> None:
    far = round(WAVEFORM_S * FS) * 5
    hear(view, waveform(0, ramp(0, 100)), waveform(far, ramp(7, 10)))
    stretch = recent_of(view).stretch(0)
    assert stretch is not None
    assert (stretch.samples[:-10] == MISSING).all()
    np.testing.assert_array_equal(stretch.samples[-10:], ramp(7, 10))


def test_new_stream_starts_anew_and_the_old_one_is_not_heard(view: View) -> None:
    hear(view, waveform(0, ramp(0, 100)), findings(99, beats=(beat(10),)))
    hear(view, waveform(0, ramp(500, 20), stream="s2"))
    hear(view, waveform(100, ramp(100, 50)))
    recent = recent_of(view)
    assert (recent.stream, recent.end_sample, recent.beats.count) == ("s2", 20, 0)


def test_findings_of_an_older_writer_or_repeated_are_not_heard(view: View) -> None:
    hear(view, findings(99, epoch=2, beats=(beat(10),)))
    hear(view, findings(99, epoch=2, beats=(beat(10),)))
    hear(view, findings(199, after=99, epoch=1, beats=(beat(120),)))
    assert [b.sample for b in recent_of(view).beats.after(0)] == [10]


def test_alarm_lives_until_it_has_ended(view: View) -> None:
    hear(view, alarm())
    hear(view, alarm(sequence=2, event="acknowledged", acknowledged=True, author="nurse"))
    hear(view, alarm())
    (current,) = recent_of(view).current_alarms()
    assert (current.sequence, current.author) == (2, "nurse")
    hear(view, alarm(sequence=3, event="ended", holds=False))
    assert recent_of(view).current_alarms() == []
    assert [event.event for event in recent_of(view).events.after(0)] == [
        "raised",
        "acknowledged",
        "ended",
    ]


def test_current_alarms_begin_with_the_most_serious(view: View) -> None:
    hear(view, alarm(alarm_id="low", priority="low", onset_ns=START_NS + 9))
    hear(view, alarm(alarm_id="seen", acknowledged=True))
    hear(view, alarm(alarm_id="old"), alarm(alarm_id="new", onset_ns=START_NS + 5))
    assert [e.alarm_id for e in recent_of(view).current_alarms()] == ["new", "old", "seen", "low"]


def state_of(alarms: PatientAlarms, epoch: int = 1) -> Incoming:
    state = AlarmState(patient="p1", epoch=epoch, inputs={}, outputs={}, state=alarms.export())
    return incoming(ALARM_STATE, encode(state), key="p1")


def test_alarm_older_than_the_history_stands_by_the_roles_state(view: View) -> None:
    alarms = PatientAlarms("p1")
    alarms.tick(0)
    (raised,) = alarms.tick(60_000_000_000)
    view.take([state_of(alarms)])
    (standing,) = recent_of(view).current_alarms()
    assert replace(standing, event="raised", detected_ns=raised.detected_ns) == raised
    # the event itself comes after its state and says who and when
    hear(view, raised)
    assert recent_of(view).current_alarms() == [raised]
    # a newer state without it: it has ended
    view.take([state_of(PatientAlarms("p1"), epoch=2), state_of(alarms, epoch=1)])
    assert recent_of(view).current_alarms() == []


def test_audio_pause_is_known_without_any_alarm(view: View) -> None:
    alarms = PatientAlarms("p1")
    alarms.apply(
        Action(
            action_id="a1",
            patient="p1",
            kind="silence",
            author="nurse",
            at_ns=START_NS,
            until_ns=START_NS + 120_000_000_000,
        )
    )
    view.take([state_of(alarms)])
    assert recent_of(view).silenced_until_ns() == START_NS + 120_000_000_000


def test_alarm_keeps_the_10_s_before_it(view: View) -> None:
    hear(view, waveform(0, ramp(0, 1500)), alarm(sample=1299))
    strip = recent_of(view).strips["vt-1"]
    assert (strip.first_sample, strip.end_sample) == (300, 1300)


def test_minutes_go_on_after_a_sources_clock_was_ahead(view: View) -> None:
    hear(view, minute(0), minute(1, start_ns=START_NS + 3_600_000_000_000), minute(2), minute(2))
    assert [m.first_sample for m in recent_of(view).trends] == [0, 6000, 12_000]


def test_part_of_a_strip_is_not_kept_for_the_whole(view: View) -> None:
    hear(view, waveform(0, ramp(0, 4000)))
    # told late: its first seconds have gone; told early: its last have not come
    hear(view, alarm(alarm_id="late", sample=1500), alarm(alarm_id="early", sample=4200))
    hear(view, alarm(alarm_id="whole", sample=2500))
    assert list(recent_of(view).strips) == ["whole"]


def test_strip_of_the_first_seconds_of_a_stream_is_whole(view: View) -> None:
    hear(view, waveform(0, ramp(0, 500)), alarm(sample=399))
    strip = recent_of(view).strips["vt-1"]
    assert (strip.first_sample, strip.end_sample) == (0, 400)


def test_age_counts_from_arrival_when_the_source_clock_is_ahead(view: View, clocks: Clocks) -> None:
    hear(view, waveform(0, ramp(0, 100), source_ns=START_NS + 3_600_000_000_000))
    clocks.s += 3.0
    age_s = recent_of(view).age_s(now_ns=clocks.wall_ns(), now_s=clocks.monotonic_s())
    assert age_s == pytest.approx(3.0)


def test_late_samples_are_old_although_they_have_just_arrived(view: View, clocks: Clocks) -> None:
    hear(view, waveform(0, ramp(0, 100), source_ns=START_NS - 60_000_000_000))
    age_s = recent_of(view).age_s(now_ns=clocks.wall_ns(), now_s=clocks.monotonic_s())
    assert age_s == pytest.approx(59.0)


def test_patients_are_in_the_order_of_their_beds_without_the_discharged(view: View) -> None:
    for patient, bed in (("a", "Bed 10"), ("b", "Bed 2"), ("c", ""), ("d", "Bed 1")):
        hear(view, PatientMessage(patient=patient, bed=bed, discharged=patient == "d"))
    assert view.patients() == ["b", "a", "c"]


def test_little_is_kept_of_who_has_been_discharged_for_a_while(view: View, clocks: Clocks) -> None:
    entry = PatientMessage(patient="p1", bed="Bed 1")
    hear(view, entry, waveform(0, ramp(0, 1500)), findings(1499, beats=(beat(10),)))
    hear(view, alarm(sample=1299), alarm(sequence=2, event="ended", holds=False), minute(0))
    hear(view, structs.replace(entry, discharged=True))
    clocks.s += DISCHARGED_S - 1.0
    hear(view, PatientMessage(patient="p2"))
    assert recent_of(view).trends
    clocks.s += 2.0
    hear(view, PatientMessage(patient="p2"))
    recent = recent_of(view)
    assert (recent.bed, recent.discharged, recent.partition) == ("Bed 1", True, 0)
    # the history of the alarms is that of 12 hours, whoever has left
    assert [event.event for event in recent.events.after(0)] == ["raised", "ended"]
    assert recent.stretch(0) is None
    assert (len(recent.trends), len(recent.strips), recent.beats.count) == (0, 0, 0)
    clocks.s += HISTORY_S
    hear(view, PatientMessage(patient="p2"))
    assert recent_of(view).events.after(0) == []
    assert recent_of(view).bed == "Bed 1"
    # who comes again begins anew
    hear(view, entry, waveform(1500, ramp(1500, 100)), minute(1))
    recent = recent_of(view)
    assert (recent.end_sample, len(recent.trends), view.patients()) == (1600, 1, ["p1", "p2"])


def test_discharge_that_is_undone_costs_nothing(view: View, clocks: Clocks) -> None:
    hear(view, waveform(0, ramp(0, 100)), PatientMessage(patient="p1", discharged=True))
    hear(view, PatientMessage(patient="p1"))
    clocks.s += DISCHARGED_S + 1.0
    hear(view, PatientMessage(patient="p2"))
    assert recent_of(view).end_sample == 100


def test_removed_patient_who_comes_again_is_not_taken_for_discharged(
    view: View, clocks: Clocks
) -> None:
    hear(view, PatientMessage(patient="p1", discharged=True))
    view.take([structs.replace(incoming(PATIENTS, b"", key="p1"), value=None)])
    hear(view, waveform(0, ramp(0, 100)), alarm())
    clocks.s += DISCHARGED_S + 1.0
    hear(view, PatientMessage(patient="p2"))
    assert recent_of(view).end_sample == 100


def test_bed_with_a_raised_digit_has_its_place(view: View) -> None:
    hear(view, PatientMessage(patient="a", bed="Zimmer 5²"), PatientMessage(patient="b", bed="٤"))
    assert view.patients() == ["b", "a"]


def test_patient_deleted_from_the_registry_is_forgotten(view: View) -> None:
    hear(view, PatientMessage(patient="p1"), PatientMessage(patient="p2"))
    view.take([structs.replace(incoming(PATIENTS, b"", key="p1"), value=None)])
    assert view.patients() == ["p2"]


def test_broker_silent_is_down_for_everybody_and_nothing_old_stays(
    view: View, clocks: Clocks
) -> None:
    hear(view, waveform(0, ramp(0, 100)))
    clocks.s += SILENT_S + 0.1
    (trouble,) = view.troubles()
    assert trouble.part == "broker"
    assert "broker.test:9092" in trouble.text
    view.broker_answered()
    assert view.troubles() == []
    assert view.patients() == []
    assert view.lost == 1


def test_unjudged_samples_mean_that_score_is_down(view: View, clocks: Clocks) -> None:
    for second in range(6):
        hear(view, waveform(100 * second, ramp(100 * second, 100)), role(clocks))
        if second < 2:
            hear(view, findings(100 * second + 99, after=100 * second - 1))
        view.broker_answered()
        assert view.troubles("p1") == []
        clocks.s += 1.0
    assert [trouble.part for trouble in view.troubles("p1")] == ["score"]
    hear(view, findings(599, after=199))
    assert view.troubles("p1") == []


def test_role_without_a_sign_of_life_is_down(view: View, clocks: Clocks) -> None:
    hear(view, waveform(0, ramp(0, 100)), findings(99), role(clocks))
    clocks.s += SILENT_S - 0.1
    view.broker_answered()
    assert view.troubles("p1") == []
    hear(view, role(clocks, "score"))
    clocks.s += 0.2
    view.broker_answered()
    assert [trouble.part for trouble in view.troubles("p1")] == ["alarm"]


def test_old_sign_of_life_read_back_is_none(view: View, clocks: Clocks) -> None:
    old = role(clocks)
    hear(view, waveform(0, ramp(0, 100)), findings(99))
    for _ in range(4):
        clocks.s += 3.0
        view.broker_answered()
    hear(view, old)
    assert [trouble.part for trouble in view.troubles("p1")] == ["alarm"]


def test_standby_is_not_watched(view: View, clocks: Clocks) -> None:
    hear(view, waveform(0, ramp(0, 100)), PatientMessage(patient="p1", standby=True))
    clocks.s += 10.0
    view.broker_answered()
    assert view.troubles("p1") == []


@pytest.mark.parametrize("topic", [WAVEFORMS, FINDINGS])
def test_garbage_is_counted_and_stops_nobody(view: View, topic: Topic) -> None:
    view.take([incoming(topic, b"\xc1garbage"), incoming(FINDINGS, b"{}")])
    hear(view, waveform(0, ramp(0, 100)))
    assert view.unreadable == 2
    assert view.patients() == ["p1"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"fs": 1e12},
        {"fs": 1e7},
        {"fs": float("inf")},
        {"fs": 1e-300},
        {"first_sample": 2**63},
        {"first_sample": 2**53},
    ],
    ids=str,
)
def test_waveform_with_absurd_numbers_is_counted_and_stops_nobody(
    view: View, wrong: dict[str, float]
) -> None:
    absurd = structs.replace(waveform(0, ramp(0, 10), patient="odd"), **wrong)
    hear(view, absurd, waveform(0, ramp(0, 100)))
    assert view.unreadable == 1
    assert view.patients() == ["p1"]


def test_waveform_under_another_patients_key_is_not_taken(view: View) -> None:
    hear(view, waveform(0, ramp(0, 100)))
    foreign = encode_waveform(waveform(100, ramp(100, 100)))
    view.take([incoming(WAVEFORMS, foreign, key="p2", partition=7)])
    assert view.unreadable == 1
    assert (recent_of(view).end_sample, recent_of(view).partition) == (100, 0)


def test_message_that_breaks_the_view_itself_stops_nobody(view: View) -> None:
    with mock.patch.object(Recent, "take_findings", side_effect=MemoryError):
        hear(view, findings(99))
    hear(view, waveform(0, ramp(0, 100)))
    assert view.unreadable == 1
    assert recent_of(view).end_sample == 100


def test_heart_rate_and_ventricular_beats_are_of_the_last_minute(view: View) -> None:
    beats = tuple(beat(100 * n, "V" if n % 10 == 0 else "N") for n in range(100))
    hear(view, waveform(0, ramp(0, 100)))
    hear(view, findings(9999, beats=beats, statuses=(status(9900),)))
    assert recent_of(view).v_per_min() == 6
    hear(view, findings(10_099, after=9999, statuses=(status(10_000, fit=False),)))
    assert recent_of(view).v_per_min() is None


def test_reader_that_does_not_get_on_is_said_with_its_reason(view: View, clocks: Clocks) -> None:
    view.reading_goes_on("ecg.alarms")
    assert view.troubles() == []
    view.reading_failed("ecg.waveforms", "there is no topic ecg.waveforms")
    (trouble,) = view.troubles()
    assert (trouble.part, trouble.text) == ("dashboard", "there is no topic ecg.waveforms")
    view.reading_goes_on("ecg.waveforms")
    assert view.troubles() == []


def test_reader_that_has_stopped_is_said(view: View, clocks: Clocks) -> None:
    view.reading_goes_on("ecg.alarms")
    clocks.s += SILENT_S + 0.1
    view.broker_answered()
    # that the broker was silent too begins everything anew; the reader is still not at work
    assert [trouble.part for trouble in view.troubles()] == ["dashboard"]

"""The role ``alarm`` on a broker: findings and actions in, alarms and trends out."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Literal

import msgspec
import pytest

from ecg.alarm import Action, AlarmEvent, Limits
from ecg.alarm_cycle import PatientAlarms
from ecg.finding import Findings
from stream.alarm import run_alarm
from stream.clock import ManualClock
from stream.kafka import Cluster, Producer, Reader
from stream.messages import (
    ActionMessage,
    AlarmState,
    DeadLetter,
    FindingsMessage,
    PatientMessage,
    RoleMessage,
    TrendMessage,
)
from stream.topics import (
    ACTIONS,
    ALARM_STATE,
    ALARMS,
    DEAD_LETTERS,
    FINDINGS,
    PATIENTS,
    ROLES,
    TRENDS,
)
from stream.watermark import Heard
from stream.wire import decode, encode
from tests.story import FS, START_NS, Story, cut, regular

VT = Story(
    seconds=90,
    beats=[
        *regular(75, end=30),
        *regular(180, start=30.2, end=40, beat_class="V"),
        *regular(75, start=41, end=90),
    ],
)
ASYSTOLE = Story(seconds=90, beats=regular(75, end=40), patient="p2")
TO_40 = round(40 * FS)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stream.kafka.limits.SESSION_TIMEOUT_MS", 1500)
    monkeypatch.setattr("stream.kafka.limits.HEARTBEAT_INTERVAL_MS", 100)
    monkeypatch.setattr("stream.alarm.TICK_EVERY_S", 0.05)
    monkeypatch.setattr("stream.alarm_patient.ENTER_AFTER_S", 0.1)


@contextlib.contextmanager
def alarming(cluster: Cluster, *, clock: ManualClock | None = None) -> Iterator[None]:
    """Run the role in a thread, and end it in good order."""
    stop = threading.Event()
    failed: list[BaseException] = []

    def run() -> None:
        try:
            run_alarm(cluster, stop=stop, clock=clock or ManualClock(START_NS), state_every_s=0.3)
        except BaseException as error:
            failed.append(error)
            raise

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=30)
        assert not thread.is_alive()
        assert not failed


class Listener:
    """Reads alarms by the reader's rule, and keeps every message that stands in the topic."""

    def __init__(self, cluster: Cluster) -> None:
        self._reader = Reader(cluster, [ALARMS.name])
        self._heard = Heard()
        self.events: list[AlarmEvent] = []
        self.ids: list[str] = []

    def until(self, enough: Callable[[list[AlarmEvent]], bool]) -> list[AlarmEvent]:
        deadline = time.monotonic() + 30
        while not enough(self.events):
            assert time.monotonic() < deadline, [(e.code, e.event) for e in self.events]
            self.poll()
        return self.events

    def poll(self) -> None:
        for message in self._reader.poll(0.1):
            heard = self._heard.alarm(message)
            if heard is not None:
                assert heard.id == heard.data.event_id
                assert heard.subject == message.key
                self.events.append(heard.data)
                self.ids.append(heard.id)

    def close(self) -> None:
        self._reader.close()


@pytest.fixture
def listener(cluster: Cluster) -> Iterator[Listener]:
    found = Listener(cluster)
    yield found
    found.close()


def send(producer: Producer, parts: Sequence[Findings], *, epoch: int = 1) -> None:
    for part in parts:
        message = FindingsMessage.of(part, epoch=epoch)
        producer.send(FINDINGS.name, part.patient, encode(message))
    producer.flush()


def act(
    producer: Producer,
    kind: Literal["acknowledge", "silence", "limits", "standby", "resume", "discharge"],
    *,
    patient: str = "p1",
    action_id: str = "a1",
    alarm_id: str | None = None,
    limits: Limits | None = None,
    author: str = "nurse",
    at_ns: int = START_NS + 60 * 10**9,
) -> None:
    action = Action(
        action_id=action_id,
        patient=patient,
        kind=kind,
        author=author,
        at_ns=at_ns,
        alarm_id=alarm_id,
        limits=limits,
    )
    message = ActionMessage(patient=patient, action=action)
    producer.send(ACTIONS.name, patient, encode(message))
    producer.flush()


def pieces(story: Story, *, step_s: float = 0.5) -> list[Findings]:
    whole = story.whole()
    return cut(whole, range(0, whole.through_sample, round(step_s * FS)))


def pure(*stories: Story) -> list[AlarmEvent]:
    return [e for story in stories for e in PatientAlarms(story.patient).fold(story.whole())]


def of(events: Sequence[AlarmEvent], patient: str) -> list[AlarmEvent]:
    return [e for e in events if e.patient == patient and e.code != "no_data"]


def read_all(cluster: Cluster, topic: str, enough: Callable[[list[bytes]], bool]) -> list[bytes]:
    """Read a topic from its beginning until that is enough."""
    values: list[bytes] = []
    deadline = time.monotonic() + 30
    with Reader(cluster, [topic]) as reader:
        while not enough(values):
            assert time.monotonic() < deadline, values
            found = [m for m in reader.poll(0.1) if m.key is None or m.key != "~epoch"]
            values += [m.value for m in found if m.value is not None]
    return values


def written(cluster: Cluster, words: str) -> None:
    """Wait until the newest state says so."""
    read_all(
        cluster, ALARM_STATE.name, lambda values: bool(values) and words.encode() in values[-1]
    )


def test_alarms_are_those_of_the_pure_rules(any_cluster: Cluster) -> None:
    listener = Listener(any_cluster)
    expected = pure(VT, ASYSTOLE)
    with alarming(any_cluster), Producer(any_cluster) as producer:
        both = zip(pieces(VT), pieces(ASYSTOLE), strict=True)
        send(producer, [part for pair in both for part in pair])
        events = listener.until(lambda found: len(found) >= len(expected))
    listener.close()
    for story in (VT, ASYSTOLE):
        assert of(events, story.patient) == of(expected, story.patient)


def test_an_alarm_is_acknowledged_and_ends(cluster: Cluster, listener: Listener) -> None:
    with alarming(cluster), Producer(cluster) as producer:
        send(producer, pieces(VT))
        last = pure(VT)[-1]
        raised = listener.until(lambda found: last in found)[0]
        assert (raised.code, raised.event) == ("vt", "raised")
        for _ in range(2):  # repeated: applied once
            act(producer, "acknowledge", alarm_id=raised.alarm_id)
        act(producer, "standby", action_id="a2")
        read_all(cluster, PATIENTS.name, lambda v: b'"action_id":"a2"' in b"".join(v))
        vt = [e for e in listener.events if e.alarm_id == raised.alarm_id]
        listener.until(lambda found: any(e.event == "ended" and e.code == "vt" for e in found))
    vt = [e for e in listener.events if e.alarm_id == raised.alarm_id]
    assert [e.event for e in vt][-2:] == ["acknowledged", "ended"]
    assert (vt[-2].author, vt[-2].action_id) == ("nurse", "a1")
    assert [e.event for e in vt].count("acknowledged") == 1


def test_what_cannot_be_used_becomes_a_dead_letter_and_others_go_on(
    cluster: Cluster, listener: Listener
) -> None:
    with alarming(cluster), Producer(cluster) as producer:
        producer.send(FINDINGS.name, "p1", b"garbage")
        producer.send(FINDINGS.name, "p1", None)
        producer.send(ACTIONS.name, "p1", b"{}")
        producer.send(PATIENTS.name, "p1", b"\xff")
        wrong = FindingsMessage.of(pieces(VT)[0], epoch=1)
        producer.send(FINDINGS.name, "p9", encode(wrong))
        act(producer, "acknowledge", patient="nobody", alarm_id="0" * 20)
        act(producer, "acknowledge", at_ns=10**21)
        act(producer, "discharge", author="n" * 400_000)
        send(producer, pieces(VT))
        listener.until(lambda found: any(e.code == "vt" for e in found))
        act(producer, "acknowledge", action_id="a2", alarm_id="0" * 20)
        values = read_all(cluster, DEAD_LETTERS.name, lambda v: len(v) >= 9)
    letters = [decode(value, DeadLetter) for value in values]
    told = sorted((letter.topic, letter.reason) for letter in letters)
    assert told == [
        ("ecg.actions", "refused"),
        ("ecg.actions", "refused"),
        *[("ecg.actions", "unreadable")] * 3,
        ("ecg.findings", "unreadable"),
        ("ecg.findings", "unreadable"),
        ("ecg.findings", "wrong-key"),
        ("ecg.patients", "unreadable"),
    ]
    assert any("no patient nobody is known" in letter.detail for letter in letters)
    assert any("must name an active alarm of p1" in letter.detail for letter in letters)


def test_no_data_is_said_when_the_clock_goes_on(cluster: Cluster, listener: Listener) -> None:
    clock = ManualClock(START_NS)
    with alarming(cluster, clock=clock), Producer(cluster) as producer:
        send(producer, pieces(replace(VT, seconds=10, beats=regular(75, end=10))))
        entry = PatientMessage(patient="never", label="SIMULATED")
        producer.send(PATIENTS.name, "never", encode(entry))
        producer.flush()
        states = read_all(cluster, ALARM_STATE.name, lambda v: len(v) >= 2)
        assert states
        deadline = time.monotonic() + 30
        clock.advance(60.0)  # a clock that is set, or a stall of ours, tells nothing of anybody
        while {e.patient for e in listener.events} != {"p1", "never"}:
            assert time.monotonic() < deadline
            clock.advance(0.5)
            listener.poll()
    assert {e.code for e in listener.events} == {"no_data"}
    assert min(e.detected_ns for e in listener.events) >= START_NS + 65 * 10**9


def test_the_registry_is_filled_and_followed(cluster: Cluster, listener: Listener) -> None:
    fast = Story(seconds=60, beats=regular(134, end=60))
    with Producer(cluster) as producer:
        labelled = PatientMessage(
            patient="p1", bed="3", label="SIMULATED", limits=Limits(hr_high=150.0)
        )
        producer.send(PATIENTS.name, "p1", encode(labelled))
        producer.flush()
        with alarming(cluster):
            read_all(cluster, ALARM_STATE.name, lambda v: len(v) >= 1)
            send(producer, pieces(fast))
            send(producer, pieces(replace(fast, patient="p2")))
            said = listener.until(lambda found: any(e.patient == "p2" for e in found))
            assert {e.patient for e in said} == {"p2"}
            read_all(cluster, PATIENTS.name, lambda v: b'"admission"' in b"".join(v))
            act(producer, "limits", patient="p2", limits=Limits(hr_high=140.0))
            listener.until(lambda found: found[-1].event == "ended")
            values = read_all(cluster, PATIENTS.name, lambda v: b'"a1"' in b"".join(v))
    entries = [decode(value, PatientMessage) for value in values]
    assert [e.label for e in entries if e.patient == "p1"] == ["SIMULATED"]
    two = [e for e in entries if e.patient == "p2"]
    assert [e.action_id for e in two] == ["admission", "a1"]
    assert two[-1].limits.hr_high == 140.0
    assert listener.events[-1].reason == "limits changed by nurse"


def test_a_discharge_that_the_registry_takes_back_is_watched_again(
    cluster: Cluster, listener: Listener
) -> None:
    early = [part for part in pieces(VT) if part.through_sample < 20 * FS]
    with alarming(cluster), Producer(cluster) as producer:
        send(producer, early)
        written(cluster, f'"ecg.findings":{len(early)},')
        for discharged in (True, False):
            entry = PatientMessage(patient="p1", bed="3", discharged=discharged)
            producer.send(PATIENTS.name, "p1", encode(entry))
            producer.flush()
            written(cluster, f'"discharged":{str(discharged).lower()},')
        send(producer, pieces(VT)[len(early) :])
        listener.until(lambda found: any(e.code == "vt" for e in found))


def test_a_label_that_somebody_sets_in_our_own_entry_stays(cluster: Cluster) -> None:
    with alarming(cluster), Producer(cluster) as producer:
        entry = PatientMessage(patient="p1", label="SIMULATED")
        producer.send(PATIENTS.name, "p1", encode(entry))
        producer.flush()
        written(cluster, "SIMULATED")
        act(producer, "limits", limits=Limits(hr_high=150.0))
        values = read_all(cluster, PATIENTS.name, lambda v: b'"a1"' in b"".join(v))
        relabelled = msgspec.structs.replace(decode(values[-1], PatientMessage), label="mitdb 208")
        producer.send(PATIENTS.name, "p1", encode(relabelled))
        producer.flush()
        written(cluster, "mitdb 208")
        act(producer, "standby", action_id="a2")
        values = read_all(cluster, PATIENTS.name, lambda v: b'"a2"' in b"".join(v))
    newest = decode(values[-1], PatientMessage)
    assert (newest.label, newest.limits.hr_high, newest.standby) == ("mitdb 208", 150.0, True)


def test_a_discharge_is_published_before_the_patient_is_forgotten(
    cluster: Cluster, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stream.alarm.TICK_EVERY_S", 0.0)
    monkeypatch.setattr("stream.alarm.FORGET_AFTER_S", 0.0)
    with alarming(cluster), Producer(cluster) as producer:
        send(producer, pieces(VT))
        listener.until(lambda found: any(e.code == "vt" for e in found))
        act(producer, "discharge")
        listener.until(lambda found: any(e.reason == "discharged by nurse" for e in found))
        values = read_all(cluster, PATIENTS.name, lambda v: b'"a1"' in b"".join(v))
    assert decode(values[-1], PatientMessage).discharged


def test_trends_and_signs_of_life_are_published(cluster: Cluster) -> None:
    with alarming(cluster), Producer(cluster) as producer:
        send(producer, pieces(VT))
        values = read_all(cluster, TRENDS.name, lambda v: len(v) >= 1)
        signs = read_all(cluster, ROLES.name, lambda v: len(v) >= 4)
    trend = decode(values[0], TrendMessage)
    assert (trend.first_sample, trend.end_sample) == (0, 60 * FS)
    assert trend.beats["V"] == 30
    assert {decode(sign, RoleMessage).role for sign in signs} == {"alarm"}


def test_a_restart_in_the_middle_gives_the_same_alarms(
    cluster: Cluster, listener: Listener
) -> None:
    parts = pieces(VT)
    middle = next(i for i, part in enumerate(parts) if part.through_sample > 32 * FS)
    expected = of(pure(VT), "p1")
    with Producer(cluster) as producer:
        with alarming(cluster):
            send(producer, parts[:middle])
            listener.until(lambda found: len(of(found, "p1")) >= 1)
        with alarming(cluster):
            send(producer, parts[middle:])
            listener.until(lambda found: len(of(found, "p1")) >= len(expected))
    assert of(listener.events, "p1") == expected
    assert len(set(listener.ids)) == len(listener.ids)


def test_a_writer_left_behind_is_not_heard(cluster: Cluster, listener: Listener) -> None:
    with alarming(cluster), Producer(cluster) as producer:
        send(producer, pieces(VT), epoch=7)
        slow = replace(VT, beats=regular(30, end=90))
        send(producer, pieces(slow), epoch=6)
        send(producer, pieces(replace(ASYSTOLE, patient="p1", stream="s2")), epoch=7)
        listener.until(lambda found: any(e.code == "asystole" for e in found))
    assert "extreme_brady" not in {e.code for e in listener.events}
    assert "hr_low" not in {e.code for e in listener.events}


def test_state_is_written_before_the_events_it_holds(cluster: Cluster, listener: Listener) -> None:
    with alarming(cluster), Producer(cluster) as producer:
        send(producer, pieces(VT))
        listener.until(lambda found: len(found) >= 1)
        values = read_all(cluster, ALARM_STATE.name, lambda v: b'"raised"' in b"".join(v))
    held = [e.event_id for value in values for e in decode(value, AlarmState).events]
    assert set(listener.ids) <= set(held)

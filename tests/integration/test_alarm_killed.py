"""Kill -9 of the role ``alarm`` in the middle: the same alarms, ids and sequences as without."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from ecg.alarm import Action, AlarmEvent
from ecg.alarm_cycle import PatientAlarms
from ecg.finding import Findings
from stream.broker import die_with_parent
from stream.kafka import Cluster, Producer, Reader
from stream.messages import ActionMessage, AlarmMessage, FindingsMessage, TrendMessage
from stream.topics import ACTIONS, ALARMS, FINDINGS, TRENDS
from stream.watermark import Heard
from stream.wire import decode as decoded
from stream.wire import encode
from tests.story import FS, START_NS, Story, cut, regular

STORY = Story(
    seconds=90,
    beats=[
        *regular(75, end=30),
        *regular(180, start=30.2, end=40, beat_class="V"),
        *regular(134, start=41, end=70),
    ],
)


def _cut_at_first_alarm() -> tuple[list[Findings], list[Findings], str]:
    """Return the findings up to the message that raises VT, the rest, and the alarm's id."""
    whole = STORY.whole()
    parts = cut(whole, range(0, whole.through_sample, round(FS)))
    alarms = PatientAlarms("p1")
    for n, part in enumerate(parts):
        events = alarms.fold(part)
        if events:
            return parts[: n + 1], parts[n + 1 :], events[0].alarm_id
    raise AssertionError("the story has no alarm")


BEFORE, AFTER, ALARM_ID = _cut_at_first_alarm()
ACKNOWLEDGE = Action(
    action_id="a1",
    patient="p1",
    kind="acknowledge",
    author="nurse",
    at_ns=START_NS + 35 * 10**9,
    alarm_id=ALARM_ID,
)


def undisturbed() -> tuple[list[AlarmEvent], list[int]]:
    """Return the events and the ends of the minutes without Kafka."""
    alarms = PatientAlarms("p1")
    events = [e for part in BEFORE for e in alarms.fold(part)]
    events += alarms.apply(ACKNOWLEDGE)
    events += [e for part in AFTER for e in alarms.fold(part)]
    return events, [minute.end_sample for minute in alarms.minutes()]


class Role:
    """A process that runs the role; a new one when it has died."""

    def __init__(self, cluster: Cluster, *die: str) -> None:
        self._cluster = cluster
        self.deaths = 0
        self.process = self._start(*die)

    def _start(self, *die: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tests.alarm_process",
                self._cluster.bootstrap,
                self._cluster.prefix,
                *die,
            ],
            stderr=subprocess.DEVNULL,
            preexec_fn=die_with_parent,
        )

    def look(self) -> None:
        status = self.process.poll()
        if status is not None:
            assert status == -signal.SIGKILL
            self.deaths += 1
            self.process = self._start()

    def close(self) -> int:
        self.process.send_signal(signal.SIGCONT)
        self.process.terminate()
        return self.process.wait(timeout=30)


@contextlib.contextmanager
def role(cluster: Cluster, *die: str) -> Iterator[Role]:
    running = Role(cluster, *die)
    try:
        yield running
    finally:
        assert running.close() == 0


class Log:
    """Everything that stands in ecg.alarms, and what of it is heard."""

    def __init__(self, cluster: Cluster) -> None:
        self._reader = Reader(cluster, [ALARMS.name])
        self._heard = Heard()
        self.events: list[AlarmEvent] = []
        self.written: list[str] = []

    def until(self, enough: Callable[[], bool], *, look: Callable[[], None]) -> None:
        deadline = time.monotonic() + 60
        while not enough():
            assert time.monotonic() < deadline, [(e.code, e.event) for e in self.events]
            look()
            for message in self._reader.poll(0.1):
                if message.key == "p1" and message.value is not None:
                    self.written.append(decoded(message.value, AlarmMessage).id)
                heard = self._heard.alarm(message)
                if heard is not None:
                    self.events.append(heard.data)

    def close(self) -> None:
        self._reader.close()


@pytest.fixture
def log(cluster: Cluster) -> Iterator[Log]:
    found = Log(cluster)
    yield found
    found.close()


def send(producer: Producer, findings: Findings) -> None:
    message = FindingsMessage.of(findings, epoch=1)
    producer.send(FINDINGS.name, "p1", encode(message))
    producer.flush()


def live_through(
    cluster: Cluster, log: Log, look: Callable[[], None], *, between: Callable[[], None]
) -> None:
    """Send the story with its acknowledgement, and wait until all of it has been said."""
    expected, _ = undisturbed()
    with Producer(cluster) as producer:
        for part in BEFORE:
            send(producer, part)
        log.until(lambda: len(log.events) >= 1, look=look)
        between()
        message = ActionMessage(patient="p1", action=ACKNOWLEDGE)
        for _ in range(2):  # applied once
            producer.send(ACTIONS.name, "p1", encode(message))
        producer.flush()
        log.until(lambda: any(e.event == "acknowledged" for e in log.events), look=look)
        for part in AFTER:
            send(producer, part)
        log.until(lambda: len(log.events) >= len(expected), look=look)


def minutes_in(cluster: Cluster) -> list[int]:
    heard = Heard()
    with Reader(cluster, [TRENDS.name]) as reader:
        found: list[TrendMessage | None] = [heard.trend(m) for m in reader.read_to_end()]
    return [trend.end_sample for trend in found if trend is not None]


# Each of these is reached before the last findings are sent, so the role dies in the middle.
@pytest.mark.parametrize(
    ("point", "count"),
    [
        ("taken", 20),
        ("folded", 1),
        ("stated", 1),
        ("stated", 2),
        ("half-said", 2),
        ("said", 2),
        ("committed", 1),
    ],
)
def test_alarms_are_the_same_when_the_role_is_killed(
    cluster: Cluster, log: Log, point: str, count: int
) -> None:
    with role(cluster, point, str(count)) as running:
        live_through(cluster, log, running.look, between=lambda: None)
        deaths = running.deaths
    assert deaths == 1
    events, minutes = undisturbed()
    assert log.events == events
    assert max(Counter(log.written).values()) == 1
    assert minutes_in(cluster) == minutes


def test_alarms_are_the_same_when_the_role_is_stopped_and_wakes_up(
    cluster: Cluster, log: Log
) -> None:
    """A writer thought dead wakes up in the middle of what another one has taken over."""
    with role(cluster) as first:
        second: list[Role] = []

        def stop_first() -> None:
            os.kill(first.process.pid, signal.SIGSTOP)
            second.append(Role(cluster))

        try:
            live_through(cluster, log, lambda: None, between=stop_first)
            os.kill(first.process.pid, signal.SIGCONT)
            with Producer(cluster) as producer:
                other = Story(seconds=12, beats=regular(60, end=3), stream="s2").whole()
                send(producer, other)
            log.until(lambda: log.events[-1].code == "asystole", look=lambda: None)
        finally:
            for one in second:
                one.close()
    expected, _ = undisturbed()
    assert log.events[: len(expected)] == expected
    assert len({e.event_id for e in log.events}) == len(log.events)

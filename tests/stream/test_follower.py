"""The view's threads and the actions, on a real broker."""

import time
from collections.abc import Callable

import numpy as np
import pytest

from ecg.alarm import Limits
from stream.actions import LONGEST_SILENCE_S, Actions
from stream.kafka import Cluster, Producer, Reader
from stream.messages import ActionMessage, AlarmMessage
from stream.topics import ACTIONS, ALARMS, FINDINGS, TRENDS, WAVEFORMS
from stream.view import Follower, View
from stream.wire import decode, encode, encode_waveform
from tests.dashboard.synthetic import FS, alarm, beat, findings, minute, ramp, status, waveform


@pytest.fixture
def view(embedded: Cluster) -> View:
    return View(embedded.bootstrap)


def until(what: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it did not come to hold"
        time.sleep(0.02)


def send_minute(cluster: Cluster, ended_s: float) -> int:
    """Send a minute of waveform that ended some seconds ago; return when it began, ns UTC."""
    start_ns = time.time_ns() - round((60 + ended_s) * 1e9)
    with Producer(cluster) as producer:
        for second in range(60):
            first = round(second * FS)
            message = waveform(
                first, ramp(first, round(FS)), source_ns=start_ns + second * 1_000_000_000
            )
            producer.send(
                WAVEFORMS.name,
                "p1",
                encode_waveform(message),
                timestamp_ms=start_ns // 1_000_000 + (second + 1) * 1000,
            )
    return start_ns


def test_view_is_filled_with_what_screens_show_of_the_past(embedded: Cluster, view: View) -> None:
    start_ns = send_minute(embedded, ended_s=1.0)
    with Producer(embedded) as producer:
        # a ventricular beat every second, judged a second later
        for second in range(1, 60):
            through = round(second * FS) - 1
            judged = findings(
                through,
                after=through - round(FS),
                beats=(beat(through - 50, "V"),),
                statuses=(status(through),),
            )
            at_ms = start_ns // 1_000_000 + (second + 1) * 1000
            producer.send(FINDINGS.name, "p1", encode(judged), timestamp_ms=at_ms)
        for hour in range(23):
            at_ns = start_ns - (23 - hour) * 3600 * 10**9
            message = encode(minute(60 * hour, start_ns=at_ns))
            producer.send(TRENDS.name, "p1", message, timestamp_ms=at_ns // 10**6)

    def seen() -> tuple[int, int | None, int] | None:
        with view.reading() as patients:
            if (recent := patients.get("p1")) is None:
                return None
            return recent.end_sample, recent.v_per_min(), len(recent.trends)

    follower = Follower(view, prefix=embedded.prefix)
    follower.start()
    try:
        until(lambda: seen() == (60 * FS, 59, 23))
        assert view.troubles() == []
    finally:
        follower.stop()


def test_strip_of_an_alarm_before_our_time_is_read_back(embedded: Cluster, view: View) -> None:
    start_ns = send_minute(embedded, ended_s=300.0)
    event = alarm(sample=2499, detected_ns=start_ns + 25_000_000_000)
    message = AlarmMessage(
        id=event.event_id,
        type="rhythmwatch.alarm.raised",
        subject="p1",
        time="2023-11-14T22:13:20Z",
        epoch=1,
        data=event,
    )
    with Producer(embedded) as producer:
        producer.send(ALARMS.name, "p1", encode(message))
    follower = Follower(view, prefix=embedded.prefix)
    follower.start()
    try:
        until(lambda: view.patients() == ["p1"])
        strip = follower.strip(event)
        assert strip is not None
        assert (strip.first_sample, strip.end_sample) == (1500, 2500)
        np.testing.assert_array_equal(strip.samples, ramp(1500, 1000))
        assert follower.strip(alarm(stream="another", sample=2499)) is None
    finally:
        follower.stop()


def test_each_action_has_an_id_and_an_author(embedded: Cluster) -> None:
    actions = Actions(embedded.bootstrap, prefix=embedded.prefix, wall_ns=lambda: 5_000_000_000)
    asked = [
        actions.acknowledge("p1", "vt-1", author="Kim"),
        actions.silence("p1", seconds=120, author="Kim"),
        actions.limits("p1", Limits(hr_high=150), author="Lee"),
        actions.registry("p1", "standby", author="Lee"),
    ]
    actions.close()
    with Reader(embedded, [ACTIONS.name]) as reader:
        found = [decode(m.value or b"", ActionMessage).action for m in reader.read_to_end()]
    assert found == asked
    assert len({action.action_id for action in found}) == 4
    assert [(a.kind, a.author) for a in found] == [
        ("acknowledge", "Kim"),
        ("silence", "Kim"),
        ("limits", "Lee"),
        ("standby", "Lee"),
    ]
    assert found[1].until_ns == 125_000_000_000


@pytest.mark.parametrize("seconds", [0.0, -1.0, LONGEST_SILENCE_S + 1])
def test_nobody_is_silenced_for_ever(seconds: float) -> None:
    with pytest.raises(ValueError, match="at most 300 s"):
        Actions("nowhere:1").silence("p1", seconds=seconds, author="Kim")

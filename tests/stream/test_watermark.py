"""The readers' rule, message by message."""

import pytest

from ecg.alarm import AlarmEvent
from ecg.finding import Beat, Gap, Span
from stream.errors import DecodeError, WrongKeyError
from stream.kafka import Incoming
from stream.messages import EPOCH_KEY, AlarmMessage, EpochMessage, FindingsMessage, TrendMessage
from stream.watermark import ALARMS_KEPT, STREAMS_KEPT, Heard, Watermarks
from stream.wire import encode


def incoming(value: bytes | None, *, key: str = "p1", partition: int = 0) -> Incoming:
    return Incoming(
        topic="t",
        partition=partition,
        offset=0,
        key=key,
        value=value,
        headers=(),
        timestamp_ms=0,
    )


def findings(
    after: int, through: int, *, epoch: int = 1, patient: str = "p1", stream: str = "s1"
) -> FindingsMessage:
    """Return a message with a beat at every tenth position and a span of every hundred."""
    return FindingsMessage(
        epoch=epoch,
        patient=patient,
        stream=stream,
        fs=250.0,
        after_sample=after,
        through_sample=through,
        spans=tuple(
            Span(first_sample=n, n_samples=100, source_ns=n, sent_ns=n)
            for n in range(0, through + 1, 100)
            if n + 99 > after
        ),
        beats=tuple(
            Beat(sample=max(n - 5, 0), decided_sample=n, beat_class="N", lead="II")
            for n in range(0, through + 1, 10)
            if n > after
        ),
        gaps=(Gap(first_sample=after, end_sample=through, decided_sample=through, reset=False),),
    )


def hear(heard: Heard, message: FindingsMessage, *, partition: int = 0) -> FindingsMessage | None:
    return heard.findings(incoming(encode(message), key=message.patient, partition=partition))


def takeover(epoch: int) -> Incoming:
    said = EpochMessage(role="score", epoch=epoch, writer="w")
    return incoming(encode(said), key=EPOCH_KEY)


def alarm(alarm_id: str, sequence: int, *, epoch: int = 1) -> Incoming:
    event = AlarmEvent(
        alarm_id=alarm_id,
        sequence=sequence,
        event="raised",
        patient="p1",
        stream="s1",
        code="vt",
        kind="physiological",
        priority="high",
        text="VT",
        onset_sample=1,
        sample=2,
        onset_ns=1,
        detected_ns=2,
        holds=True,
        latched=False,
        acknowledged=False,
    )
    message = AlarmMessage(
        id=event.event_id,
        type="raised",
        subject="p1",
        time="2026-01-01T00:00:00Z",
        epoch=epoch,
        data=event,
    )
    return incoming(encode(message))


def test_repeated_findings_are_dropped() -> None:
    heard = Heard()
    message = findings(-1, 99)
    assert hear(heard, message) == message
    assert hear(heard, message) is None
    assert hear(heard, findings(49, 99)) is None


def test_findings_that_reach_across_the_watermark_are_trimmed() -> None:
    heard = Heard()
    hear(heard, findings(-1, 149))
    new = hear(heard, findings(-1, 249))
    assert new is not None
    assert (new.after_sample, new.through_sample) == (149, 249)
    assert [beat.decided_sample for beat in new.beats] == list(range(150, 250, 10))
    assert [span.first_sample for span in new.spans] == [100, 200]
    assert len(new.gaps) == 1


def test_lower_epoch_is_dropped_after_a_higher_one() -> None:
    heard = Heard()
    assert hear(heard, findings(-1, 99, epoch=4))
    assert hear(heard, findings(99, 199, epoch=6))
    assert hear(heard, findings(199, 299, epoch=4)) is None
    assert hear(heard, findings(199, 299, epoch=6))


def test_takeover_silences_older_writers_before_the_new_one_speaks() -> None:
    heard = Heard()
    assert hear(heard, findings(-1, 99, epoch=4))
    assert heard.findings(takeover(5)) is None
    assert hear(heard, findings(99, 199, epoch=4)) is None
    assert heard.findings(takeover(3)) is None  # somebody who was outrun
    assert hear(heard, findings(99, 199, epoch=5))


def test_partitions_patients_and_streams_are_apart() -> None:
    heard = Heard()
    assert hear(heard, findings(-1, 99, epoch=9))
    assert hear(heard, findings(-1, 99, epoch=2, patient="p2"), partition=1)
    assert hear(heard, findings(-1, 99, epoch=9, patient="p3"))
    assert hear(heard, findings(-1, 99, epoch=9, stream="s2"))
    assert hear(heard, findings(-1, 99, epoch=9)) is None


def test_garbage_is_told() -> None:
    heard = Heard()
    with pytest.raises(DecodeError):
        heard.findings(incoming(b"{"))
    with pytest.raises(DecodeError):
        heard.alarm(incoming(None))
    with pytest.raises(DecodeError):
        heard.trend(incoming(b"[]", key=EPOCH_KEY))


def test_alarm_events_are_heard_once_and_in_sequence() -> None:
    heard = Heard()
    said = [alarm("a", 1), alarm("a", 2), alarm("a", 1), alarm("b", 1), alarm("a", 2)]
    assert [heard.alarm(message) is not None for message in said] == [
        True,
        True,
        False,
        True,
        False,
    ]
    assert heard.alarm(takeover(7)) is None
    assert heard.alarm(alarm("a", 3, epoch=6)) is None
    assert heard.alarm(alarm("a", 3, epoch=7)) is not None


def test_trends_are_heard_once() -> None:
    heard = Heard()

    def minute(number: int) -> Incoming:
        trend = TrendMessage(
            epoch=1,
            patient="p1",
            stream="s1",
            first_sample=number * 15000,
            end_sample=(number + 1) * 15000,
            start_ns=0,
            heart_rate_mean=60.0,
            heart_rate_min=60.0,
            heart_rate_max=60.0,
            beats={"N": 60},
            unfit_s=0.0,
        )
        return incoming(encode(trend))

    assert [heard.trend(minute(n)) is not None for n in (0, 1, 0, 1, 2)] == [
        True,
        True,
        False,
        False,
        True,
    ]


def test_memory_is_bounded() -> None:
    watermarks = Watermarks()
    for number in range(3 * STREAMS_KEPT):
        assert watermarks.advance("p1", f"s{number}", 10)
    assert len(watermarks.through["p1"]) == STREAMS_KEPT
    watermarks.forget("p1")
    assert watermarks.of("p1", "s47") == -1
    heard = Heard()
    for number in range(ALARMS_KEPT + 10):
        heard.alarm(alarm(f"a{number}", 1))
    assert len(heard.sequences[0]) == ALARMS_KEPT


def test_a_finding_under_another_key_silences_nobody() -> None:
    heard = Heard()
    wrong = incoming(encode(findings(-1, 400)), key="p2")
    with pytest.raises(WrongKeyError, match="the key must be the patient p1, got p2"):
        heard.findings(wrong)
    assert hear(heard, findings(-1, 100)) is not None

"""Alarm events for the tests of delivery."""

from typing import Literal

from ecg.alarm import AlarmEvent, Priority
from stream.messages import AlarmMessage
from stream.wire import encode


def alarm(
    sequence: int = 1,
    *,
    alarm_id: str = "a1",
    patient: str = "p1",
    priority: Priority = "high",
    event: Literal["raised", "updated", "ended"] = "raised",
    epoch: int = 1,
) -> AlarmMessage:
    data = AlarmEvent(
        alarm_id=alarm_id,
        sequence=sequence,
        event=event,
        patient=patient,
        stream="s1",
        code="vt",
        kind="physiological",
        priority=priority,
        text="VT 180 > 100 — 5 V",
        onset_sample=100,
        sample=200,
        onset_ns=1,
        detected_ns=2,
        holds=True,
        latched=False,
        acknowledged=False,
    )
    return AlarmMessage(
        id=data.event_id,
        type=f"rhythmwatch.alarm.{event}",
        subject=patient,
        time="2026-01-01T00:00:00Z",
        epoch=epoch,
        data=data,
    )


def body(sequence: int = 1, **fields: object) -> bytes:
    return encode(alarm(sequence, **fields))  # type: ignore[arg-type]  # checked by alarm()

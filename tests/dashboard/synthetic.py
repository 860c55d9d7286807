"""Messages of a patient for the dashboard's tests, and a view that has heard them."""

from dataclasses import replace

import msgspec
import numpy as np
from numpy.typing import NDArray

from ecg.alarm import AlarmEvent
from ecg.finding import Beat, LeadQuality, Status
from stream.kafka import Incoming
from stream.messages import (
    AlarmMessage,
    FindingsMessage,
    PatientMessage,
    RoleMessage,
    Signal,
    TrendMessage,
    Waveform,
)
from stream.topics import ALARMS, FINDINGS, PATIENTS, ROLES, TRENDS, WAVEFORMS, Topic
from stream.view import View
from stream.wire import encode, encode_waveform, pack_samples

FS = 100.0
START_NS = 1_700_000_000_000_000_000


class Clocks:
    """Both clocks of a view, moved by hand."""

    def __init__(self) -> None:
        self.s = 1000.0

    def monotonic_s(self) -> float:
        """Return the monotonic time."""
        return self.s

    def wall_ns(self) -> int:
        """Return the time of day."""
        return START_NS + round((self.s - 1000.0) * 1e9)


def new_view(clocks: Clocks) -> View:
    """Return a view that has heard nothing."""
    return View("broker.test:9092", monotonic_s=clocks.monotonic_s, wall_ns=clocks.wall_ns)


def incoming(
    topic: Topic, value: bytes, *, key: str | None = None, offset: int = 0, partition: int = 0
) -> Incoming:
    """Return a message as it is read."""
    return Incoming(
        topic=topic.name,
        partition=partition,
        offset=offset,
        key=key,
        value=value,
        headers=(),
        timestamp_ms=0,
    )


def waveform(
    first: int,
    samples: NDArray[np.int16],
    *,
    patient: str = "p1",
    stream: str = "s1",
    source_ns: int = START_NS,
) -> Waveform:
    """Return a chunk; one column is lead II, two are MLII and V1."""
    names = ("II",) if samples.shape[1] == 1 else ("MLII", "V1")
    signals = tuple(
        Signal(name=name, kind="ecg", unit="mV", gain=200.0, baseline=0) for name in names
    )
    return Waveform(
        patient=patient,
        stream=stream,
        first_sample=first,
        fs=FS,
        source_ns=source_ns,
        sent_ns=source_ns,
        signals=signals,
        samples=pack_samples(samples, signals),
    )


def ramp(first: int, count: int, leads: int = 1) -> NDArray[np.int16]:
    """Return samples that name their own position."""
    rows = np.arange(first, first + count, dtype=np.int16)
    return np.stack([rows + 1000 * lead for lead in range(leads)], axis=1).astype(np.int16)


def beat(sample: int, beat_class: str = "N") -> Beat:
    """Return a judged beat."""
    return Beat(
        sample=sample,
        decided_sample=sample + 40,
        beat_class=beat_class,  # type: ignore[arg-type]  # a class's letter
        score=0.02 if beat_class == "N" else 0.9,
        lead="II",
        model="m",
    )


def status(sample: int, *, fit: bool = True, leads: tuple[str, ...] = ("II",)) -> Status:
    """Return a status: 72/min when fit, lead off when not."""
    reason = None if fit else "lead_off"
    return Status(
        sample=sample,
        decided_sample=sample,
        last_r=None,
        heart_rate_bpm=72.0 if fit else None,
        fit=fit,
        reason=reason,  # type: ignore[arg-type]  # one of the reasons
        warm_up=False,
        model="m",
        leads=tuple(
            LeadQuality(lead=lead, fit=fit, reason=reason)  # type: ignore[arg-type]  # literals
            for lead in leads
        ),
    )


def findings(through: int, *, after: int = -1, epoch: int = 1, **what: object) -> FindingsMessage:
    """Return findings of the patient."""
    return FindingsMessage(
        patient="p1",
        epoch=epoch,
        stream="s1",
        fs=FS,
        after_sample=after,
        through_sample=through,
        **what,  # type: ignore[arg-type]  # a test's own words
    )


def minute(number: int, *, start_ns: int | None = None) -> TrendMessage:
    """Return the patient's minute of that number from the start of the stream."""
    return TrendMessage(
        patient="p1",
        epoch=1,
        stream="s1",
        first_sample=6000 * number,
        end_sample=6000 * (number + 1),
        start_ns=START_NS + number * 60_000_000_000 if start_ns is None else start_ns,
        heart_rate_mean=72.0,
        heart_rate_min=70.0,
        heart_rate_max=75.0,
        beats={"N": 70},
        unfit_s=0.0,
    )


def alarm(**what: object) -> AlarmEvent:
    """Return a raised VT."""
    event = AlarmEvent(
        alarm_id="vt-1",
        sequence=1,
        event="raised",
        patient="p1",
        stream="s1",
        code="vt",
        kind="physiological",
        priority="high",
        text="*** VT 142>100",
        onset_sample=100,
        sample=500,
        onset_ns=START_NS,
        detected_ns=START_NS + 4_000_000_000,
        holds=True,
        latched=False,
        acknowledged=False,
    )
    return replace(event, **what)  # type: ignore[arg-type]  # a test's own words


def hear(view: View, *messages: msgspec.Struct | AlarmEvent, epoch: int = 1) -> None:
    """Let the view take messages, each from the topic of its kind."""
    for message in messages:
        match message:
            case Waveform():
                record = incoming(WAVEFORMS, encode_waveform(message), key=message.patient)
            case FindingsMessage():
                record = incoming(FINDINGS, encode(message), key=message.patient)
            case PatientMessage():
                record = incoming(PATIENTS, encode(message), key=message.patient)
            case TrendMessage():
                record = incoming(TRENDS, encode(message), key=message.patient)
            case RoleMessage():
                record = incoming(ROLES, encode(message), key=message.role)
            case AlarmEvent():
                cloud = AlarmMessage(
                    id=message.event_id,
                    type=f"rhythmwatch.alarm.{message.event}",
                    subject=message.patient,
                    time="2023-11-14T22:13:20Z",
                    epoch=epoch,
                    data=message,
                )
                record = incoming(ALARMS, encode(cloud), key=message.patient)
            case _:
                raise TypeError(f"no topic for {message}")
        view.take([record])

"""Every message on the wire: what it says, and what makes it well formed.

The key of every message is the patient. Types carry their checks: bytes that decode
(``stream.wire``) are well formed.
"""

from typing import Annotated, Literal

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from ecg.alarm import Action, AlarmEvent, Limits
from ecg.chunk import LAST_SAMPLE
from ecg.finding import Beat, Findings, Gap, RhythmWindow, Span, Status, Time
from ecg.trend import Minute

VERSION = 1
EPOCH_KEY = "~epoch"
"""Key of an ``EpochMessage``; no patient can have it."""
NOT_A_DEVICE = "Not a medical device; not for clinical use."

_ID = r"^[A-Za-z0-9][A-Za-z0-9._:-]*$(?!\n)"  # in Python $ also stands before a last line's end
Id = Annotated[str, Meta(min_length=1, max_length=64, pattern=_ID)]
"""A patient or stream id: letters, digits, ``. _ : -``, at most 64."""
Position = Annotated[int, Meta(ge=0, lt=LAST_SAMPLE)]
"""A sample number, as exact in JSON and in floating point as here."""
Nanoseconds = Time


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """What every message starts with."""

    version: Literal[1] = 1
    patient: Id


class Signal(msgspec.Struct, frozen=True, kw_only=True):
    """One column of a waveform: ``(adc - baseline) / gain`` is its value in ``unit``."""

    name: Annotated[str, Meta(min_length=1, max_length=64)]
    kind: Literal["ecg", "ppg", "abp", "resp"]
    unit: Annotated[str, Meta(max_length=16)]
    gain: Annotated[float, Meta(gt=0)]
    baseline: Annotated[int, Meta(ge=-(2**31), lt=2**31)]


class Waveform(Message, frozen=True, kw_only=True):
    """Consecutive samples of one patient: little-endian int16, row by row.

    The int16 minimum says that a sample is missing.
    """

    stream: Id
    first_sample: Position
    fs: Annotated[float, Meta(gt=0)]
    source_ns: Nanoseconds
    sent_ns: Nanoseconds
    discontinuity: bool = False
    signals: Annotated[tuple[Signal, ...], Meta(min_length=1, max_length=16)]
    samples: bytes

    def __post_init__(self) -> None:
        """Check that the bytes are whole rows."""
        row = 2 * len(self.signals)
        if len(self.samples) % row:
            raise ValueError(f"samples must be whole rows of {row} bytes, got {len(self.samples)}")

    def array(self) -> NDArray[np.int16]:
        """Return the samples, shape (n_samples, n_signals), without a copy."""
        return np.frombuffer(self.samples, dtype="<i2").reshape(-1, len(self.signals))


class FindingsMessage(Message, frozen=True, kw_only=True):
    """All findings of a patient after ``after_sample`` up to ``through_sample``.

    Samples in which there is nothing to say are told with the next finding, or
    within a second.
    """

    epoch: Annotated[int, Meta(ge=0)]
    """Grows with each takeover of the partition; readers drop what is older than they have seen."""
    stream: Id
    fs: Annotated[float, Meta(ge=1, le=1e6)]
    after_sample: Annotated[int, Meta(ge=-1, lt=LAST_SAMPLE)]
    through_sample: Position
    spans: tuple[Span, ...] = ()
    beats: tuple[Beat, ...] = ()
    windows: tuple[RhythmWindow, ...] = ()
    statuses: tuple[Status, ...] = ()
    gaps: tuple[Gap, ...] = ()

    @classmethod
    def of(cls, findings: Findings, *, epoch: int) -> "FindingsMessage":
        """Wrap the monitor's findings for the wire."""
        return cls(
            epoch=epoch,
            patient=findings.patient,
            stream=findings.stream,
            fs=findings.fs,
            after_sample=findings.after_sample,
            through_sample=findings.through_sample,
            spans=findings.spans,
            beats=findings.beats,
            windows=findings.windows,
            statuses=findings.statuses,
            gaps=findings.gaps,
        )

    def findings(self) -> Findings:
        """Return what the monitor said."""
        return Findings(
            patient=self.patient,
            stream=self.stream,
            fs=self.fs,
            after_sample=self.after_sample,
            through_sample=self.through_sample,
            spans=self.spans,
            beats=self.beats,
            windows=self.windows,
            statuses=self.statuses,
            gaps=self.gaps,
        )


class AlarmMessage(msgspec.Struct, frozen=True, kw_only=True):
    """One alarm transition as a structured CloudEvent; also the webhook's body, byte for byte."""

    specversion: Literal["1.0"] = "1.0"
    id: str
    source: str = "/rhythmwatch/alarm"
    type: str
    subject: Id
    time: str
    datacontenttype: Literal["application/json"] = "application/json"
    dataschema: str = "urn:rhythmwatch:schema:alarm-event:1"
    epoch: Annotated[int, Meta(ge=0)]
    notice: str = NOT_A_DEVICE
    data: AlarmEvent


class ActionMessage(Message, frozen=True, kw_only=True):
    """What somebody at a screen asks for."""

    action: Action


class PatientMessage(Message, frozen=True, kw_only=True):
    """The registry's entry of a patient."""

    bed: Annotated[str, Meta(max_length=64)] = ""
    unit: Annotated[str, Meta(max_length=64)] = ""
    label: Annotated[str, Meta(max_length=200)] = ""
    """What a screen says of where the ECG comes from, e.g. ``SIMULATED``."""
    adult: bool = True
    paced: bool = False
    standby: bool = False
    discharged: bool = False
    limits: Limits = Limits()
    action_id: Annotated[str, Meta(max_length=128)] | None = None
    """Set by the alarm role when it enters what an action has changed (``admission`` when it enters
    an unknown patient): then limits, standby and discharge say what is in force. Who sets them in
    the registry leaves it out, and the alarm role applies them."""


class TrendMessage(Message, frozen=True, kw_only=True):
    """One minute of a patient, from ``first_sample`` up to ``end_sample`` (excluded)."""

    epoch: Annotated[int, Meta(ge=0)]
    stream: Id
    first_sample: Position
    end_sample: Position
    start_ns: Nanoseconds
    heart_rate_mean: float | None
    heart_rate_min: float | None
    heart_rate_max: float | None
    beats: dict[str, int]
    unfit_s: float


class RoleMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A sign of life of a role, once a second to every partition that it works on.

    Its key is the role's name, of ``notify`` that of the endpoint as well; the partition is set by
    the sender.
    """

    version: Literal[1] = 1
    role: Literal["score", "alarm", "notify", "archive"]
    epoch: Annotated[int, Meta(ge=0)]
    at_ns: Nanoseconds


class EpochMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A role has taken a partition over; what older epochs write after this is not heard.

    Its key is ``EPOCH_KEY``; the partition is set by the sender.
    """

    version: Literal[1] = 1
    role: str
    epoch: Annotated[int, Meta(ge=0)]
    writer: str
    """A new id at every takeover."""


class StateMessage(Message, frozen=True, kw_only=True):
    """What a role knows of a patient, so that another process can go on from there."""

    epoch: Annotated[int, Meta(ge=0)]
    inputs: dict[str, int]
    """For each input topic the offset of the first message that is not in this state."""


class ScoreState(StateMessage, frozen=True, kw_only=True):
    """State of a patient in ``score``."""

    streams: tuple[Id, ...]
    """The last streams seen, newest last: only that one is judged."""
    end_sample: Position
    """One past the last sample taken."""
    state: bytes
    """What the monitor exports."""


class AlarmState(StateMessage, frozen=True, kw_only=True):
    """State of a patient in ``alarm``: written before the events that it holds are published."""

    outputs: dict[str, int]
    """For each output topic an offset before which none of ``events`` and ``minutes`` stand."""
    events: tuple[AlarmEvent, ...] = ()
    """Transitions that this state made, to be published once by whoever reads this."""
    minutes: tuple[Minute, ...] = ()
    """Minutes that it completed, likewise."""
    registry: PatientMessage | None = None
    """The registry's entry as last known, or as it is to be entered."""
    enter: bool = False
    """The entry is to be written to the registry."""
    state: bytes
    """What the alarms of the patient export."""


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """A message or delivery given up, with where it stands and why."""

    topic: str
    partition: int
    offset: int
    reason: str
    detail: str
    at_ns: Nanoseconds
    key: str | None = None
    value: bytes = b""
    """The message's first bytes, base64 in JSON."""

"""The rule by which every reader hears each finding, alarm and trend once.

A writer that was thought dead may wake up and write what another one has taken
over. So each message carries its writer's epoch, which grows with each takeover
of the partition, and a reader drops what has a lower epoch than it has heard on
that partition, and what it has heard before: findings at or below the watermark
of their patient and stream, alarm transitions by their sequence. The rule is
part of the message contract (``docs/concepts/delivery.md``); this is its only
implementation.
"""

from collections import OrderedDict
from dataclasses import dataclass, field

import msgspec

from stream.errors import DecodeError, WrongKeyError
from stream.kafka import Incoming, Place
from stream.messages import EPOCH_KEY, AlarmMessage, EpochMessage, FindingsMessage, TrendMessage
from stream.wire import decode

STREAMS_KEPT = 16
"""So many newest streams of a patient are told apart."""
ALARMS_KEPT = 10_000
"""So many newest alarms of a partition are told apart."""


@dataclass(slots=True)
class Epochs:
    """The highest epoch heard in each partition.

    Examples
    --------
    >>> epochs = Epochs()
    >>> place = ("ecg.findings", 0)
    >>> [epochs.hears(place, epoch) for epoch in (3, 3, 5, 3, 5)]
    [True, True, True, False, True]
    """

    highest: dict[Place, int] = field(default_factory=dict)

    def hears(self, place: Place, epoch: int) -> bool:
        """Return whether a message of that epoch counts, and remember the epoch."""
        if epoch < self.highest.get(place, 0):
            return False
        self.highest[place] = epoch
        return True


@dataclass(slots=True)
class Watermarks:
    """The last position heard of each patient and stream."""

    through: dict[str, OrderedDict[str, int]] = field(default_factory=dict)

    def of(self, patient: str, stream: str) -> int:
        """Return the last position heard, -1 for none."""
        streams = self.through.get(patient)
        return -1 if streams is None else streams.get(stream, -1)

    def advance(self, patient: str, stream: str, position: int) -> bool:
        """Return whether a position is new, and remember it."""
        streams = self.through.get(patient)
        if streams is None:
            streams = self.through[patient] = OrderedDict()
        if position <= streams.get(stream, -1):
            return False
        streams[stream] = position
        if len(streams) > 1:
            streams.move_to_end(stream)
            while len(streams) > STREAMS_KEPT:
                streams.popitem(last=False)
        return True

    def forget(self, patient: str) -> None:
        """Forget a patient."""
        self.through.pop(patient, None)

    def new_part(self, message: FindingsMessage) -> FindingsMessage | None:
        """Return what of a message has not been heard, None if nothing; advance past it."""
        heard = self.of(message.patient, message.stream)
        if not self.advance(message.patient, message.stream, message.through_sample):
            return None
        if message.after_sample >= heard:
            return message
        return msgspec.structs.replace(
            message,
            after_sample=heard,
            spans=tuple(s for s in message.spans if s.first_sample + s.n_samples - 1 > heard),
            beats=tuple(b for b in message.beats if b.decided_sample > heard),
            windows=tuple(w for w in message.windows if w.decided_sample > heard),
            statuses=tuple(s for s in message.statuses if s.decided_sample > heard),
            gaps=tuple(g for g in message.gaps if g.decided_sample > heard),
        )


@dataclass(slots=True)
class Heard:
    """What a reader of findings, alarms or trends has heard; ask it about every message.

    Each method returns None for a message that does not count, and raises
    DecodeError for one that cannot be read.
    """

    epochs: Epochs = field(default_factory=Epochs)
    watermarks: Watermarks = field(default_factory=Watermarks)
    trends: Watermarks = field(default_factory=Watermarks)
    sequences: dict[int, OrderedDict[str, int]] = field(default_factory=dict)

    def findings(self, message: Incoming) -> FindingsMessage | None:
        """Return the new findings in a message of the findings topic."""
        value = _value(message)
        if message.key == EPOCH_KEY:
            self._takeover(message, value)
            return None
        findings = decode(value, FindingsMessage)
        check_key(message, findings.patient)
        if not self.epochs.hears(_place(message), findings.epoch):
            return None
        return self.watermarks.new_part(findings)

    def alarm(self, message: Incoming) -> AlarmMessage | None:
        """Return the new transition in a message of the alarms topic."""
        value = _value(message)
        if message.key == EPOCH_KEY:
            self._takeover(message, value)
            return None
        alarm = decode(value, AlarmMessage)
        if not self.epochs.hears(_place(message), alarm.epoch):
            return None
        last = self.sequences.setdefault(message.partition, OrderedDict())
        if alarm.data.sequence <= last.get(alarm.data.alarm_id, 0):
            return None
        last[alarm.data.alarm_id] = alarm.data.sequence
        last.move_to_end(alarm.data.alarm_id)
        while len(last) > ALARMS_KEPT:
            last.popitem(last=False)
        return alarm

    def trend(self, message: Incoming) -> TrendMessage | None:
        """Return the new minute in a message of the trends topic."""
        value = _value(message)
        if message.key == EPOCH_KEY:
            self._takeover(message, value)
            return None
        trend = decode(value, TrendMessage)
        check_key(message, trend.patient)
        if not self.epochs.hears(_place(message), trend.epoch):
            return None
        return trend if self.trends.advance(trend.patient, trend.stream, trend.end_sample) else None

    def forget(self, patient: str) -> None:
        """Forget a patient's findings and trends; alarms are told apart by their own ids."""
        self.watermarks.forget(patient)
        self.trends.forget(patient)

    def _takeover(self, message: Incoming, value: bytes) -> None:
        self.epochs.hears(_place(message), decode(value, EpochMessage).epoch)


def check_key(message: Incoming, patient: str) -> None:
    """Refuse a message that does not stand under its patient's key, so maybe in another partition.

    Raises
    ------
    WrongKeyError
        If the key is another.
    """
    if message.key != patient:
        raise WrongKeyError(f"the key must be the patient {patient}, got {message.key}")


def _place(message: Incoming) -> Place:
    return (message.topic, message.partition)


def _value(message: Incoming) -> bytes:
    if message.value is None:
        raise DecodeError("a message without a value")
    return message.value

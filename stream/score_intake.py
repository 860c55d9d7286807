"""What comes in to the role ``score``: which waveforms are judged now, which wait, which cannot be.

In one tick at most ``SHARE`` messages of a patient are judged, and some ``SHARE_S`` of
signal. What is beyond that waits, in order, and goes first in the next tick: the
messages of one patient are judged one after the other, those of all patients side by
side, so a device that sends without end would make everybody wait for itself.
"""

import logging
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ecg.chunk import Chunk
from ecg.errors import EcgError
from ecg.filters import resampler
from stream import metrics
from stream.chunks import Known, chunk_of, head_of
from stream.dead_letter import DeadLetters, Reason
from stream.errors import DecodeError
from stream.kafka import Incoming, partition_for
from stream.score_patient import Partition, Patient
from stream.topics import WAVEFORMS
from stream.watermark import STREAMS_KEPT
from stream.wire import decode_waveform

logger = logging.getLogger(__name__)

SHARE = 40
"""Messages of one patient that are judged in one tick: 10 s of chunks of 250 ms. With ten ticks a
second that is a hundred times what a device sends."""
SHARE_S = 60.0
"""Signal of one patient that is judged in one tick, with what is missing between messages: what is
said of it is one message, of up to 5 kB a second, and a broker takes a megabyte. A last message of
10 s after a gap of a minute may go beyond."""
MAX_WAITING = 50_000
"""Messages of one partition that may wait, some 40 MB: beyond, its reading stops for a while."""
FLOOD = 10.0
"""A device that has sent more ECG than this many times the time that it took floods: the messages
of an honest one that has to be caught up with were sent at the pace of its signal."""
HOG = 0.9
"""Of the messages that wait, the share of one patient that makes it the one to blame."""
PRESENT_S = 10.0
"""Who has sent something within this time would have to wait for the one who floods."""


class _Refused(Exception):  # noqa: N818  # never leaves this module
    """A waveform that cannot be judged, with the dead letter's reason."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason: Reason = reason


@dataclass(slots=True)
class _Tick:
    """What one tick takes in."""

    now_s: float
    admitted: list[tuple[Incoming, Chunk]] = field(default_factory=list)
    taken: Counter[str | None] = field(default_factory=Counter)
    """Messages by key, so that nobody has more than the share ..."""
    went_s: defaultdict[str | None, float] = field(default_factory=lambda: defaultdict(float))
    """... and how far they went on."""
    orders: Counter[str] = field(default_factory=Counter)
    """How the chunks follow those before them."""
    deferred: int = 0

    def full(self, key: str | None) -> bool:
        """Return whether a patient has had the share."""
        return self.taken[key] >= SHARE or self.went_s[key] >= SHARE_S


class Intake:
    """Takes waveforms in for ``score``.

    Parameters
    ----------
    partitions : mapping
        Those that are ours, by number; kept up to date by the owner.
    dead_letters : DeadLetters
        Where messages go that cannot be judged.
    n_partitions : int
        Partitions of the topic.
    """

    def __init__(
        self,
        partitions: Mapping[int, Partition],
        dead_letters: DeadLetters,
        *,
        n_partitions: int,
    ) -> None:
        self._partitions = partitions
        self._dead_letters = dead_letters
        self._n_partitions = n_partitions

    @property
    def waiting(self) -> int:
        """Number of messages that wait for the next tick."""
        return sum(part.n_waiting for part in self._partitions.values())

    def take(self, messages: Iterable[Incoming], *, now_s: float) -> list[tuple[Incoming, Chunk]]:
        """Return the chunks that are judged in this tick, with their messages.

        Parameters
        ----------
        messages : iterable of Incoming
            What the poll has brought.
        now_s : float
            Now, monotonic.

        Raises
        ------
        BrokerError
            If a dead letter cannot be sent.
        """
        tick = _Tick(now_s)
        for part in self._partitions.values():
            if part.waiting:
                self._go_on(part, tick)
        for message in messages:
            key = message.key
            part = self._partitions[message.partition]
            if (tick.full(key) and key in part.patients) or key in part.waiting:
                self._wait(key or "", message, part, tick)
            else:
                self._admit(message, part, tick)
        for order, count in tick.orders.items():
            metrics.CHUNKS.labels(order).inc(count)
        if tick.deferred:
            metrics.DEFERRED.inc(tick.deferred)
        return tick.admitted

    # --- the share of each ---

    def _go_on(self, part: Partition, tick: _Tick) -> None:
        """Take in what has waited longest, up to the share of each patient."""
        for name in list(part.waiting):
            queue = part.waiting[name]
            while queue and not tick.full(name):
                self._admit(queue.popleft(), part, tick)
                part.n_waiting -= 1
            if queue:
                part.ledger.goes_on(name, WAVEFORMS.name, queue[0].offset)
            else:
                part.ledger.goes_on(name, WAVEFORMS.name, None)
                del part.waiting[name]

    def _wait(self, name: str, message: Incoming, part: Partition, tick: _Tick) -> None:
        """Let a message wait for the next tick; give it up where its device drowns the others."""
        queue = part.waiting.get(name)
        if queue is None:
            queue = part.waiting[name] = deque()
        if part.n_waiting >= MAX_WAITING and _floods(name, queue, part, tick.now_s):
            self._dead_letters.give_up(
                message,
                "over-quota",
                f"{name} sends more than {FLOOD:g} times as fast as its signal goes on, "
                f"{len(queue)} of its messages wait, and others of the partition wait for them",
            )
            part.ledger.passed(message.topic, message.offset)
            return
        queue.append(message)
        part.n_waiting += 1
        part.ledger.waits(name, message.topic, message.offset)
        tick.deferred += 1

    # --- one message ---

    def _admit(self, message: Incoming, part: Partition, tick: _Tick) -> None:
        tick.taken[message.key] += 1
        patient = part.patients.get(message.key or "")
        if patient is not None and message.offset < patient.covered:
            part.ledger.passed(message.topic, message.offset)
            return
        try:
            chunk = None
            if patient is not None and patient.known is not None and message.value is not None:
                chunk = patient.known.chunk(message.value)
            if chunk is None or patient is None:
                patient, chunk = self._in_full(message, part)
            order, went = _follow(patient, chunk, tick.now_s)
            tick.orders[order] += 1
            tick.went_s[chunk.patient] += went / chunk.fs
        except _Refused as refused:
            self._dead_letters.give_up(message, refused.reason, str(refused))
            part.ledger.passed(message.topic, message.offset)
            return
        part.ledger.took(chunk.patient, message.topic, message.offset)
        tick.admitted.append((message, chunk))

    def _in_full(self, message: Incoming, part: Partition) -> tuple[Patient, Chunk]:
        """Look at a message in every respect; remember what will stay the same."""
        if message.value is None:
            raise _Refused("unreadable", "a waveform message has a value, got none")
        try:
            waveform = decode_waveform(message.value)
        except DecodeError as error:
            raise _Refused("unreadable", str(error)) from error
        if message.key != waveform.patient:
            raise _Refused(
                "wrong-key", f"the key must be the patient {waveform.patient}, got {message.key}"
            )
        right = partition_for(waveform.patient, self._n_partitions)
        if message.partition != right:
            raise _Refused(
                "wrong-partition",
                f"patient {waveform.patient} belongs to partition {right}: "
                "send with Kafka's default partitioner (murmur2)",
            )
        try:
            chunk = chunk_of(waveform)
            # what the monitor would refuse must not unseat the patient's stream
            resampler(chunk.fs)
        except EcgError as error:
            raise _Refused("refused", str(error)) from error
        patient = part.patients.setdefault(chunk.patient, Patient())
        patient.known = Known.of(message.value, waveform, chunk)
        return patient, chunk


def _follow(patient: Patient, chunk: Chunk, now_s: float) -> tuple[str, int]:
    """Return how a chunk follows the last one, and by how many samples the stream goes on.

    Refuses a stream older than the newest.
    """
    patient.heard_s = now_s
    if not patient.streams or chunk.stream != patient.streams[-1]:
        if chunk.stream in patient.streams:
            raise _Refused(
                "old-stream",
                f"stream {chunk.stream} of {chunk.patient} is older than {patient.streams[-1]}",
            )
        patient.streams = [*patient.streams, chunk.stream][-STREAMS_KEPT:]
        patient.end_sample = chunk.first_sample
        patient.last_gap = (0, 0)
    expected, first, end = patient.end_sample, chunk.first_sample, chunk.end_sample
    if end > expected:
        patient.end_sample = end
        if first == expected:
            return "next", end - expected
        if first > expected:
            patient.last_gap = (expected, first)
            return "gap", end - expected
        return "overlap", end - expected
    missed_from, missed_to = patient.last_gap
    return ("out_of_order" if missed_from <= first and end <= missed_to else "repeat"), 0


def _floods(name: str, queue: deque[Incoming], part: Partition, now_s: float) -> bool:
    """Tell whether a patient's device is what makes the others of its partition wait."""
    if len(queue) < HOG * part.n_waiting:
        return False
    if not any(
        other != name and now_s - patient.heard_s < PRESENT_S
        for other, patient in part.patients.items()
    ):
        return False
    first, last = (
        None if one.value is None else head_of(one.value) for one in (queue[0], queue[-1])
    )
    patient = part.patients[name]
    if first is None or last is None or patient.known is None or not first.fs > 0:
        return True  # nothing that could be judged
    seconds = len(first.samples) / (2 * patient.known.n_signals * first.fs) * len(queue)
    return seconds > FLOOD * max(last.sent_ns - first.sent_ns, 0) / 1e9

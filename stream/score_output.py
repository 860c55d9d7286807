"""What the role ``score`` says: one message for all findings of a patient in a tick.

A tick in which a patient shows nothing - no beat, no second that ends, no gap -
makes no message. Its samples are held back and go out with the next finding, or
after ``HOLD_S``: of four chunks a second about two bring something, and the others
would cost as much to send and to read.
"""

from collections import Counter
from collections.abc import Iterable, Mapping

from ecg.finding import Findings
from stream import metrics
from stream.clock import Clock
from stream.kafka import Producer, partition_for
from stream.messages import FindingsMessage
from stream.score_patient import Held, Partition
from stream.topics import FINDINGS
from stream.wire import encode

HOLD_S = 1.0
"""The longest that samples without a finding are held back. A stream that goes on says a status
every second, so it is reached where a source has stopped."""


class Output:
    """Publishes findings for ``score``.

    Parameters
    ----------
    partitions : mapping
        Those that are ours, by number; kept up to date by the owner.
    producer : Producer
        Sends them.
    clock : Clock
        Tells how late they are.
    n_partitions : int
        Partitions of the topic.
    """

    def __init__(
        self,
        partitions: Mapping[int, Partition],
        producer: Producer,
        clock: Clock,
        *,
        n_partitions: int,
    ) -> None:
        self._partitions = partitions
        self._producer = producer
        self._clock = clock
        self._n_partitions = n_partitions
        # of the messages that nobody has acknowledged yet
        self._sent_ns: list[int] = []
        self._classes: Counter[str | None] = Counter()

    def say(self, found: list[Findings], *, now_s: float) -> None:
        """Send what nobody has heard yet, or hold it back.

        Parameters
        ----------
        found : list of Findings
            What the monitor says in this tick; emptied.
        now_s : float
            Now, monotonic.

        Raises
        ------
        BrokerError
            If it cannot be sent.
        """
        n_partitions = self._n_partitions
        # each is let go of as soon as it is written: thousands at once, later, would have to be
        # fetched into the processor again for that alone, 3 % of the role's time
        found.reverse()
        while found:
            one = found.pop()
            part = self._partitions[partition_for(one.patient, n_partitions)]
            held = part.held.get(one.patient)
            if held is not None and held.stream != one.stream:
                self.let_go(part, [one.patient])
                held = None
            if one.beats or one.statuses or one.windows or one.gaps:
                self._send(part, _message(one, part.held.pop(one.patient, None), part.epoch))
            elif held is None:
                part.held[one.patient] = Held(
                    stream=one.stream,
                    fs=one.fs,
                    after_sample=one.after_sample,
                    through_sample=one.through_sample,
                    spans=list(one.spans),
                    since_s=now_s,
                )
            else:
                held.through_sample = one.through_sample
                held.spans += one.spans

    def let_go(self, part: Partition, patients: Iterable[str]) -> None:
        """Send what is held back of patients: before a state that covers it, and when it is old.

        Raises
        ------
        BrokerError
            If it cannot be sent.
        """
        for patient in patients:
            held = part.held.pop(patient, None)
            if held is not None:
                self._send(
                    part,
                    FindingsMessage(
                        epoch=part.epoch,
                        patient=patient,
                        stream=held.stream,
                        fs=held.fs,
                        after_sample=held.after_sample,
                        through_sample=held.through_sample,
                        spans=tuple(held.spans),
                    ),
                )

    def let_go_of_old(self, *, now_s: float) -> None:
        """Send what has been held back for long enough.

        Raises
        ------
        BrokerError
            If it cannot be sent.
        """
        for part in self._partitions.values():
            old = [name for name, held in part.held.items() if now_s - held.since_s >= HOLD_S]
            self.let_go(part, old)

    def hand_over(self) -> None:
        """Let the broker have what was sent, without waiting for it."""
        self._producer.hand_over()

    def settle(self) -> None:
        """Wait until all that was sent is acknowledged, and count it.

        Raises
        ------
        BrokerError
            If anything was not.
        """
        ends = self._producer.flush()
        for part in self._partitions.values():
            part.ledger.published(ends)
        if not self._sent_ns:
            return
        now_ns = self._clock.now_ns()
        metrics.LATENCY.observe_all(max(0, now_ns - sent_ns) / 1e9 for sent_ns in self._sent_ns)
        for beat_class, count in self._classes.items():
            metrics.BEATS.labels(beat_class or "unclassified").inc(count)
        self._sent_ns.clear()
        self._classes.clear()

    def _send(self, part: Partition, whole: FindingsMessage) -> None:
        message = part.watermarks.new_part(whole)
        if message is None:
            return
        self._producer.send(FINDINGS.name, message.patient, encode(message), partition=part.number)
        if message.spans:
            self._sent_ns.append(message.spans[-1].sent_ns)
        for beat in message.beats:
            self._classes[beat.beat_class] += 1


def _message(found: Findings, held: Held | None, epoch: int) -> FindingsMessage:
    return FindingsMessage(
        epoch=epoch,
        patient=found.patient,
        stream=found.stream,
        fs=found.fs,
        after_sample=found.after_sample if held is None else held.after_sample,
        through_sample=found.through_sample,
        spans=found.spans if held is None else (*held.spans, *found.spans),
        beats=found.beats,
        windows=found.windows,
        statuses=found.statuses,
        gaps=found.gaps,
    )

"""The role ``score``: waveforms in, findings out.

One poll is one tick: all patients' new chunks go through the monitor together.
The tick's findings are published and acknowledged before states, and states
before offsets (``docs/concepts/delivery.md``).
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from ecg.chunk import Chunk
from ecg.errors import ChunkError, StateError
from ecg.finding import Findings
from ecg.monitor import Monitor
from stream import metrics
from stream.clock import Clock, SystemClock
from stream.dead_letter import DeadLetters, Reason
from stream.errors import BrokerError, DecodeError, FencedError
from stream.kafka import (
    Cluster,
    Consumer,
    Incoming,
    Polled,
    Producer,
    partition_for,
    wait_for_broker,
)
from stream.messages import (
    FindingsMessage,
    RoleMessage,
    ScoreState,
    Waveform,
    decode_waveform,
    encode,
)
from stream.takeover import STATE_EVERY_S, Ledger, Taken, take_over
from stream.topics import FINDINGS, ROLES, SCORE_STATE, WAVEFORMS
from stream.watchdog import Watchdog
from stream.watermark import STREAMS_KEPT, Heard, Watermarks

logger = logging.getLogger(__name__)

GROUP = "score"
COMMIT_EVERY_S = 1.0
SIGN_OF_LIFE_EVERY_S = 1.0
FORGET_AFTER_S = 24 * 3600.0
"""A patient who has sent nothing for this long is forgotten: the waveforms are gone as well."""
_ADU_PER_MV = {"mv": 1.0, "uv": 1e3, "µv": 1e3, "μv": 1e3, "v": 1e-3}
"""What a gain in ADU per unit is multiplied by."""


@dataclass(slots=True)
class _Patient:
    """What ``score`` itself knows of a patient, beside the monitor."""

    streams: list[str] = field(default_factory=list)
    end_sample: int = 0
    last_gap: tuple[int, int] = (0, 0)
    covered: int = 0
    """The first offset that the restored state does not cover."""
    heard_s: float = 0.0


@dataclass(slots=True)
class _Partition:
    epoch: int
    ledger: Ledger
    watermarks: Watermarks
    patients: dict[str, _Patient] = field(default_factory=dict)


class _Refused(Exception):  # noqa: N818  # never leaves this module
    """A waveform that cannot be judged, with the dead letter's reason."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason: Reason = reason


def chunk_of(message: Waveform) -> Chunk:
    """Return the ECG leads of a waveform, with gains in ADU per mV.

    Raises
    ------
    ChunkError
        If there is no ECG lead, or its unit is no voltage.
    """
    columns = [i for i, signal in enumerate(message.signals) if signal.kind == "ecg"]
    if not columns:
        kinds = ", ".join(sorted({signal.kind for signal in message.signals}))
        raise ChunkError(f"at least one signal must be of kind ecg, got only {kinds}")
    signals = [message.signals[i] for i in columns]
    for signal in signals:
        if signal.unit.casefold() not in _ADU_PER_MV:
            raise ChunkError(
                f"the unit of lead {signal.name} must be mV, uV or V, got {signal.unit!r}"
            )
    return Chunk(
        patient=message.patient,
        stream=message.stream,
        first_sample=message.first_sample,
        fs=message.fs,
        leads=tuple(signal.name for signal in signals),
        # a selection of columns lies column by column: for that the signal path is not compiled
        samples=np.ascontiguousarray(message.array()[:, columns], dtype=np.int16),
        gain=tuple(signal.gain * _ADU_PER_MV[signal.unit.casefold()] for signal in signals),
        baseline=tuple(signal.baseline for signal in signals),
        discontinuity=message.discontinuity,
        source_ns=message.source_ns,
        sent_ns=message.sent_ns,
    )


class Score:
    """One member of the group ``score``, from joining to leaving.

    Parameters
    ----------
    cluster : Cluster
        Where the topics are.
    monitor : Monitor
        Judges; must be new, since it is given the states of those it takes over.
    clock : Clock
        Dates what is said.
    state_every_s : float
        How often a patient's state is written, in s.

    Raises
    ------
    BrokerError
        If the broker is away.
    """

    def __init__(
        self,
        cluster: Cluster,
        monitor: Monitor,
        *,
        clock: Clock,
        state_every_s: float = STATE_EVERY_S,
    ) -> None:
        self._cluster = cluster
        self._monitor = monitor
        self._clock = clock
        self._state_every_s = state_every_s
        self._partitions: dict[int, _Partition] = {}
        self._next_commit_s = 0.0
        self._next_sign_s = 0.0
        self._producer = Producer(cluster)
        self._dead_letters = DeadLetters(self._producer, clock, role="score")
        try:
            self._n_partitions = self._producer.partitions(WAVEFORMS.name)
            self._consumer = Consumer(cluster, GROUP, [WAVEFORMS.name], held=True)
        except BrokerError:
            self._producer.close()
            raise

    def run(self, stop: threading.Event) -> None:
        """Work until told to stop, then finish the tick and leave in good order.

        Raises
        ------
        BrokerError
            If the broker goes away: close this member and start a new one.
        """
        with Watchdog(GROUP) as watchdog:
            while not stop.is_set():
                self.tick(self._consumer.poll(0.05))
                watchdog.seen()
            self._write_states(everyone=True)
            self._commit()

    def close(self) -> None:
        """Leave the group and disconnect."""
        self._consumer.close()
        self._producer.close()

    def tick(self, polled: Polled) -> None:
        """Deal with one poll.

        Raises
        ------
        BrokerError
            If the broker goes away, or what was ours is not ours any more.
        """
        self._give_up(polled.revoked)
        self._take_over(polled.assigned)
        chunks = self._admit(polled.messages)
        self._publish(self._judge(chunks))
        metrics.MESSAGES.labels("score", WAVEFORMS.name).inc(len(polled.messages))
        now = time.monotonic()
        if now >= self._next_sign_s:
            self._next_sign_s = now + SIGN_OF_LIFE_EVERY_S
            self._sign_of_life()
        self._write_states()
        if now >= self._next_commit_s:
            self._next_commit_s = now + COMMIT_EVERY_S
            self._commit()

    # --- what is ours ---

    def _give_up(self, partitions: Iterable[int]) -> None:
        for partition in partitions:
            part = self._partitions.pop(partition, None)
            for patient in part.patients if part else ():
                self._monitor.discharge(patient)

    def _take_over(self, partitions: Iterable[int]) -> None:
        taken = take_over(
            self._cluster,
            self._consumer,
            self._producer,
            partitions,
            role="score",
            kind=ScoreState,
            inputs=[WAVEFORMS.name],
            state=SCORE_STATE.name,
            outputs=[FINDINGS.name],
        )
        for partition, one in taken.items():
            self._partitions[partition] = self._restore(one)
            self._consumer.start(partition, one.inputs)
            metrics.TAKEOVERS.labels("score").inc()
        self._count_patients()

    def _restore(self, taken: Taken[ScoreState]) -> _Partition:
        heard = Heard()
        for message in taken.tail:
            try:
                heard.findings(message)
            except DecodeError as error:
                logger.warning("%s: %s", message, error)
        part = _Partition(
            epoch=taken.epoch,
            ledger=Ledger(taken, every_s=self._state_every_s),
            watermarks=heard.watermarks,
        )
        now = time.monotonic()
        for patient, state in taken.states.items():
            try:
                self._monitor.restore(patient, state.state)
            except StateError as error:
                # an older program's state: the signal state starts anew, and says so by warm-up
                logger.warning("state of %s cannot be restored: %s", patient, error)
            part.patients[patient] = _Patient(
                streams=list(state.streams),
                end_sample=state.end_sample,
                covered=state.inputs.get(WAVEFORMS.name, 0),
                heard_s=now,
            )
        return part

    # --- chunks in ---

    def _admit(self, messages: Sequence[Incoming]) -> list[tuple[Incoming, Chunk]]:
        """Return the chunks that are to be judged; the others become dead letters."""
        admitted = []
        for message in messages:
            part = self._partitions[message.partition]
            patient = part.patients.get(message.key or "")
            if patient is not None and message.offset < patient.covered:
                part.ledger.passed(message.topic, message.offset)
                continue
            try:
                chunk = self._chunk(message, part)
            except _Refused as refused:
                self._dead_letters.give_up(message, refused.reason, str(refused))
                part.ledger.passed(message.topic, message.offset)
                continue
            part.ledger.took(chunk.patient, message.topic, message.offset)
            admitted.append((message, chunk))
        return admitted

    def _chunk(self, message: Incoming, part: _Partition) -> Chunk:
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
        except ChunkError as error:
            raise _Refused("refused", str(error)) from error
        patient = part.patients.setdefault(chunk.patient, _Patient())
        self._follow_stream(patient, chunk)
        return chunk

    def _follow_stream(self, patient: _Patient, chunk: Chunk) -> None:
        """Refuse a stream older than the newest; count how the chunk follows the last one."""
        patient.heard_s = time.monotonic()
        if not patient.streams or chunk.stream != patient.streams[-1]:
            if chunk.stream in patient.streams:
                raise _Refused(
                    "old-stream",
                    f"stream {chunk.stream} of {chunk.patient} is older than {patient.streams[-1]}",
                )
            patient.streams = [*patient.streams, chunk.stream][-STREAMS_KEPT:]
            patient.end_sample = chunk.first_sample
            patient.last_gap = (0, 0)
        expected = patient.end_sample
        if chunk.first_sample == expected:
            order = "next"
        elif chunk.first_sample > expected:
            order = "gap"
            patient.last_gap = (expected, chunk.first_sample)
        elif chunk.end_sample > expected:
            order = "overlap"
        else:
            start, end = patient.last_gap
            missed = start <= chunk.first_sample and chunk.end_sample <= end
            order = "out_of_order" if missed else "repeat"
        metrics.CHUNKS.labels(order).inc()
        patient.end_sample = max(expected, chunk.end_sample)

    # --- findings out ---

    def _judge(self, admitted: Sequence[tuple[Incoming, Chunk]]) -> list[Findings]:
        refusals = self._monitor.refusals([chunk for _, chunk in admitted])
        for position, error in refusals.items():
            self._dead_letters.give_up(admitted[position][0], "refused", str(error))
        return self._monitor.advance(
            [chunk for position, (_, chunk) in enumerate(admitted) if position not in refusals]
        )

    def _publish(self, found: Sequence[Findings]) -> None:
        """Publish what nobody has heard yet, and see that it has arrived."""
        sent: list[FindingsMessage] = []
        for findings in found:
            partition = partition_for(findings.patient, self._n_partitions)
            part = self._partitions[partition]
            whole = FindingsMessage.of(findings, epoch=part.epoch)
            message = part.watermarks.new_part(whole)
            if message is None:
                continue
            self._producer.send(
                FINDINGS.name, message.patient, encode(message), partition=partition
            )
            sent.append(message)
        ends = self._producer.flush()
        for part in self._partitions.values():
            part.ledger.published(ends)
        now_ns = self._clock.now_ns()
        for message in sent:
            for beat in message.beats:
                metrics.BEATS.labels(beat.beat_class or "unclassified").inc()
            if message.spans:
                metrics.LATENCY.observe(max(0, now_ns - message.spans[-1].sent_ns) / 1e9)

    def _sign_of_life(self) -> None:
        for partition, part in self._partitions.items():
            sign = RoleMessage(role="score", epoch=part.epoch, at_ns=self._clock.now_ns())
            self._producer.send(ROLES.name, "score", encode(sign), partition=partition)
        self._producer.flush()
        self._count_patients()

    def _count_patients(self) -> None:
        count = sum(len(part.patients) for part in self._partitions.values())
        metrics.PATIENTS.labels("score").set(count)

    # --- states and offsets ---

    def _write_states(self, *, everyone: bool = False) -> None:
        written: list[tuple[_Partition, str]] = []
        now = time.monotonic()
        for partition, part in self._partitions.items():
            for name in list(part.ledger.due(everyone=everyone)):
                patient = part.patients[name]
                if now - patient.heard_s > FORGET_AFTER_S:
                    self._forget(partition, part, name)
                    continue
                try:
                    exported = self._monitor.export(name)
                except StateError as error:
                    logger.warning("%s has no state yet: %s", name, error)
                    part.ledger.forget(name)
                    continue
                state = ScoreState(
                    patient=name,
                    epoch=part.epoch,
                    inputs=part.ledger.inputs(name),
                    streams=tuple(patient.streams),
                    end_sample=patient.end_sample,
                    state=exported,
                )
                self._producer.send(SCORE_STATE.name, name, encode(state), partition=partition)
                written.append((part, name))
        if written:
            self._producer.flush()
        for part, name in written:
            part.ledger.written(name)

    def _forget(self, partition: int, part: _Partition, name: str) -> None:
        logger.info("%s has sent nothing for a day and is forgotten", name)
        self._producer.send(SCORE_STATE.name, name, None, partition=partition)
        self._monitor.discharge(name)
        part.watermarks.forget(name)
        part.ledger.forget(name)
        del part.patients[name]

    def _commit(self) -> None:
        for part in self._partitions.values():
            offsets, notes = part.ledger.to_commit()
            if self._consumer.commit(offsets, notes):
                part.ledger.committed(offsets)


def run_score(
    cluster: Cluster,
    make_monitor: Callable[[], Monitor],
    *,
    stop: threading.Event,
    clock: Clock | None = None,
    state_every_s: float = STATE_EVERY_S,
    metrics_port: int | None = None,
) -> None:
    """Run the role until ``stop`` is set; wait for the broker whenever it is away.

    Parameters
    ----------
    cluster : Cluster
        Where the topics are.
    make_monitor : callable
        Returns a new monitor; called again after the broker was away.
    stop : threading.Event
        Ends the role in good order: tick finished, states written, group left.
    clock : Clock, optional
        The machine's, unless given.
    state_every_s : float
        How often a patient's state is written, in s.
    metrics_port : int, optional
        Serve Prometheus metrics there on 127.0.0.1.
    """
    torch.set_num_threads(1)
    if metrics_port is not None:
        metrics.serve(metrics_port)
    while not stop.is_set():
        if not wait_for_broker(cluster, stop=stop):
            return
        try:
            score = Score(
                cluster, make_monitor(), clock=clock or SystemClock(), state_every_s=state_every_s
            )
        except BrokerError as error:
            logger.warning("score cannot start: %s", error)
            stop.wait(1.0)
            continue
        try:
            logger.info("score has joined at %s", cluster.bootstrap)
            score.run(stop)
        except FencedError as error:
            logger.warning("score was left behind and joins again: %s", error)
        except BrokerError as error:
            logger.warning("score starts again: %s", error)
            stop.wait(0.5)
        finally:
            score.close()

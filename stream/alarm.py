"""The role ``alarm``: findings and actions in; alarms and one-minute trends out.

What a poll brings is folded patient by patient. A patient's state is written *before* the events
that it made, and holds them: it is the one record that says what was taken in, what came of it
and what is still to be published. So an acknowledgement or a tick of the clock, which no replay
would bring at the same place again, is never applied twice or to another state than before, and
whoever takes over publishes what the dead one had decided but not yet said. Then come the events,
then offsets (``docs/concepts/delivery.md``).
"""

import logging
import threading
import time
from collections.abc import Iterable

from stream import metrics
from stream.alarm_intake import Refused, take_in
from stream.alarm_output import alarm_message, trend_message
from stream.alarm_patient import Partition, Patient, restored
from stream.clock import Clock, Leaps, SystemClock
from stream.dead_letter import DeadLetters
from stream.errors import BrokerError, FencedError
from stream.kafka import Cluster, Consumer, Incoming, Polled, Producer, wait_for_broker
from stream.ledger import STATE_EVERY_S
from stream.messages import AlarmState, RoleMessage
from stream.takeover import take_over
from stream.topics import ACTIONS, ALARM_STATE, ALARMS, FINDINGS, PATIENTS, ROLES, TRENDS
from stream.watchdog import Watchdog
from stream.wire import encode

logger = logging.getLogger(__name__)

GROUP = "alarm"
COMMIT_EVERY_S = 1.0
TICK_EVERY_S = 1.0
FORGET_AFTER_S = 24 * 3600.0
"""A discharged patient who has sent nothing for this long is forgotten."""
MAX_MESSAGES = 2000
_INPUTS = (PATIENTS.name, FINDINGS.name, ACTIONS.name)
"""In the order in which one poll's messages are taken: an action names what a screen has seen."""


class AlarmRole:
    """One member of the group ``alarm``, from joining to leaving.

    Parameters
    ----------
    cluster : Cluster
        Where the topics are.
    clock : Clock
        Says when nothing has come for too long, and dates dead letters.
    state_every_s : float
        How often the state of a patient is written of whom nothing is to be said, in s.

    Raises
    ------
    BrokerError
        If the broker is away.
    """

    def __init__(
        self, cluster: Cluster, *, clock: Clock, state_every_s: float = STATE_EVERY_S
    ) -> None:
        self._cluster = cluster
        self._clock = clock
        self._state_every_s = state_every_s
        self._partitions: dict[int, Partition] = {}
        self._next_commit_s = 0.0
        self._next_tick_s = 0.0
        self._leaps = Leaps()
        self._producer = Producer(cluster, in_batches=True)
        self._dead_letters = DeadLetters(self._producer, clock, role="alarm")
        try:
            self._consumer = Consumer(cluster, GROUP, _INPUTS, held=True, gather=True)
        except BrokerError:
            self._producer.close()
            raise

    def run(self, stop: threading.Event) -> None:
        """Work until told to stop, then write all states and leave in good order.

        Raises
        ------
        BrokerError
            If the broker goes away: close this member and start a new one.
        """
        with Watchdog(GROUP) as watchdog:
            while not stop.is_set():
                self.turn(self._consumer.poll(0.05, max_messages=MAX_MESSAGES))
                watchdog.seen()
            self._publish(everyone=True)
            self._commit()

    def close(self) -> None:
        """Leave the group and disconnect."""
        self._consumer.close()
        self._producer.close()

    def turn(self, polled: Polled) -> None:
        """Deal with one poll.

        Raises
        ------
        BrokerError
            If the broker goes away, or what was ours is not ours any more.
        """
        for partition in polled.revoked:
            self._partitions.pop(partition, None)
        self._take_over(polled.assigned)
        by_topic = {topic: [m for m in polled.messages if m.topic == topic] for topic in _INPUTS}
        for topic, messages in by_topic.items():
            for message in messages:
                self._take(message)
            metrics.MESSAGES.labels("alarm", topic).inc(len(messages))
        now = time.monotonic()
        if now >= self._next_tick_s and len(polled.messages) < MAX_MESSAGES:
            self._next_tick_s = now + TICK_EVERY_S
            self._tick(now)
        self._publish()
        if now >= self._next_commit_s:
            self._next_commit_s = now + COMMIT_EVERY_S
            self._commit()

    # --- what is ours ---

    def _take_over(self, partitions: Iterable[int]) -> None:
        taken = take_over(
            self._cluster,
            self._consumer,
            self._producer,
            partitions,
            role="alarm",
            kind=AlarmState,
            inputs=_INPUTS,
            state=ALARM_STATE.name,
            outputs=[ALARMS.name, TRENDS.name],
            state_before_outputs=True,
        )
        for partition, one in taken.items():
            self._partitions[partition] = restored(one, state_every_s=self._state_every_s)
            self._consumer.start(partition, one.inputs)
            metrics.TAKEOVERS.labels("alarm").inc()

    # --- what comes in ---

    def _take(self, message: Incoming) -> None:
        part = self._partitions[message.partition]
        known = part.patients.get(message.key or "")
        if known is not None and message.offset < known.covered.get(message.topic, 0):
            part.ledger.passed(message.topic, message.offset)
            return
        try:
            patient = take_in(message, part)
        except Refused as refused:
            self._dead_letters.give_up(message, refused.reason, str(refused))
            patient = None
        if patient is None:
            part.ledger.passed(message.topic, message.offset)
        else:
            part.ledger.took(patient, message.topic, message.offset)

    # --- the clock ---

    def _tick(self, now_s: float) -> None:
        now_ns = self._clock.now_ns()
        leapt = self._leaps.at(now_ns)
        for part in self._partitions.values():
            for name, patient in list(part.patients.items()):
                if leapt:
                    patient.alarms.taken_over()
                events = patient.alarms.tick(now_ns)
                if events:
                    patient.events += events
                    patient.dirty = True
                if patient.enter_s is not None and now_s >= patient.enter_s:
                    patient.enter_as("admission")
                silent = now_s - patient.heard_s > FORGET_AFTER_S
                # what the discharge has changed is published first
                if patient.alarms.discharged and silent and not patient.dirty:
                    self._producer.send(ALARM_STATE.name, name, None, partition=part.number)
                    part.forget(name)
            sign = RoleMessage(role="alarm", epoch=part.epoch, at_ns=now_ns)
            self._producer.send(ROLES.name, "alarm", encode(sign), partition=part.number)
        self._producer.flush()
        count = sum(len(part.patients) for part in self._partitions.values())
        metrics.PATIENTS.labels("alarm").set(count)

    # --- what goes out: states, then what they hold, then offsets ---

    def _publish(self, *, everyone: bool = False) -> None:
        chosen: list[tuple[Partition, str, Patient]] = []
        for part in self._partitions.values():
            due = set(part.ledger.due(everyone=everyone))
            for name, patient in part.patients.items():
                if patient.dirty or name in due:
                    self._write_state(part, name, patient)
                    chosen.append((part, name, patient))
        self._producer.flush()
        if not chosen:
            return
        for part, name, patient in chosen:
            self._say(part, name, patient)
        ends = self._producer.flush()
        for part in self._partitions.values():
            part.ledger.published(ends)
        for part, name, patient in chosen:
            part.ledger.written(name)
            patient.events.clear()
            patient.minutes.clear()
            patient.enter = patient.dirty = False

    def _write_state(self, part: Partition, name: str, patient: Patient) -> None:
        state = AlarmState(
            patient=name,
            epoch=part.epoch,
            inputs=part.ledger.inputs(name),
            outputs=part.ledger.outputs(),
            events=tuple(patient.events),
            minutes=tuple(patient.minutes),
            registry=patient.registry,
            enter=patient.enter,
            state=patient.alarms.export(),
        )
        self._producer.send(ALARM_STATE.name, name, encode(state), partition=part.number)

    def _say(self, part: Partition, name: str, patient: Patient) -> None:
        """Publish what a written state holds, but for what was heard before."""
        heard = part.tail.sequences.get(part.number)
        for event in patient.events:
            if heard is not None and event.sequence <= heard.get(event.alarm_id, 0):
                continue
            message = alarm_message(event, epoch=part.epoch, now_ns=self._clock.now_ns())
            self._producer.send(ALARMS.name, name, encode(message), partition=part.number)
            metrics.ALARMS.labels(event.code, event.event).inc()
            if message.data.late_s is not None:
                metrics.LATE_ALARMS.inc()
        for minute in patient.minutes:
            if minute.end_sample <= part.tail.trends.of(name, minute.stream):
                continue
            trend = trend_message(minute, patient=name, epoch=part.epoch)
            self._producer.send(TRENDS.name, name, encode(trend), partition=part.number)
        if patient.enter and patient.registry is not None:
            entry = encode(patient.registry)
            self._producer.send(PATIENTS.name, name, entry, partition=part.number)

    def _commit(self) -> None:
        for part in self._partitions.values():
            offsets, notes = part.ledger.to_commit()
            if self._consumer.commit(offsets, notes):
                part.ledger.committed(offsets)


def run_alarm(
    cluster: Cluster,
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
    stop : threading.Event
        Ends the role in good order: states written, group left.
    clock : Clock, optional
        The machine's, unless given.
    state_every_s : float
        How often the state of a patient is written of whom nothing is to be said, in s.
    metrics_port : int, optional
        Serve Prometheus metrics there on 127.0.0.1.
    """
    if metrics_port is not None:
        metrics.serve(metrics_port)
    while not stop.is_set():
        if not wait_for_broker(cluster, stop=stop):
            return
        try:
            role = AlarmRole(cluster, clock=clock or SystemClock(), state_every_s=state_every_s)
        except BrokerError as error:
            logger.warning("alarm cannot start: %s", error)
            stop.wait(1.0)
            continue
        try:
            logger.info("alarm has joined at %s", cluster.bootstrap)
            role.run(stop)
        except FencedError as error:
            logger.warning("alarm was left behind and joins again: %s", error)
        except BrokerError as error:
            logger.warning("alarm starts again: %s", error)
            stop.wait(0.5)
        finally:
            role.close()

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
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal

import msgspec

from ecg.alarm import Action, AlarmEvent
from ecg.alarm_cycle import PatientAlarms
from ecg.errors import ActionError, FindingsError, StateError
from ecg.trend import Minute
from stream import metrics
from stream.clock import Clock, SystemClock
from stream.dead_letter import DeadLetters, Reason
from stream.errors import BrokerError, DecodeError, FencedError
from stream.kafka import Cluster, Consumer, Incoming, Polled, Producer, wait_for_broker
from stream.messages import (
    ActionMessage,
    AlarmMessage,
    AlarmState,
    PatientMessage,
    RoleMessage,
    TrendMessage,
    decode,
    encode,
)
from stream.takeover import STATE_EVERY_S, Ledger, Taken, take_over
from stream.topics import ACTIONS, ALARM_STATE, ALARMS, FINDINGS, PATIENTS, ROLES, TRENDS
from stream.watchdog import Watchdog
from stream.watermark import Heard

logger = logging.getLogger(__name__)

GROUP = "alarm"
COMMIT_EVERY_S = 1.0
TICK_EVERY_S = 1.0
ENTER_AFTER_S = 2.0
"""An unknown patient is entered in the registry this long after the first findings: the source's
own entry, with bed and label, may be on its way."""
FORGET_AFTER_S = 24 * 3600.0
"""A discharged patient who has sent nothing for this long is forgotten."""
MAX_MESSAGES = 2000
_INPUTS = (PATIENTS.name, FINDINGS.name, ACTIONS.name)
"""In the order in which one poll's messages are taken: an action names what a screen has seen."""
_EPOCH_START = datetime(1970, 1, 1, tzinfo=UTC)
_ENTERED = ("limits", "standby", "resume", "discharge")
"""Actions that change the registry's entry."""


def alarm_message(event: AlarmEvent, *, epoch: int) -> AlarmMessage:
    """Return an alarm event as the CloudEvent that goes to Kafka and to webhooks."""
    at = _EPOCH_START + timedelta(microseconds=event.detected_ns // 1000)
    return AlarmMessage(
        id=event.event_id,
        type=f"org.rhythmwatch.alarm.{event.event}",
        subject=event.patient,
        time=at.isoformat(timespec="microseconds").replace("+00:00", "Z"),
        epoch=epoch,
        data=event,
    )


def trend_message(minute: Minute, *, patient: str, epoch: int) -> TrendMessage:
    """Return a minute as it goes to Kafka."""
    return TrendMessage(
        patient=patient,
        epoch=epoch,
        stream=minute.stream,
        first_sample=minute.first_sample,
        end_sample=minute.end_sample,
        start_ns=minute.start_ns,
        heart_rate_mean=minute.heart_rate_mean,
        heart_rate_min=minute.heart_rate_min,
        heart_rate_max=minute.heart_rate_max,
        beats=minute.beats,
        unfit_s=minute.unfit_s,
    )


@dataclass(slots=True)
class _Patient:
    """One patient: the alarms, and what is to be written of them."""

    alarms: PatientAlarms
    registry: PatientMessage | None = None
    covered: dict[str, int] = field(default_factory=dict)
    """For each input the first offset that the restored state does not cover."""
    enter_s: float | None = None
    """When the patient is to be entered in the registry, if nobody does before; monotonic."""
    heard_s: float = field(default_factory=time.monotonic)
    events: list[AlarmEvent] = field(default_factory=list)
    minutes: list[Minute] = field(default_factory=list)
    enter: bool = False
    dirty: bool = False
    """Changed in a way that reading the findings again would not bring back."""


@dataclass(slots=True)
class _Partition:
    number: int
    epoch: int
    ledger: Ledger
    tail: Heard
    """What of the outputs was heard before; published by nobody again."""
    findings: Heard = field(default_factory=Heard)
    patients: dict[str, _Patient] = field(default_factory=dict)


class _Refused(Exception):  # noqa: N818  # never leaves this module
    """A message that cannot be used, with the dead letter's reason."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason: Reason = reason


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
        self._partitions: dict[int, _Partition] = {}
        self._next_commit_s = 0.0
        self._next_tick_s = 0.0
        self._producer = Producer(cluster)
        self._dead_letters = DeadLetters(self._producer, clock, role="alarm")
        try:
            self._consumer = Consumer(cluster, GROUP, _INPUTS, held=True)
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
        for message in sorted(polled.messages, key=lambda one: _INPUTS.index(one.topic)):
            self._take(message)
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
            self._partitions[partition] = self._restore(one)
            self._consumer.start(partition, one.inputs)
            metrics.TAKEOVERS.labels("alarm").inc()

    def _restore(self, taken: Taken[AlarmState]) -> _Partition:
        part = _Partition(
            number=taken.partition,
            epoch=taken.epoch,
            ledger=Ledger(taken, every_s=self._state_every_s),
            tail=_heard(taken.tail),
        )
        for name, state in taken.states.items():
            try:
                alarms = PatientAlarms.restore(state.state)
            except StateError as error:
                logger.error("the alarms of %s start anew: %s", name, error)
                alarms = PatientAlarms(name)
            alarms.taken_over()
            patient = _Patient(
                alarms=alarms,
                registry=state.registry,
                covered=dict(state.inputs),
                enter=state.enter,
                enter_s=None if state.registry else time.monotonic() + ENTER_AFTER_S,
            )
            # An output that was committed further has all that this state decided.
            if taken.committed[ALARMS.name] <= state.outputs.get(ALARMS.name, 0):
                patient.events += state.events
            if taken.committed[TRENDS.name] <= state.outputs.get(TRENDS.name, 0):
                patient.minutes += state.minutes
            patient.dirty = bool(patient.events or patient.minutes or patient.enter)
            part.patients[name] = patient
        return part

    # --- what comes in ---

    def _take(self, message: Incoming) -> None:
        metrics.MESSAGES.labels("alarm", message.topic).inc()
        part = self._partitions[message.partition]
        known = part.patients.get(message.key or "")
        if known is not None and message.offset < known.covered.get(message.topic, 0):
            part.ledger.passed(message.topic, message.offset)
            return
        try:
            patient = self._apply(message, part)
        except _Refused as refused:
            self._dead_letters.give_up(message, refused.reason, str(refused))
            patient = None
        if patient is None:
            part.ledger.passed(message.topic, message.offset)
        else:
            part.ledger.took(patient, message.topic, message.offset)

    def _apply(self, message: Incoming, part: _Partition) -> str | None:
        """Take one message in; return whose it is, None if it changes nobody."""
        try:
            if message.topic == FINDINGS.name:
                return self._findings(message, part)
            if message.topic == ACTIONS.name:
                return self._action(message, part)
            return self._entry(message, part)
        except DecodeError as error:
            raise _Refused("unreadable", str(error)) from error

    def _findings(self, message: Incoming, part: _Partition) -> str | None:
        new = part.findings.findings(message)
        if new is None:
            return None
        _check_key(message, new.patient)
        patient = part.patients.get(new.patient) or self._admit(new.patient, part)
        was_discharged = patient.alarms.discharged
        try:
            events = patient.alarms.fold(new.findings())
        except FindingsError as error:
            raise _Refused("refused", str(error)) from error
        if was_discharged and not patient.alarms.discharged:
            self._enter(patient, "admission")
        patient.heard_s = time.monotonic()
        patient.events += events
        patient.minutes += patient.alarms.minutes()
        patient.dirty = patient.dirty or bool(events or patient.minutes)
        return new.patient

    def _admit(self, name: str, part: _Partition) -> _Patient:
        logger.info("%s is admitted with default limits", name)
        patient = _Patient(alarms=PatientAlarms(name), enter_s=time.monotonic() + ENTER_AFTER_S)
        part.patients[name] = patient
        return patient

    def _action(self, message: Incoming, part: _Partition) -> str:
        action = _message(message, ActionMessage).action
        _check_key(message, action.patient)
        patient = part.patients.get(action.patient)
        if patient is None:
            raise _Refused("refused", f"no patient {action.patient} is known")
        self._act(patient, action)
        return action.patient

    def _act(self, patient: _Patient, action: Action) -> None:
        try:
            patient.events += patient.alarms.apply(action)
        except ActionError as error:
            raise _Refused("refused", str(error)) from error
        patient.dirty = True
        if action.kind in _ENTERED:
            self._enter(patient, action.action_id)

    def _enter(self, patient: _Patient, action_id: str) -> None:
        """Note that the registry's entry is to be written with what is in force now."""
        alarms = patient.alarms
        patient.registry = msgspec.structs.replace(
            patient.registry or PatientMessage(patient=alarms.patient),
            limits=alarms.limits,
            standby=alarms.standby,
            discharged=alarms.discharged,
            action_id=action_id,
        )
        patient.enter = patient.dirty = True
        patient.enter_s = None

    def _entry(self, message: Incoming, part: _Partition) -> str | None:
        """Take the registry's entry of a patient in, and apply what it sets."""
        if message.value is None:
            return None
        entry = decode(message.value, PatientMessage)
        _check_key(message, entry.patient)
        patient = part.patients.get(entry.patient)
        unknown = patient is None
        if patient is None:
            patient = part.patients[entry.patient] = _Patient(alarms=PatientAlarms(entry.patient))
        patient.registry = entry
        patient.enter_s = None
        patient.dirty = True
        if entry.action_id is None or unknown:  # else it only says what an action has set
            for action in self._set_by(entry, patient.alarms, message):
                patient.events += patient.alarms.apply(action)
        return entry.patient

    def _set_by(
        self, entry: PatientMessage, alarms: PatientAlarms, message: Incoming
    ) -> Iterator[Action]:
        """Yield what an entry changes, as actions of the registry."""
        kinds: list[Literal["limits", "standby", "resume", "discharge"]] = []
        if entry.limits != alarms.limits:
            kinds.append("limits")
        if entry.standby != alarms.standby:
            kinds.append("standby" if entry.standby else "resume")
        if entry.discharged and not alarms.discharged:
            kinds.append("discharge")
        for kind in kinds:
            yield Action(
                action_id=f"{message}/{kind}",
                patient=entry.patient,
                kind=kind,
                author="registry",
                at_ns=message.timestamp_ms * 1_000_000,
                limits=entry.limits if kind == "limits" else None,
            )

    # --- the clock ---

    def _tick(self, now_s: float) -> None:
        now_ns = self._clock.now_ns()
        for part in self._partitions.values():
            for name, patient in list(part.patients.items()):
                events = patient.alarms.tick(now_ns)
                if events:
                    patient.events += events
                    patient.dirty = True
                if patient.enter_s is not None and now_s >= patient.enter_s:
                    self._enter(patient, "admission")
                if patient.alarms.discharged and now_s - patient.heard_s > FORGET_AFTER_S:
                    self._producer.send(ALARM_STATE.name, name, None, partition=part.number)
                    part.ledger.forget(name)
                    del part.patients[name]
            sign = RoleMessage(role="alarm", epoch=part.epoch, at_ns=now_ns)
            self._producer.send(ROLES.name, "alarm", encode(sign), partition=part.number)
        self._producer.flush()
        count = sum(len(part.patients) for part in self._partitions.values())
        metrics.PATIENTS.labels("alarm").set(count)

    # --- what goes out: states, then what they hold, then offsets ---

    def _publish(self, *, everyone: bool = False) -> None:
        chosen: list[tuple[_Partition, str, _Patient]] = []
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

    def _write_state(self, part: _Partition, name: str, patient: _Patient) -> None:
        state = AlarmState(
            patient=name,
            epoch=part.epoch,
            inputs=part.ledger.inputs(),
            outputs=part.ledger.outputs(),
            events=tuple(patient.events),
            minutes=tuple(patient.minutes),
            registry=patient.registry,
            enter=patient.enter,
            state=patient.alarms.export(),
        )
        self._producer.send(ALARM_STATE.name, name, encode(state), partition=part.number)

    def _say(self, part: _Partition, name: str, patient: _Patient) -> None:
        """Publish what a written state holds, but for what was heard before."""
        heard = part.tail.sequences.get(part.number)
        for event in patient.events:
            if heard is not None and event.sequence <= heard.get(event.alarm_id, 0):
                continue
            message = alarm_message(event, epoch=part.epoch)
            self._producer.send(ALARMS.name, name, encode(message), partition=part.number)
            metrics.ALARMS.labels(event.code, event.event).inc()
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


def _heard(tail: Sequence[Incoming]) -> Heard:
    """Return what of the outputs was heard before a takeover."""
    heard = Heard()
    for message in tail:
        try:
            if message.topic == ALARMS.name:
                heard.alarm(message)
            else:
                heard.trend(message)
        except DecodeError as error:
            logger.warning("%s: %s", message, error)
    return heard


def _message(message: Incoming, kind: type[ActionMessage]) -> ActionMessage:
    if message.value is None:
        raise _Refused("unreadable", "an action has a value, got none")
    return decode(message.value, kind)


def _check_key(message: Incoming, patient: str) -> None:
    if message.key != patient:
        raise _Refused("wrong-key", f"the key must be the patient {patient}, got {message.key}")


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

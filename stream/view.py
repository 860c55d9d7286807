"""The read side of every screen: one memory per process of what the topics said lately."""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from ecg.alarm import AlarmEvent
from ecg.alarm_cycle import PatientAlarms
from ecg.errors import StateError
from stream.chunks import adu_per_mv
from stream.errors import BrokerError, DecodeError
from stream.kafka import Cluster, Incoming, wait_for_broker
from stream.messages import EPOCH_KEY, AlarmState, Id, PatientMessage, RoleMessage, TrendMessage
from stream.patients import Patients
from stream.read_back import read_strip, reader_since, waveform_in
from stream.recent import Recent, Stretch
from stream.topics import ALARM_STATE, ALARMS, FINDINGS, PATIENTS, ROLES, TRENDS, WAVEFORMS, Topic
from stream.trouble import Signs, Trouble
from stream.watermark import Epochs, Heard
from stream.wire import decode

__all__ = [
    "DecodeError",
    "Follower",
    "Id",
    "Recent",
    "Stretch",
    "TrendMessage",
    "Trouble",
    "View",
    "adu_per_mv",
]

logger = logging.getLogger(__name__)

BACK_S = 62.0
"""How far back the live topics are read at the start: V beats are counted over a minute."""
HISTORY_S = 12 * 3600.0
"""How far back alarms are read at the start."""
TRENDS_S = 24 * 3600.0
"""How far back trends are read at the start: as far as they are kept and shown."""
PROBE_S = 1.0
RETRY_S = 1.0


class View:
    """What is known of all patients now, filled by one thread, read by pages and sockets.

    Parameters
    ----------
    bootstrap : str
        Where the broker is, for what the screen says when it is gone.
    monotonic_s, wall_ns : callable
        Clocks; tests hand in their own.
    """

    def __init__(
        self,
        bootstrap: str,
        *,
        monotonic_s: Callable[[], float] = time.monotonic,
        wall_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self.bootstrap = bootstrap
        self.unreadable = 0
        self.lost = 0
        self.monotonic_s = monotonic_s
        self.wall_ns = wall_ns
        self._patients = Patients()
        self._heard = Heard()
        self._states = Epochs()
        self._signs = Signs(bootstrap, monotonic_s=monotonic_s, wall_ns=wall_ns)
        self._lock = threading.Lock()

    @contextmanager
    def reading(self) -> Iterator[dict[str, Recent]]:
        """Give the patients' memories while nothing changes them; copy what is needed and leave."""
        with self._lock:
            yield self._patients.known

    def patients(self) -> list[str]:
        """Return the ids of all patients who are not discharged, in the order of their beds."""
        with self._lock:
            return self._patients.present()

    def broker_answered(self) -> None:
        """Note that the broker is alive; after a long silence its readers begin anew."""
        with self._lock:
            if self._signs.broker_answered():
                # it may be another one, or have lost what it had: nothing old may stay
                self.lost += 1
                self._patients = Patients()
                self._heard = Heard()
                self._states = Epochs()

    def reading_goes_on(self, reader: str) -> None:
        """Note that a reader that fills this view is at work."""
        with self._lock:
            self._signs.reading_goes_on(reader)

    def reading_failed(self, reader: str, problem: str) -> None:
        """Note why a reader does not get on."""
        with self._lock:
            self._signs.reading_failed(reader, problem)

    def broker_silent_s(self) -> float:
        """Return for how long the broker has not been heard, in s."""
        with self._lock:
            return self._signs.broker_silent_s()

    def take(self, records: Iterable[Incoming]) -> None:
        """Remember messages; one that cannot be read is counted and skipped."""
        for record in records:
            try:
                self._take(record)
            except DecodeError as error:
                self.unreadable += 1
                logger.warning("skipped record=%s: %s", record, error)
            except Exception:  # what nobody has thought of must not take all others' screens down
                self.unreadable += 1
                logger.exception("skipped record=%s", record)
        with self._lock:
            since_ns = self.wall_ns() - round(HISTORY_S * 1e9)
            self._patients.let_go(now_s=self.monotonic_s(), since_ns=since_ns)

    def _take(self, record: Incoming) -> None:
        value = record.value
        if value is None:
            if record.topic == PATIENTS.name and record.key is not None:
                with self._lock:
                    self._patients.forget(record.key)
            return
        if record.topic == WAVEFORMS.name:
            waveform = waveform_in(record)
            with self._lock:
                recent = self._patients.of(waveform.patient, record.partition)
                recent.take_waveform(waveform, at_s=self.monotonic_s())
        elif record.topic == FINDINGS.name:
            with self._lock:
                if (findings := self._heard.findings(record)) is not None:
                    self._patients.of(findings.patient, record.partition).take_findings(findings)
        elif record.topic == ALARMS.name:
            with self._lock:
                if (alarm := self._heard.alarm(record)) is not None:
                    self._patients.of(alarm.data.patient, record.partition).take_alarm(alarm.data)
        elif record.topic == ALARM_STATE.name:
            self._take_state(record, value)
        elif record.topic == PATIENTS.name:
            patient = decode(value, PatientMessage)
            with self._lock:
                now_s = self.monotonic_s()
                self._patients.enter(patient, record.partition, now_s=now_s)
        elif record.topic == TRENDS.name:
            with self._lock:
                if (trend := self._heard.trend(record)) is not None:
                    self._patients.of(trend.patient, record.partition).take_trend(trend)
        elif record.topic == ROLES.name:
            role = decode(value, RoleMessage)
            with self._lock:
                self._signs.role_heard(role, record.partition)

    def _take_state(self, record: Incoming, value: bytes) -> None:
        """Take the alarms that stand: also those raised before the history that is read."""
        if record.key == EPOCH_KEY:
            return
        state = decode(value, AlarmState)
        try:
            alarms = PatientAlarms.restore(state.state)
        except StateError as error:
            raise DecodeError(str(error)) from error
        with self._lock:
            if self._states.hears((record.topic, record.partition), state.epoch):
                self._patients.of(state.patient, record.partition).take_standing(
                    alarms.standing(), silenced_until_ns=alarms.silenced_until_ns
                )

    def troubles(self, patient: str | None = None) -> list[Trouble]:
        """Return what is down; empty when all is well.

        Parameters
        ----------
        patient : str, optional
            Whose ECG must be judged and watched; without it, what is down for everybody.
        """
        with self._lock:
            return self._signs.troubles(
                None if patient is None else self._patients.known.get(patient)
            )


class Follower:
    """The threads that fill a view: live topics, alarms, trends, and one that asks for the broker.

    A thread that loses its broker waits for it and reads again from a little
    earlier; the view drops what it has already.

    Parameters
    ----------
    view : View
        What is filled; its broker need not be there yet.
    prefix : str
        What stands before every topic's name.
    """

    def __init__(self, view: View, *, prefix: str = "") -> None:
        self._cluster = Cluster(view.bootstrap, prefix)
        self._view = view
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._follow, args=args, name=f"view-{args[0][0].name}")
            for args in (
                ((WAVEFORMS, FINDINGS, ROLES), BACK_S),
                ((ALARMS, ALARM_STATE, PATIENTS), HISTORY_S),
                ((TRENDS,), TRENDS_S),
            )
        ]
        self._threads.append(threading.Thread(target=self._probe, name="view-probe"))

    def start(self) -> None:
        """Begin; returns at once."""
        for thread in self._threads:
            thread.daemon = True
            thread.start()

    def stop(self) -> None:
        """End the threads, within a second or two."""
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=3.0)

    def _follow(self, topics: tuple[Topic, ...], back_s: float) -> None:
        name, view = topics[0].name, self._view
        while not self._stop.is_set():
            try:
                if not wait_for_broker(self._cluster, stop=self._stop):
                    return
                since_ms = round(view.wall_ns() / 1e6 - back_s * 1000)
                with reader_since(self._cluster, topics, since_ms) as reader:
                    lost = view.lost
                    while not self._stop.is_set() and view.lost == lost:
                        messages = reader.poll(0.1)
                        view.reading_goes_on(name)
                        if messages:
                            view.broker_answered()
                            view.take(messages)
            except BrokerError as error:
                logger.warning("following %s: %s", name, error)
                view.reading_failed(name, str(error))
                self._stop.wait(RETRY_S)

    def strip(self, event: AlarmEvent) -> Stretch | None:
        """Return the strip around an alarm's transition: from memory, else read back.

        Parameters
        ----------
        event : AlarmEvent
            The transition; the strip is that of ``read_strip``.

        Returns
        -------
        Stretch or None
            None where the waveform is no longer kept.

        Raises
        ------
        BrokerError
            If the broker is away.
        DecodeError
            If a waveform of that time cannot be read.
        """
        with self._view.reading() as patients:
            recent = patients.get(event.patient)
            kept = recent.strips.get(event.alarm_id) if recent is not None else None
            partition = recent.partition if recent is not None else None
        if kept is not None or partition is None:
            return kept
        return read_strip(self._cluster, event, partition=partition)

    def _probe(self) -> None:
        while not self._stop.wait(PROBE_S):
            if self._view.broker_silent_s() < PROBE_S:
                continue
            try:
                wait_for_broker(self._cluster, give_up_s=0.0, stop=self._stop)
            except BrokerError:
                continue
            self._view.broker_answered()

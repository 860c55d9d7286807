"""Takes alarm events from Kafka to one endpoint; everything but the clock and the sockets."""

import functools
import logging
import queue
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from stream import metrics
from stream.clock import Clock
from stream.endpoint import Endpoint
from stream.errors import DecodeError, FencedError
from stream.inbox import Burial, Inbox
from stream.kafka import Incoming, Place
from stream.outbox import ESCALATE_S, WINDOW, Attempt, Commit, Event, GivenUp, Lane, Outbox
from stream.topics import ALARMS
from stream.watermark import Epochs, Heard
from stream.webhook import Answer, Poster

logger = logging.getLogger(__name__)

SINCE_S = 900.0
"""A new endpoint gets the alarms of the last 15 minutes: what was raised while everything was
still starting must not be missed, and nobody wants three months of history."""

WORKERS = 8
RESERVED = 2
"""Attempts at a time in each lane, and how many of these only high-priority events may use: a red
alarm does not wait behind others that hang, and the fallback not behind an endpoint that does."""

_COMMIT_EVERY_S = 0.2
_MOST_AT_ONCE = 500
_LAST_WORDS_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What came of one attempt, for those who watch."""

    endpoint: str
    event_id: str
    answer: Answer
    tries: int
    late: bool
    escalated_from: str | None = None


class Courier:
    """Delivers what stands in ``ecg.alarms`` to one endpoint, step by step.

    Parameters
    ----------
    endpoint : Endpoint
        Whose events these are.
    inbox : Inbox
        Where they come from; its group's committed offset is what is delivered.
    posters : mapping of lane to Poster
        The endpoint's, and its fallback's if it has one.
    dead_letters : Burial
        Where to put what is given up.
    settle : callable
        Returns when the dead letters are safe; raises BrokerError if they are not.
    submit : callable
        Runs an attempt, elsewhere or at once.
    clock : Clock
        The time of day.
    gone : dict, optional
        As of ``Outbox``.
    on_delivery : callable, optional
        Told of every attempt.
    monotonic_s : callable
        The clock that never jumps, in s.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        inbox: Inbox,
        posters: Mapping[Lane, Poster],
        dead_letters: Burial,
        settle: Callable[[], object],
        submit: Callable[[Callable[[], None]], None],
        clock: Clock,
        gone: dict[Lane, str] | None = None,
        on_delivery: Callable[[Delivery], None] | None = None,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._endpoint = endpoint
        self._inbox = inbox
        self._posters = posters
        self._dead_letters = dead_letters
        self._settle = settle
        self._submit = submit
        self._clock = clock
        self._on_delivery = on_delivery
        self._monotonic_s = monotonic_s
        self._outbox = Outbox(has_fallback="fallback" in posters, window=WINDOW, gone=gone)
        self._well_s = monotonic_s()
        """When the endpoint took something last, or had nothing to take."""
        self._answers: queue.SimpleQueue[tuple[Attempt, Answer]] = queue.SimpleQueue()
        self._in_flight: Counter[Lane] = Counter()
        self._heard: dict[int, Heard] = {}
        self._unsettled = False
        self._committed: dict[int, int] = {}
        self._committed_s = float("-inf")

    @property
    def busy(self) -> bool:
        """Whether attempts are under way."""
        return self._in_flight.total() > 0

    def step(self, timeout_s: float) -> None:
        """Read, collect answers, start what is due, commit what is done.

        Raises
        ------
        BrokerError
            If the broker is away: make a new courier, which reads again what is
            not committed.
        """
        room = self._room()
        for partition in self._heard:
            (self._inbox.release if room else self._inbox.hold)(partition)
        polled = self._inbox.poll(timeout_s, max_messages=room or 1)
        self._outbox.forget(polled.revoked)
        for partition in polled.revoked:
            self._committed.pop(partition, None)
            self._heard.pop(partition, None)
        for partition in sorted(polled.assigned):
            self._begin(partition)
        for message in polled.messages:
            self._take(message)
        self._collect()
        for given_up in self._outbox.sweep(self._monotonic_s()):
            self._give_up(given_up)
        self._dispatch()
        self._collect()
        metrics.WEBHOOKS_WAITING.labels(self._endpoint.name).set(len(self._outbox))
        self._commit()

    def finish(self) -> None:
        """Wait a moment for attempts under way, and commit; what is left is done by the next."""
        deadline = self._monotonic_s() + _LAST_WORDS_S
        while self.busy and (left := deadline - self._monotonic_s()) > 0:
            self._collect(left)
        self._commit(at_once=True)

    def _room(self) -> int:
        """Return how many messages to read: none where a receiver that is well has enough to do.

        What is not read stays in Kafka, where nothing has to be given up for it. A receiver that
        takes nothing must not keep red alarms from the fallback, so there reading goes on.
        """
        now_s = self._monotonic_s()
        if len(self._outbox) == 0:
            self._well_s = now_s
        if now_s - self._well_s >= ESCALATE_S:
            return _MOST_AT_ONCE
        return min(_MOST_AT_ONCE, WINDOW - len(self._outbox))

    def _begin(self, partition: int) -> None:
        place = (ALARMS.name, partition)
        # what is read again must be heard again, but not a fenced writer's repeats of it
        floor = self._inbox.notes([place]).get(place, "")
        epochs = Epochs({place: int(floor)} if floor.isdigit() else {})
        self._heard[partition] = Heard(epochs=epochs)
        if self._inbox.committed([place]):
            self._inbox.start(partition)
            return
        since_ms = self._clock.now_ns() // 1_000_000 - round(SINCE_S * 1000)
        at = self._inbox.offsets_at([place], since_ms)[place]
        self._inbox.start(partition, {ALARMS.name: at})
        # at once: a crash before the first delivery must not move the start
        self._try_to_commit({place: at})

    def _take(self, message: Incoming) -> None:
        self._outbox.pass_over(message.partition, message.offset)
        try:
            alarm = self._heard[message.partition].alarm(message)
        except DecodeError as error:
            self._dead_letters.give_up(message, "unreadable", str(error))
            self._unsettled = True
            return
        if alarm is None or not self._endpoint.wants(alarm.data.priority):
            return
        age_s = max(0.0, self._clock.now_ns() / 1e9 - message.timestamp_ms / 1e3)
        event = Event(
            message=message,
            event_id=alarm.id,
            alarm_id=alarm.data.alarm_id,
            patient=alarm.data.patient,
            priority=alarm.data.priority,
            epoch=alarm.epoch,
            born_s=self._monotonic_s() - age_s,
        )
        for given_up in self._outbox.add(event):
            self._give_up(given_up)

    def _dispatch(self) -> None:
        now_s = self._monotonic_s()
        for attempt in self._outbox.due(now_s):
            most = WORKERS if attempt.event.priority == "high" else WORKERS - RESERVED
            if self._in_flight[attempt.lane] >= most:
                continue
            self._outbox.start(attempt)
            self._in_flight[attempt.lane] += 1
            self._submit(functools.partial(self._post, attempt))

    def _post(self, attempt: Attempt) -> None:
        """Make one attempt; runs on a thread of the workers."""
        try:
            answer = self._posters[attempt.lane].post(
                attempt.event.event_id,
                attempt.event.message.value or b"",
                now_ns=self._clock.now_ns(),
                late=attempt.late,
                escalated_from=self._endpoint.name if attempt.lane == "fallback" else None,
            )
        except Exception as error:  # an attempt that never ends would hold its patient up
            logger.exception("attempt to deliver %s failed", attempt.event.event_id)
            answer = Answer(result="failed", detail=f"{type(error).__name__}: {error}")
        self._answers.put((attempt, answer))

    def _collect(self, timeout_s: float | None = None) -> None:
        while True:
            try:
                attempt, answer = self._answers.get(timeout_s is not None, timeout_s)
            except queue.Empty:
                return
            timeout_s = None
            self._in_flight[attempt.lane] -= 1
            if attempt.lane == "endpoint" and answer.result == "delivered":
                self._well_s = self._monotonic_s()
            self._tell(attempt, answer)
            for given_up in self._outbox.finish(attempt, answer, self._monotonic_s()):
                self._give_up(given_up)

    def _tell(self, attempt: Attempt, answer: Answer) -> None:
        event = attempt.event
        name = self._posters[attempt.lane].endpoint.name
        metrics.WEBHOOK_ATTEMPTS.labels(name, answer.result).inc()
        level = logging.INFO if answer.result == "delivered" else logging.WARNING
        logger.log(
            level,
            "%s %s to %s, attempt %d: %s",
            event.event_id,
            answer.result,
            name,
            attempt.tries,
            answer.detail,
            extra={"record": str(event.message)},
        )
        if self._on_delivery is not None:
            self._on_delivery(
                Delivery(
                    endpoint=name,
                    event_id=event.event_id,
                    answer=answer,
                    tries=attempt.tries,
                    late=attempt.late,
                    escalated_from=self._endpoint.name if attempt.lane == "fallback" else None,
                )
            )

    def _give_up(self, given_up: GivenUp) -> None:
        name = self._posters[given_up.lane].endpoint.name
        detail = f"{given_up.event.event_id} to endpoint {name}: {given_up.detail}"
        self._dead_letters.give_up(given_up.event.message, given_up.reason, detail)
        self._unsettled = True

    def _commit(self, *, at_once: bool = False) -> None:
        """Commit what is done; what was given up must be safe before, or is not let go."""
        if self._unsettled:
            self._settle()
            self._unsettled = False
        commits = self._outbox.commits()
        changed = {p: at for p, at in commits.items() if self._committed.get(p) != at.offset}
        now_s = self._monotonic_s()
        if not changed or not (at_once or now_s - self._committed_s >= _COMMIT_EVERY_S):
            return
        places = {(ALARMS.name, p): commit for p, commit in changed.items()}
        offsets = {place: commit.offset for place, commit in places.items()}
        notes = {place: self._floor(place, commit) for place, commit in places.items()}
        if self._try_to_commit(offsets, notes):
            self._committed.update({p: commit.offset for p, commit in changed.items()})
            self._committed_s = now_s

    def _try_to_commit(
        self, offsets: Mapping[Place, int], notes: Mapping[Place, str] | None = None
    ) -> bool:
        try:
            return self._inbox.commit(offsets, notes)
        except FencedError as error:
            # the next poll says what is no longer ours; whoever has it delivers again, same id
            logger.info("endpoint %s: %s", self._endpoint.name, error)
            return False

    def _floor(self, place: Place, commit: Commit) -> str:
        """Return the epoch that the first message after a commit must have."""
        if commit.oldest is not None:
            return str(commit.oldest.epoch)
        return str(self._heard[place[1]].epochs.highest.get(place, 0))

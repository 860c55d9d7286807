"""What is still to be delivered to one endpoint: order, retries, escalation, and what is done.

Pure: time is handed in, nothing is sent here. The rules:

- Events of one patient are delivered in their order. Only a high-priority event does not wait for
  other alarms of its patient that the receiver does not take; within one alarm the order always
  holds. Patients never wait for each other.
- A failed attempt is repeated after 1, 2, 4, 8 s, then every 30 s up to 24 h after the event;
  then, or when the receiver refuses for good, the event is given up and told.
- A high-priority event that the endpoint has not taken after 15 s, or never will, also goes to
  the fallback, by the same rules. The endpoint itself is asked on.
- The offset to commit is that of the oldest event that is not done: after a crash every event
  that is not known to be delivered is read again, and its id tells the receiver of repeats.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from ecg.alarm import Priority
from stream.kafka import Incoming
from stream.webhook import Answer

FIRST_RETRIES_S = (1.0, 2.0, 4.0, 8.0)
RETRY_S = 30.0
EXPIRY_S = 24 * 3600.0
ESCALATE_S = 15.0
"""A high-priority event not taken for so long goes to the fallback; any event that is older is
marked late. It is the time that the first retries take."""

WINDOW = 10_000
"""Events waiting at most, some 10 MB. Beyond it the oldest of the lowest priority are given up, or
a new one that is worth less than any that waits, so that an endpoint that is away for hours cannot
keep new red alarms from the fallback."""

Lane = Literal["endpoint", "fallback"]
Why = Literal["webhook-refused", "webhook-gone", "webhook-expired", "webhook-too-many"]
_LANES: tuple[Lane, ...] = ("endpoint", "fallback")
_WORTH: dict[Priority, int] = {"high": 2, "medium": 1, "low": 0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One alarm event as it stands in Kafka."""

    message: Incoming
    event_id: str
    alarm_id: str
    patient: str
    priority: Priority
    epoch: int
    born_s: float
    """When it was written, on the clock that ``now_s`` is of."""


@dataclass(slots=True)
class _Delivery:
    due_s: float
    tries: int = 0
    in_flight: bool = False
    taken: bool = False
    done: bool = False
    """Taken or given up."""


@dataclass(slots=True, eq=False)
class _Entry:
    event: Event
    lanes: dict[Lane, _Delivery]
    # ids of alarms and of patients cannot be told apart by their text alone
    alarm: tuple[str, str]
    patient: tuple[str, str]
    forgotten: bool = False

    def done(self) -> bool:
        return all(delivery.done for delivery in self.lanes.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One attempt that is due."""

    event: Event
    lane: Lane
    late: bool
    tries: int
    """Which attempt this is, from 1."""
    entry: _Entry = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenUp:
    """A delivery that will not be tried again."""

    event: Event
    lane: Lane
    reason: Why
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """Up to where a partition is done."""

    offset: int
    """The first offset that is not done."""
    oldest: Event | None
    """What stands there and waits; None if nothing does."""


class Outbox:
    """Everything one endpoint has not yet taken.

    Parameters
    ----------
    has_fallback : bool
        Whether high-priority events can go elsewhere.
    window : int
        Events waiting at most.
    gone : dict, optional
        Lanes whose receiver has said that it will never take anything, and what
        it said; kept by the caller to outlive this outbox.
    """

    def __init__(
        self, *, has_fallback: bool, window: int = WINDOW, gone: dict[Lane, str] | None = None
    ) -> None:
        self._has_fallback = has_fallback
        self._window = window
        self._entries: dict[tuple[int, int], _Entry] = {}
        self._positions: dict[int, int] = {}
        self._gone = {} if gone is None else gone

    def __len__(self) -> int:
        """Return how many events wait."""
        return len(self._entries)

    def add(self, event: Event) -> list[GivenUp]:
        """Take an event for delivery; returns what had to be given up, which may be itself."""
        self.pass_over(*_place(event))
        given_up = []
        if len(self._entries) >= self._window:
            detail = f"more than {self._window} events wait"
            least = min(self._entries.values(), key=lambda entry: _WORTH[entry.event.priority])
            if _WORTH[event.priority] < _WORTH[least.event.priority]:
                return [
                    GivenUp(event=event, lane="endpoint", reason="webhook-too-many", detail=detail)
                ]
            given_up = self._drop(least, "webhook-too-many", detail)
        self._entries[_place(event)] = _Entry(
            event=event,
            lanes={"endpoint": _Delivery(due_s=event.born_s)},
            alarm=("alarm", event.alarm_id),
            patient=("patient", event.patient),
        )
        return given_up

    def pass_over(self, partition: int, offset: int) -> None:
        """Note that the message at ``offset`` has been read; alone it needs no delivery."""
        self._positions[partition] = offset + 1

    def forget(self, partitions: Iterable[int]) -> None:
        """Drop what stands in partitions that another process has taken over."""
        lost = frozenset(partitions)
        for place in [place for place in self._entries if place[0] in lost]:
            self._entries.pop(place).forgotten = True
        for partition in lost:
            self._positions.pop(partition, None)

    def sweep(self, now_s: float) -> list[GivenUp]:
        """Escalate and give up what is due for it; call before ``due``."""
        given_up: list[GivenUp] = []
        for entry in list(self._entries.values()):
            event = entry.event
            own = entry.lanes["endpoint"]
            if (
                self._has_fallback
                and event.priority == "high"
                and not own.done
                and "fallback" not in entry.lanes
                and (now_s - event.born_s >= ESCALATE_S or "endpoint" in self._gone)
            ):
                entry.lanes["fallback"] = _Delivery(due_s=now_s)
            for lane, delivery in entry.lanes.items():
                if delivery.done or delivery.in_flight:
                    continue
                if lane in self._gone:
                    given_up += self._give_up(entry, lane, "webhook-gone", self._gone[lane])
                elif delivery.tries and now_s - event.born_s >= EXPIRY_S:
                    detail = f"not taken within {EXPIRY_S / 3600:g} h, {delivery.tries} attempts"
                    given_up += self._give_up(entry, lane, "webhook-expired", detail)
            self._settle(entry)
        return given_up

    def due(self, now_s: float) -> list[Attempt]:
        """Return the attempts that may start now, the most urgent first."""
        ready: list[Attempt] = []
        waiting: dict[Lane, set[tuple[str, str]]] = {lane: set() for lane in _LANES}
        for entry in self._entries.values():
            event = entry.event
            for lane, delivery in entry.lanes.items():
                if delivery.done:
                    continue
                ahead = waiting[lane]
                behind = entry.alarm if event.priority == "high" else entry.patient
                free = behind not in ahead and not delivery.in_flight
                ahead.add(entry.alarm)
                ahead.add(entry.patient)
                if free and delivery.due_s <= now_s:
                    ready.append(
                        Attempt(
                            event=event,
                            lane=lane,
                            late=now_s - event.born_s > ESCALATE_S,
                            tries=delivery.tries + 1,
                            entry=entry,
                        )
                    )
        return sorted(ready, key=lambda a: (-_WORTH[a.event.priority], a.event.born_s))

    def start(self, attempt: Attempt) -> None:
        """Note that an attempt is under way."""
        delivery = attempt.entry.lanes[attempt.lane]
        delivery.in_flight = True
        delivery.tries += 1

    def finish(self, attempt: Attempt, answer: Answer, now_s: float) -> list[GivenUp]:
        """Note what came of an attempt; returns what is given up because of it."""
        entry = attempt.entry
        if entry.forgotten:
            return []
        delivery = entry.lanes[attempt.lane]
        delivery.in_flight = False
        given_up: list[GivenUp] = []
        if answer.result == "delivered":
            delivery.taken = delivery.done = True
        elif answer.result == "failed":
            delay_s = (
                FIRST_RETRIES_S[delivery.tries - 1]
                if delivery.tries <= len(FIRST_RETRIES_S)
                else RETRY_S
            )
            delivery.due_s = now_s + max(delay_s, answer.retry_after_s or 0.0)
        else:
            if answer.result == "gone":
                self._gone[attempt.lane] = answer.detail
            why: Why = "webhook-gone" if answer.result == "gone" else "webhook-refused"
            given_up = self._give_up(entry, attempt.lane, why, answer.detail)
            self._escalate_refused(entry, attempt.lane, now_s)
        self._settle(entry)
        return given_up

    def commits(self) -> dict[int, Commit]:
        """Return, for each partition, from where a successor must read."""
        commits = {
            partition: Commit(offset=offset, oldest=None)
            for partition, offset in self._positions.items()
        }
        for (partition, offset), entry in self._entries.items():
            if commits[partition].oldest is None:  # the first of a partition is its oldest
                commits[partition] = Commit(offset=offset, oldest=entry.event)
        return commits

    def _escalate_refused(self, entry: _Entry, lane: Lane, now_s: float) -> None:
        if lane == "endpoint" and self._has_fallback and entry.event.priority == "high":
            entry.lanes.setdefault("fallback", _Delivery(due_s=now_s))

    def _give_up(
        self,
        entry: _Entry,
        lane: Lane,
        reason: Why,
        detail: str,
    ) -> list[GivenUp]:
        entry.lanes[lane].done = True
        return [GivenUp(event=entry.event, lane=lane, reason=reason, detail=detail)]

    def _drop(self, entry: _Entry, reason: Why, detail: str) -> list[GivenUp]:
        given_up: list[GivenUp] = []
        for lane, delivery in entry.lanes.items():
            if not delivery.done:
                given_up += self._give_up(entry, lane, reason, detail)
        entry.forgotten = True
        del self._entries[_place(entry.event)]
        return given_up

    def _settle(self, entry: _Entry) -> None:
        """Drop an entry that is done; a fallback is not asked on once the endpoint has taken it."""
        own, other = entry.lanes["endpoint"], entry.lanes.get("fallback")
        if own.taken and other is not None and not other.in_flight:
            other.done = True
        if entry.done() and not entry.forgotten:
            del self._entries[_place(entry.event)]


def _place(event: Event) -> tuple[int, int]:
    return event.message.partition, event.message.offset

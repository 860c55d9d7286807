"""A courier whose time, broker and receivers belong to the test."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import httpx

from ecg.alarm import Priority
from stream.clock import ManualClock
from stream.courier import Courier, Delivery
from stream.dead_letter import Reason
from stream.endpoint import Endpoint, new_secret
from stream.errors import BrokerError, FencedError
from stream.kafka import Incoming, Place, Polled
from stream.outbox import Lane
from stream.webhook import Poster

SECRET = new_secret()
NOW_S = 1_800_000_000


@dataclass
class FakeInbox:
    """One member that has all partitions; what is committed is its only memory."""

    log: list[Incoming] = field(default_factory=list)
    commits: dict[Place, int] = field(default_factory=dict)
    kept_notes: dict[Place, str] = field(default_factory=dict)
    at_time: int = 0
    asked_since_ms: int | None = None
    fenced: bool = False
    assigned: frozenset[int] = frozenset({0, 1})
    revoked: frozenset[int] = frozenset()
    held: set[int] = field(default_factory=set)
    _next: dict[int, int] = field(default_factory=dict)

    def write(self, value: bytes, *, partition: int = 0, age_s: float = 0.0, key: str = "p") -> int:
        offset = sum(m.partition == partition for m in self.log)
        self.log.append(
            Incoming(
                topic="ecg.alarms",
                partition=partition,
                offset=offset,
                key=key,
                value=value,
                headers=(),
                timestamp_ms=round((NOW_S - age_s) * 1000),
            )
        )
        return offset

    def poll(self, timeout_s: float = 0.1, *, max_messages: int = 5000) -> Polled:
        flows = self._next.keys() - self.held
        messages = [
            m for m in self.log if m.partition in flows and m.offset >= self._next[m.partition]
        ][:max_messages]
        for m in messages:
            self._next[m.partition] = m.offset + 1
        polled = Polled(revoked=self.revoked, assigned=self.assigned, messages=messages)
        self.revoked = self.assigned = frozenset()
        return polled

    def start(self, partition: int, at: Mapping[str, int] | None = None) -> None:
        place = ("ecg.alarms", partition)
        self.held.discard(partition)
        self._next[partition] = (at or {}).get("ecg.alarms", self.commits.get(place, 0))

    def hold(self, partition: int) -> None:
        self.held.add(partition)

    def release(self, partition: int) -> None:
        self.held.discard(partition)

    def committed(self, places: Iterable[Place]) -> dict[Place, int]:
        return {place: self.commits[place] for place in places if place in self.commits}

    def notes(self, places: Iterable[Place]) -> dict[Place, str]:
        return {place: self.kept_notes[place] for place in places if place in self.kept_notes}

    def offsets_at(self, places: Iterable[Place], timestamp_ms: int) -> dict[Place, int]:
        self.asked_since_ms = timestamp_ms
        return dict.fromkeys(places, self.at_time)

    def commit(
        self, offsets: Mapping[Place, int], notes: Mapping[Place, str] | None = None
    ) -> bool:
        if self.fenced:
            raise FencedError("the group has moved on")
        self.commits.update(offsets)
        self.kept_notes.update(notes or {})
        return True


@dataclass
class Bench:
    """A courier whose time, broker and receivers belong to the test."""

    inbox: FakeInbox = field(default_factory=FakeInbox)
    clock: ManualClock = field(default_factory=lambda: ManualClock(NOW_S * 10**9))
    statuses: dict[str, int] = field(default_factory=dict)
    """Answer by webhook-id; 204 for those not in it."""
    requests: list[httpx.Request] = field(default_factory=list)
    buried: list[tuple[int, str]] = field(default_factory=list)
    unsettled: list[tuple[int, str]] = field(default_factory=list)
    broker_away: bool = False
    deliveries: list[Delivery] = field(default_factory=list)
    waiting: list[Callable[[], None]] = field(default_factory=list)
    held: bool = False
    gone: dict[Lane, str] = field(default_factory=dict)

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return httpx.Response(self.statuses.get(request.headers["webhook-id"], 204))

    def give_up(self, message: Incoming, reason: Reason, detail: str) -> None:
        self.unsettled.append((message.offset, reason))

    def settle(self) -> None:
        if self.broker_away:
            raise BrokerError("not acknowledged")
        self.buried += self.unsettled
        self.unsettled = []

    def submit(self, attempt: Callable[[], None]) -> None:
        if self.held:
            self.waiting.append(attempt)
        else:
            attempt()

    def courier(self, *, min_priority: Priority = "low", fallback: bool = False) -> Courier:
        names: list[tuple[Lane, str]] = [("endpoint", "main")]
        if fallback:
            names.append(("fallback", "pager"))
        posters = {
            lane: Poster(
                Endpoint(name=name, url=f"https://{name}.example/", secrets=(SECRET,)),
                transport=httpx.MockTransport(self.answer),
            )
            for lane, name in names
        }
        return Courier(
            Endpoint(
                name="main",
                url="https://main.example/",
                secrets=(SECRET,),
                min_priority=min_priority,
            ),
            inbox=self.inbox,
            posters=posters,
            dead_letters=self,
            settle=self.settle,
            submit=self.submit,
            clock=self.clock,
            gone=self.gone,
            on_delivery=self.deliveries.append,
            monotonic_s=lambda: self.clock.now_ns() / 1e9 - NOW_S,
        )

    def run(self, courier: Courier, seconds: float = 1.0) -> None:
        for _ in range(round(seconds * 4)):
            courier.step(0.0)
            self.clock.advance(0.25)

    def ids(self) -> list[str]:
        return [request.headers["webhook-id"] for request in self.requests]

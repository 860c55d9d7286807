"""A member of a consumer group: what is ours, what comes, what is committed."""

import contextlib
import logging
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kafka import ConsumerRebalanceListener, OffsetAndMetadata
from kafka.coordinator.assignors.range import RangePartitionAssignor
from kafka.errors import IllegalStateError, RebalanceInProgressError

from stream.errors import BrokerError, FencedError
from stream.kafka import limits
from stream.kafka.client import Client, as_broker_error
from stream.kafka.cluster import Cluster, Incoming, Place

logger = logging.getLogger(__name__)

_STABLE = "<stable>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Polled:
    """What one poll of a group member brought; deal with it in the order of the fields."""

    revoked: frozenset[int] = frozenset()
    """Partitions that are no longer ours: forget them, write nothing more for them."""
    assigned: frozenset[int] = frozenset()
    """Partitions that are newly ours; a held consumer gives nothing of them until ``start``."""
    messages: Sequence[Incoming] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """What a member was given in one generation of the group; nothing when it was expelled."""

    generation: int | None
    partitions: frozenset[int]


def kept_through(
    noted: Sequence[Assignment], partitions: frozenset[int], *, after: int
) -> frozenset[int]:
    """Return which partitions stayed with a member through changes of its group.

    A partition stayed if the member had it in every generation from ``after`` on;
    of a generation that it was not part of nobody can say who had the partition.

    Examples
    --------
    >>> noted = [Assignment(generation=5, partitions=frozenset({1, 2}))]
    >>> kept_through(noted, frozenset({2, 3}), after=4)
    frozenset({2})
    >>> kept_through(noted, frozenset({2, 3}), after=3)
    frozenset()
    """
    kept = partitions
    for one in noted:
        continued = one.generation is not None and one.generation == after + 1
        kept = kept & one.partitions if continued else frozenset()
        after = -1 if one.generation is None else one.generation
    return kept


@dataclass(slots=True)
class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]  # the client is untyped
    """Notes on the client's own thread what the main loop deals with after the poll.

    Look-ups raise on that thread; pausing works, and keeps a partition silent
    until the main loop has found where to start. The generation is noted with
    the assignment: after the poll the client may be in the middle of the next.
    """

    consumer: Any
    noted: list[Assignment] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def on_partitions_revoked(self, revoked: Any) -> None:
        """Nothing to do: what is no longer ours is known when the new assignment is."""

    def on_partitions_lost(self, lost: Any) -> None:
        """Note that somebody else may have the partitions by now."""
        with self.lock:
            self.noted.append(Assignment(generation=None, partitions=frozenset()))

    def on_partitions_assigned(self, assigned: Any) -> None:
        """Silence the new partitions and note them."""
        self.consumer.pause(*assigned)
        generation = self.consumer.group_metadata().generation_id
        one = Assignment(
            generation=generation if generation >= 0 else None,
            # without a generation it has been expelled again already
            partitions=frozenset(tp.partition for tp in assigned if generation >= 0),
        )
        with self.lock:
            self.noted.append(one)

    def take(self) -> list[Assignment]:
        """Return what was noted since the last time, in order."""
        with self.lock:
            noted, self.noted = self.noted, []
            return noted


class Consumer(Client):
    """A member of a consumer group that follows topics with equal partitions.

    Partition p of all its topics comes and goes together, so it deals in
    partition numbers. It commits only when told.

    Parameters
    ----------
    cluster : Cluster
        Where from.
    group : str
        The consumer group.
    topics : sequence of str
        What it follows.
    held : bool
        True for roles that restore state first: a newly assigned partition gives
        no messages until ``start``. Otherwise it starts from the committed
        offset, else from the oldest message kept.

    Raises
    ------
    BrokerError
        If the broker is away, a topic is missing, or the topics do not have the
        same number of partitions.
    """

    def __init__(
        self, cluster: Cluster, group: str, topics: Sequence[str], *, held: bool = False
    ) -> None:
        super().__init__(
            cluster,
            group_id=cluster.prefix + group,
            session_timeout_ms=limits.SESSION_TIMEOUT_MS,
            heartbeat_interval_ms=limits.HEARTBEAT_INTERVAL_MS,
            max_poll_interval_ms=limits.MAX_POLL_INTERVAL_MS,
            # range keeps partitions of equal number together
            partition_assignment_strategy=(RangePartitionAssignor,),
        )
        self._topics = tuple(topics)
        self._held = held
        self._listener = _Listener(self._consumer)
        self._owned: frozenset[int] = frozenset()
        self._started: set[int] = set()
        self._next: dict[Place, int] = {}
        self._generation = -1
        self._unsettled_since: float | None = None
        self._asked_again = False
        try:
            # before subscribe: a first join without metadata can wedge
            counts = {topic: self.partitions(topic) for topic in self._topics}
            if len(set(counts.values())) > 1:
                raise BrokerError(f"topics must have equal numbers of partitions, got {counts}")
            with as_broker_error(f"subscribing to {', '.join(topics)}"):
                self._consumer.subscribe(
                    topics=[cluster.prefix + topic for topic in topics], listener=self._listener
                )
        except BrokerError:
            self.close()
            raise

    @property
    def owned(self) -> frozenset[int]:
        """The partitions that are ours, as of the last poll."""
        return self._owned

    @property
    def generation(self) -> int:
        """The group's generation: grows with every change of its members."""
        return self._generation

    def poll(self, timeout_s: float = 0.1, *, max_messages: int = 5000) -> Polled:
        """Wait for messages or a change of what is ours.

        A partition that stayed with this member over a change of the group goes
        on where it was and is not mentioned.

        Raises
        ------
        BrokerError
            If the client reports one, or the group has not settled for long:
            close this consumer and make a new one.
        """
        with as_broker_error("polling"):
            group = self._consumer._coordinator
            if group.need_rejoin() or self._consumer.group_metadata().state != _STABLE:
                # not by a longer poll, which would not end when the join does
                group.poll(timeout_ms=limits.JOIN_MS)
            batches = self._consumer.poll(
                timeout_ms=max(1, round(timeout_s * 1000)), max_records=max_messages
            )
        self._watch()
        revoked, assigned = self._changes()
        messages: list[Incoming] = []
        for tp, batch in batches.items():
            place = self._place(tp)
            if place[1] not in self._started:
                continue
            messages.extend(self._incoming(message) for message in batch)
            self._next[place] = batch[-1].offset + 1
        return Polled(revoked=revoked, assigned=assigned, messages=messages)

    def _watch(self) -> None:
        """Get the client out of a rebalance that does not end, or give it up."""
        state = self._consumer.group_metadata().state
        if state == _STABLE:
            self._unsettled_since = None
            self._asked_again = False
            return
        now = time.monotonic()
        if self._unsettled_since is None:
            self._unsettled_since = now
        waited = now - self._unsettled_since
        if waited > limits.WEDGED_AFTER_S:
            raise BrokerError(f"the consumer group has not settled for {waited:.0f} s ({state})")
        if waited > limits.REJOIN_AFTER_S and not self._asked_again:
            logger.warning("still %s after %.0f s: asking to join again", state, waited)
            self._asked_again = True
            # the client has no public way to ask for this
            self._consumer._coordinator.request_rejoin()

    def _changes(self) -> tuple[frozenset[int], frozenset[int]]:
        noted = self._listener.take()
        if not noted:
            return frozenset(), frozenset()
        before = self._owned
        kept = kept_through(noted, before & self._started, after=self._generation)
        last = noted[-1].generation
        self._generation = -1 if last is None else last
        self._owned = noted[-1].partitions
        revoked = before - kept
        assigned = self._owned - kept
        self._started = set(kept)
        self._next = {place: offset for place, offset in self._next.items() if place[1] in kept}
        logger.info(
            "generation %d: partitions %s, new %s, gone %s",
            self._generation,
            sorted(self._owned),
            sorted(assigned),
            sorted(revoked),
        )
        for partition in sorted(kept):
            self._resume(partition)
        if not self._held:
            for partition in sorted(assigned):
                self.start(partition)
        return revoked, assigned

    def start(self, partition: int, at: Mapping[str, int] | None = None) -> None:
        """Let a newly assigned partition flow.

        Parameters
        ----------
        partition : int
            One that ``poll`` said is assigned.
        at : mapping of str to int, optional
            Topic name to the first offset wanted; for topics not in it the
            committed offset, else the oldest message kept.

        Raises
        ------
        BrokerError
            If the broker cannot say where to start.
        """
        wanted = dict(at or {})
        places = [(topic, partition) for topic in self._topics]
        for topic, offset in self.committed(
            place for place in places if place[0] not in wanted
        ).items():
            wanted[topic[0]] = offset
        oldest = self.beginnings(places)
        for place in places:
            self._next[place] = max(wanted.get(place[0], 0), oldest[place])
        self._started.add(partition)
        self._resume(partition)

    def _resume(self, partition: int) -> None:
        tps = [self._tp(topic, partition) for topic in self._topics]
        with as_broker_error(f"starting partition {partition}"):
            try:
                for tp in tps:
                    self._consumer.seek(tp, self._next[self._place(tp)])
                self._consumer.resume(*tps)
            except (ValueError, IllegalStateError) as error:
                # the next poll will say that the partition is gone again
                logger.info("partition %d left before it was started: %s", partition, error)

    def hold(self, topic: str, partition: int, *, held: bool) -> None:
        """Give no messages of one topic of a started partition for a while, or go on.

        A change of the group lets it flow again.
        """
        tp = self._tp(topic, partition)
        # a partition that has just been taken away is nobody's to hold
        with contextlib.suppress(IllegalStateError, KeyError):
            if held:
                self._consumer.pause(tp)
            else:
                self._consumer.resume(tp)

    def position(self, topic: str, partition: int) -> int:
        """Return the offset of the next message that ``poll`` will give.

        Raises
        ------
        KeyError
            If the partition has not been started.
        """
        return self._next[(topic, partition)]

    def committed(self, places: Iterable[Place]) -> dict[Place, int]:
        """Return the group's committed offsets, of any topic; those without one are absent."""
        found = {}
        with as_broker_error("looking up committed offsets"):
            for place in places:
                offset = self._consumer.committed(
                    self._tp(*place), timeout_ms=2 * limits.REQUEST_TIMEOUT_MS
                )
                if offset is not None and offset >= 0:
                    found[place] = int(offset)
        return found

    def notes(self, places: Iterable[Place]) -> dict[Place, str]:
        """Return the notes that were committed with the offsets; those without are absent."""
        found = {}
        with as_broker_error("looking up committed offsets"):
            for place in places:
                committed = self._consumer.committed(
                    self._tp(*place), metadata=True, timeout_ms=2 * limits.REQUEST_TIMEOUT_MS
                )
                if committed is not None and committed.metadata:
                    found[place] = str(committed.metadata)
        return found

    def commit(
        self, offsets: Mapping[Place, int], notes: Mapping[Place, str] | None = None
    ) -> bool:
        """Commit, for each place, the offset of the next message to read: last + 1.

        Parameters
        ----------
        offsets : mapping
            Topic and partition to offset; also of topics that it does not follow.
        notes : mapping, optional
            Topic and partition to a short text kept with the offset.

        Returns
        -------
        bool
            False if nothing was committed because the group is just changing:
            poll on, and commit what is still ours then.

        Raises
        ------
        FencedError
            If this member has lost its partitions: write nothing more for them.
        BrokerError
            If the broker does not take them.
        """
        if not offsets:
            return True
        with as_broker_error("committing offsets"):
            try:
                self._consumer.commit(
                    {
                        self._tp(*place): OffsetAndMetadata(
                            offset, (notes or {}).get(place, ""), -1
                        )
                        for place, offset in offsets.items()
                    },
                    timeout_ms=2 * limits.REQUEST_TIMEOUT_MS,
                )
            except RebalanceInProgressError as error:
                logger.info("not committed, the group is changing: %s", error)
                return False
        return True

    def check_membership(self) -> None:
        """Ask the broker whether this member still belongs to the current generation.

        Raises
        ------
        FencedError
            If it does not.
        BrokerError
            If the broker does not answer.
        """
        if not self._owned:
            raise FencedError("this member has no partitions")
        place = (self._topics[0], min(self._owned))
        # only a member's commit is taken; this one changes nothing
        offset = self.committed([place]).get(place)
        if offset is None:
            offset = self.beginnings([place])[place]
        if not self.commit({place: offset}):
            raise FencedError("the group is changing: nobody can say what is ours")

    def commit_done(self) -> bool:
        """Commit everything that ``poll`` has given so far, for roles without state."""
        return self.commit(dict(self._next))

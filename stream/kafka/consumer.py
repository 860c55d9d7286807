"""A member of a consumer group: what is ours, what comes, what is committed."""

import contextlib
import logging
import time
from collections.abc import Mapping, Sequence

from kafka.coordinator.assignors.range import RangePartitionAssignor
from kafka.errors import IllegalStateError

from stream.errors import BrokerError, FencedError
from stream.kafka import limits
from stream.kafka.assignment import Listener, Polled, kept_through
from stream.kafka.client import as_broker_error
from stream.kafka.cluster import Cluster, Incoming, Place
from stream.kafka.offsets import Offsets

logger = logging.getLogger(__name__)

_STABLE = "<stable>"


class Consumer(Offsets):
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
    gather : bool
        True for roles to which a poll costs something by itself: the broker answers
        when it has much, or after a moment, and not as soon as there is something.

    Raises
    ------
    BrokerError
        If the broker is away, a topic is missing, or the topics do not have the
        same number of partitions.
    """

    def __init__(
        self,
        cluster: Cluster,
        group: str,
        topics: Sequence[str],
        *,
        held: bool = False,
        gather: bool = False,
    ) -> None:
        super().__init__(
            cluster,
            headers=False,
            fetch_min_bytes=limits.GATHER_BYTES if gather else 1,
            fetch_max_wait_ms=limits.GATHER_MS if gather else limits.FETCH_WAIT_MS,
            group_id=cluster.prefix + group,
            session_timeout_ms=limits.SESSION_TIMEOUT_MS,
            heartbeat_interval_ms=limits.HEARTBEAT_INTERVAL_MS,
            max_poll_interval_ms=limits.MAX_POLL_INTERVAL_MS,
            # range keeps partitions of equal number together
            partition_assignment_strategy=(RangePartitionAssignor,),
        )
        self._topics = tuple(topics)
        self._held = held
        self._listener = Listener(self._consumer)
        self._owned: frozenset[int] = frozenset()
        self._started: set[int] = set()
        self._next: dict[Place, int] = {}
        self._generation = -1
        self._unsettled_since: float | None = None
        try:
            # before subscribe: a first join without metadata can wedge
            counts = {topic: self.partitions(topic) for topic in self._topics}
            if len(set(counts.values())) > 1:
                raise BrokerError(f"topics must have equal numbers of partitions, got {counts}")
            with as_broker_error(f"subscribing to {', '.join(topics)}"):
                self._consumer.subscribe(
                    topics=[cluster.prefix + topic for topic in topics], listener=self._listener
                )
                # else it learns of their partitions after it has joined, and joins a second time
                self._consumer.topics()
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
            batches = self._consumer.poll(
                timeout_ms=max(1, round(timeout_s * 1000)), max_records=max_messages
            )
            self._see_through()
        self._watch()
        revoked, assigned = self._changes()
        messages: list[Incoming] = []
        for tp, batch in batches.items():
            place = self._place(tp)
            if place[1] not in self._started:
                continue
            messages.extend(batch)
            self._next[place] = batch[-1].offset + 1
        return Polled(revoked=revoked, assigned=assigned, messages=messages)

    def _see_through(self) -> None:
        """Let a change of the group that the poll has begun come to its end."""
        group = self._consumer._coordinator
        settled = self._consumer.group_metadata().state == _STABLE
        if not settled and not group.need_rejoin():
            # A join that was begun because partitions had changed, and did not end within its poll:
            # the client takes nothing over from it and would wait for ever. It has no public way
            # to ask for another.
            group.request_rejoin()
        if not settled or group.need_rejoin():
            # not by a longer poll, which would not end when the join does
            group.poll(timeout_ms=limits.JOIN_MS)

    def _watch(self) -> None:
        """Give the client up when a change of the group does not end."""
        state = self._consumer.group_metadata().state
        if state == _STABLE:
            self._unsettled_since = None
            return
        now = time.monotonic()
        if self._unsettled_since is None:
            self._unsettled_since = now
        waited = now - self._unsettled_since
        if waited > limits.WEDGED_AFTER_S:
            raise BrokerError(f"the consumer group has not settled for {waited:.0f} s ({state})")

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

    def hold(self, partition: int, *topics: str) -> None:
        """Give nothing of a partition until ``release``, or until it is assigned anew.

        Of all topics, unless some are named.
        """
        self._flow(partition, topics, flows=False)

    def release(self, partition: int, *topics: str) -> None:
        """Let a partition that was held flow again, in all topics or those named."""
        self._flow(partition, topics, flows=True)

    def _flow(self, partition: int, topics: Sequence[str], *, flows: bool) -> None:
        # a partition that has just been taken away is nobody's to hold: the next poll will say so
        with contextlib.suppress(IllegalStateError, KeyError):
            tps = [self._tp(topic, partition) for topic in topics or self._topics]
            (self._consumer.resume if flows else self._consumer.pause)(*tps)

    def position(self, topic: str, partition: int) -> int:
        """Return the offset of the next message that ``poll`` will give.

        Raises
        ------
        KeyError
            If the partition has not been started.
        """
        return self._next[(topic, partition)]

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

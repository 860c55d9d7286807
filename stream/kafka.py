"""Kafka: the only file that imports the client library.

A ``Cluster`` names where the broker is. ``Producer`` sends, ``Consumer`` is a
member of a consumer group, ``Reader`` follows partitions on its own. Topic and
group names are given without the cluster's prefix everywhere.
"""

import contextlib
import logging
import socket
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from types import TracebackType
from typing import Any, Literal, Self

from kafka import (
    ConsumerRebalanceListener,
    KafkaAdminClient,
    KafkaConsumer,
    KafkaProducer,
    OffsetAndMetadata,
    TopicPartition,
)
from kafka.coordinator.assignors.range import RangePartitionAssignor
from kafka.errors import (
    CommitFailedError,
    IllegalGenerationError,
    IllegalStateError,
    KafkaError,
    RebalanceInProgressError,
    TopicAlreadyExistsError,
    UnknownMemberIdError,
    for_code,
)
from kafka.net.compat import KafkaNetClient
from kafka.partitioner.default import murmur2

from stream.errors import BrokerError, FencedError
from stream.topics import Topic

logger = logging.getLogger(__name__)

# The client's own defaults (45 s, 3 s, 30 s) are too slow for a monitor.
SESSION_TIMEOUT_MS = 6000
HEARTBEAT_INTERVAL_MS = 400
REQUEST_TIMEOUT_MS = 5000
# A batch that is not acknowledged after this long is given up, and its sender told.
DELIVERY_TIMEOUT_MS = 15_000
# The broker answers a fetch at once when there is something; this bounds the wait for it.
FETCH_WAIT_MS = 100
# A member that does not poll for so long has left; also the longest that a rebalance waits for it.
MAX_POLL_INTERVAL_MS = 60_000
# The client starts a join anew when it finds one that ended between two polls, so with short
# polls it may never see one through; while there is nothing to read anyway it gets this long.
JOIN_MS = 1000
# A member that is still rebalancing after this long asks to join again, and is given up at last.
REJOIN_AFTER_S = 10.0
WEDGED_AFTER_S = 40.0
# How long a client that is thrown away may take to notice.
_LAST_REQUEST_S = 2.0
# Sends whose outcome nobody has asked for yet; more than these are waited for.
MAX_UNCONFIRMED = 10_000

_STABLE = "<stable>"

Place = tuple[str, int]
"""A topic's name and a partition."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where the broker is, and what our names start with there.

    Parameters
    ----------
    bootstrap : str
        ``host:port`` of a broker; several separated by commas.
    prefix : str
        Put before every topic and group name, so that several installations
        (or tests) share one cluster.
    """

    bootstrap: str
    prefix: str = ""

    def servers(self) -> list[str]:
        """Return the addresses one by one."""
        return [server.strip() for server in self.bootstrap.split(",")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """One message as it was read; ``str()`` gives ``topic[partition]@offset``."""

    topic: str
    partition: int
    offset: int
    key: str | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    timestamp_ms: int

    def __str__(self) -> str:
        """Return where the message stands."""
        return f"{self.topic}[{self.partition}]@{self.offset}"

    def header(self, name: str) -> bytes | None:
        """Return the first header of that name, or None."""
        return next((value for key, value in self.headers if key == name), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Polled:
    """What one poll of a group member brought; deal with it in the order of the fields."""

    revoked: frozenset[int] = frozenset()
    """Partitions that are no longer ours: forget them, write nothing more for them."""
    assigned: frozenset[int] = frozenset()
    """Partitions that are newly ours; a held consumer gives nothing of them until ``start``."""
    messages: Sequence[Incoming] = ()


@lru_cache(maxsize=100_000)
def partition_for(key: str, n_partitions: int) -> int:
    """Return the partition of a key: Kafka's default partitioner, the same in every process.

    Examples
    --------
    >>> [partition_for(patient, 8) for patient in ("p208", "p100", "sim-1")]
    [6, 3, 3]
    """
    return int(murmur2(key.encode()) & 0x7FFFFFFF) % n_partitions


@contextlib.contextmanager
def _as_broker_error(doing: str) -> Iterator[None]:
    """Turn the client's errors into ours."""
    try:
        yield
    except (
        CommitFailedError,
        IllegalGenerationError,
        RebalanceInProgressError,
        UnknownMemberIdError,
    ) as error:
        raise FencedError(
            f"{doing}: the group has moved on without this member: {error}"
        ) from error
    except (KafkaError, OSError) as error:
        raise BrokerError(f"{doing}: {type(error).__name__}: {error}") from error


def _open(kind: Any, **config: Any) -> Any:
    """Make one of the library's clients; one that gets no answer leaves no socket behind."""
    networks: list[Any] = []

    def network(**more: Any) -> Any:
        networks.append(KafkaNetClient(**more))
        return networks[-1]

    try:
        return kind(kafka_client=network, **config)
    except BaseException:
        for one in networks:
            one.close()
        raise


def wait_for_broker(
    cluster: Cluster,
    *,
    give_up_s: float | None = None,
    stop: threading.Event | None = None,
) -> bool:
    """Wait until a broker answers, and say so in the log while it does not.

    Parameters
    ----------
    cluster : Cluster
        Where it should be.
    give_up_s : float, optional
        How long to wait at most, in s; without it, for ever.
    stop : threading.Event, optional
        Ends the wait when set.

    Returns
    -------
    bool
        True when the broker is there, False when ``stop`` was set first.

    Raises
    ------
    BrokerError
        If it is not there after ``give_up_s``.
    """
    stop = stop or threading.Event()
    started = time.monotonic()
    next_word = started
    while not stop.is_set():
        problem = problem_with(cluster)
        if problem is None:
            if next_word > started:
                logger.info("the broker at %s is there", cluster.bootstrap)
            return True
        waited = time.monotonic() - started
        if give_up_s is not None and waited >= give_up_s:
            raise BrokerError(
                f"no broker answers at {cluster.bootstrap} after {waited:.0f} s ({problem}); "
                "is it running, and is the bootstrap address right?"
            )
        if time.monotonic() >= next_word:
            logger.warning("waiting for the broker at %s: %s", cluster.bootstrap, problem)
            next_word = time.monotonic() + 10.0
        stop.wait(0.2)
    return False


def problem_with(cluster: Cluster) -> str | None:
    """Return why no broker can be used at the moment, None if one can."""
    problem = "no address"
    for server in cluster.servers():
        host, _, port = server.rpartition(":")
        try:
            # a closed port is known at once this way; the client would try for long
            with socket.create_connection((host, int(port)), timeout=2.0):
                break
        except (OSError, ValueError) as error:
            problem = f"{server}: {error}"
    else:
        return problem
    try:
        admin = _open(
            KafkaAdminClient,
            bootstrap_servers=cluster.servers(),
            bootstrap_timeout_ms=3000,
            request_timeout_ms=REQUEST_TIMEOUT_MS,
        )
    except (KafkaError, OSError) as error:
        return f"{type(error).__name__}: {error}"
    try:
        brokers = admin.describe_cluster().get("brokers")
    except (KafkaError, OSError) as error:
        return f"{type(error).__name__}: {error}"
    finally:
        admin.close()
    return None if brokers else "it knows no brokers yet"


def create_topics(
    cluster: Cluster,
    topics: Iterable[Topic],
    *,
    partitions: int,
    replication: int = 1,
) -> list[str]:
    """Create the topics that are not there yet.

    Returns
    -------
    list of str
        Names of those created now.

    Raises
    ------
    BrokerError
        If the broker refuses, or a topic exists with another number of
        partitions: then a patient's messages would not meet.
    """
    wanted = {cluster.prefix + topic.name: topic for topic in topics}
    created = []
    with _as_broker_error("creating topics"):
        admin = _open(
            KafkaAdminClient,
            bootstrap_servers=cluster.servers(),
            request_timeout_ms=REQUEST_TIMEOUT_MS,
        )
        try:
            missing = set(wanted) - set(admin.list_topics())
            if missing:
                answer = admin.create_topics(
                    {
                        name: {
                            "num_partitions": partitions,
                            "replication_factor": replication,
                            "configs": wanted[name].configs(),
                        }
                        for name in sorted(missing)
                    },
                    raise_errors=False,
                )
                for one in answer["topics"]:
                    error = for_code(one["error_code"])
                    if one["error_code"] == 0:
                        created.append(wanted[one["name"]].name)
                    elif error is not TopicAlreadyExistsError:
                        raise BrokerError(
                            f"the broker does not create topic {one['name']} with {partitions} "
                            f"partitions and replication {replication}: {error.__name__}: "
                            f"{one.get('error_message') or ''}"
                        )
            admin.wait_for_topics(sorted(wanted))
            found = {
                one["name"]: len(one["partitions"]) for one in admin.describe_topics(sorted(wanted))
            }
        finally:
            admin.close()
    wrong = {name: count for name, count in sorted(found.items()) if count != partitions}
    if wrong:
        names = ", ".join(f"{name} has {count}" for name, count in wrong.items())
        raise BrokerError(
            f"every topic must have {partitions} partitions, but {names}; "
            "use that number, another prefix, or delete the topics"
        )
    return created


class Producer:
    """Sends messages: idempotent, acknowledged by all replicas, every outcome checked.

    Parameters
    ----------
    cluster : Cluster
        Where to.
    linger_ms : int
        How long a message may wait for company, in ms.

    Raises
    ------
    BrokerError
        If no broker answers.
    """

    def __init__(self, cluster: Cluster, *, linger_ms: int = 0) -> None:
        self._cluster = cluster
        self._linger_ms = linger_ms
        self._client: Any = None
        self._sent: list[Any] = []
        self._partitions: dict[str, int] = {}
        self._connect()

    def _connect(self) -> None:
        with _as_broker_error(f"connecting a producer to {self._cluster.bootstrap}"):
            self._client = _open(
                KafkaProducer,
                bootstrap_servers=self._cluster.servers(),
                bootstrap_timeout_ms=REQUEST_TIMEOUT_MS,
                acks="all",
                enable_idempotence=True,
                linger_ms=self._linger_ms,
                batch_size=128 * 1024,
                request_timeout_ms=REQUEST_TIMEOUT_MS,
                delivery_timeout_ms=DELIVERY_TIMEOUT_MS,
                max_block_ms=DELIVERY_TIMEOUT_MS,
                reconnect_backoff_max_ms=1000,
                allow_auto_create_topics=False,
                metrics_enabled=False,
            )

    def partitions(self, topic: str) -> int:
        """Return how many partitions a topic has.

        Raises
        ------
        BrokerError
            If there is no such topic, or the broker is away.
        """
        known = self._partitions.get(topic)
        if known is None:
            if self._client is None:
                self._connect()
            with _as_broker_error(f"looking up topic {topic}"):
                known = len(self._client.partitions_for(self._cluster.prefix + topic))
            self._partitions[topic] = known
        return known

    def send(
        self,
        topic: str,
        key: str | None,
        value: bytes | None,
        *,
        partition: int | None = None,
        headers: Sequence[tuple[str, bytes]] = (),
        timestamp_ms: int | None = None,
    ) -> None:
        """Hand a message over for sending; ``flush`` says whether it arrived.

        Parameters
        ----------
        topic : str
            Where to.
        key : str or None
            The patient; decides the partition.
        value : bytes or None
            None deletes the key from a compacted topic.
        partition : int, optional
            Overrules the key.
        headers : sequence of (str, bytes)
            Kafka headers.
        timestamp_ms : int, optional
            Time of the message, in ms UTC; now without it.

        Raises
        ------
        BrokerError
            If the message cannot be taken, or too many before it have failed.
        ValueError
            If neither key nor partition says where the message belongs.
        """
        if partition is None:
            if key is None:
                raise ValueError("a message needs a key or a partition, got neither")
            partition = partition_for(key, self.partitions(topic))
        if self._client is None:
            self._connect()
        if len(self._sent) >= MAX_UNCONFIRMED:
            self._settle()
        try:
            with _as_broker_error(f"sending to {topic}[{partition}]"):
                self._sent.append(
                    self._client.send(
                        self._cluster.prefix + topic,
                        value=value,
                        key=None if key is None else key.encode(),
                        partition=partition,
                        headers=list(headers),
                        timestamp_ms=timestamp_ms,
                    )
                )
        except BrokerError:
            self._drop()
            raise

    def flush(self) -> dict[Place, int]:
        """Wait until everything sent so far is acknowledged.

        Returns
        -------
        dict
            For each topic and partition written since the last flush, the
            offset after the last message written.

        Raises
        ------
        BrokerError
            If any message was not acknowledged: some since the last flush may
            have arrived and some not. The connection is made anew.
        """
        return self._settle()

    def _settle(self) -> dict[Place, int]:
        ends: dict[Place, int] = {}
        if not self._sent:
            return ends
        start = len(self._cluster.prefix)
        try:
            with _as_broker_error(f"{len(self._sent)} messages were sent but not all acknowledged"):
                self._client.flush(timeout=DELIVERY_TIMEOUT_MS / 1000 + 1)
                # flush does not raise for a failed send: only its own future tells
                for sent in self._sent:
                    done = sent.get(timeout=0.1)
                    place = (done.topic[start:], done.partition)
                    ends[place] = max(ends.get(place, 0), done.offset + 1)
        except BrokerError:
            self._drop()
            raise
        self._sent.clear()
        return ends

    def _drop(self) -> None:
        """Throw the client away: one that was refused or timed out must not be used again."""
        client, self._client = self._client, None
        self._sent.clear()
        self._partitions.clear()
        if client is not None:
            # close() flushes first, and where that times out it leaves the client's thread
            # running: it would go on sending what has been given up
            client._sender.force_close()
            client._sender.join(_LAST_REQUEST_S)
            with contextlib.suppress(KafkaError, OSError):
                client.close(timeout=0)

    def close(self) -> None:
        """Give up what is unconfirmed and disconnect; call ``flush`` first to know."""
        if self._client is not None and not self._sent:
            client, self._client = self._client, None
            with contextlib.suppress(KafkaError, OSError):
                client.close(timeout=2.0)
        self._drop()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Flush if all went well, and close in any case."""
        try:
            if kind is None:
                self.flush()
        finally:
            self.close()


class _Client:
    """What the two kinds of consumers have in common."""

    def __init__(self, cluster: Cluster, **config: Any) -> None:
        self._cluster = cluster
        with _as_broker_error(f"connecting a consumer to {cluster.bootstrap}"):
            self._consumer = _open(
                KafkaConsumer,
                bootstrap_servers=cluster.servers(),
                bootstrap_timeout_ms=REQUEST_TIMEOUT_MS,
                request_timeout_ms=REQUEST_TIMEOUT_MS,
                reconnect_backoff_max_ms=1000,
                fetch_max_wait_ms=FETCH_WAIT_MS,
                enable_auto_commit=False,
                allow_auto_create_topics=False,
                auto_offset_reset="earliest",
                metrics_enabled=False,
                **config,
            )

    def _tp(self, topic: str, partition: int) -> Any:
        return TopicPartition(self._cluster.prefix + topic, partition)

    def _place(self, tp: Any) -> Place:
        return (tp.topic[len(self._cluster.prefix) :], tp.partition)

    def _incoming(self, message: Any) -> Incoming:
        return Incoming(
            topic=message.topic[len(self._cluster.prefix) :],
            partition=message.partition,
            offset=message.offset,
            # a key that is not text is nobody's; it must not stop the others
            key=None if message.key is None else message.key.decode(errors="replace"),
            value=None if message.value is None else bytes(message.value),
            headers=tuple((name, bytes(value or b"")) for name, value in message.headers or ()),
            timestamp_ms=message.timestamp,
        )

    def partitions(self, topic: str) -> int:
        """Return how many partitions a topic has; BrokerError if it is not there."""
        with _as_broker_error(f"looking up topic {topic}"):
            found = self._consumer.partitions_for_topic(self._cluster.prefix + topic)
        if not found:
            raise BrokerError(
                f"there is no topic {self._cluster.prefix + topic} at {self._cluster.bootstrap}; "
                "create the topics first: rhythmwatch topics"
            )
        return len(found)

    def beginnings(self, places: Iterable[Place]) -> dict[Place, int]:
        """Return the offset of the oldest message kept at each place."""
        with _as_broker_error("looking up first offsets"):
            found = self._consumer.beginning_offsets([self._tp(*place) for place in places])
        return {self._place(tp): offset for tp, offset in found.items()}

    def offsets_at(self, places: Iterable[Place], timestamp_ms: int) -> dict[Place, int]:
        """Return the offset of the first message at or after a time, else of the next one.

        The embedded broker knows no times: there it is the oldest message's.
        """
        tps = [self._tp(*place) for place in places]
        with _as_broker_error("looking up offsets by time"):
            found = self._consumer.offsets_for_times(dict.fromkeys(tps, max(0, timestamp_ms)))
            missing = [tp for tp in tps if found.get(tp) is None or found[tp].offset < 0]
            at = self._consumer.end_offsets(missing) if missing else {}
        return {self._place(tp): at[tp] if tp in at else found[tp].offset for tp in tps}

    def close(self) -> None:
        """Disconnect; a group member leaves its group."""
        with contextlib.suppress(KafkaError, OSError):
            self._consumer.close(autocommit=False, timeout_ms=2000)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close."""
        self.close()


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


class Consumer(_Client):
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
            session_timeout_ms=SESSION_TIMEOUT_MS,
            heartbeat_interval_ms=HEARTBEAT_INTERVAL_MS,
            max_poll_interval_ms=MAX_POLL_INTERVAL_MS,
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
            with _as_broker_error(f"subscribing to {', '.join(topics)}"):
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
        with _as_broker_error("polling"):
            group = self._consumer._coordinator
            if group.need_rejoin() or self._consumer.group_metadata().state != _STABLE:
                # not by a longer poll, which would not end when the join does
                group.poll(timeout_ms=JOIN_MS)
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
        if waited > WEDGED_AFTER_S:
            raise BrokerError(f"the consumer group has not settled for {waited:.0f} s ({state})")
        if waited > REJOIN_AFTER_S and not self._asked_again:
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
        with _as_broker_error(f"starting partition {partition}"):
            try:
                for tp in tps:
                    self._consumer.seek(tp, self._next[self._place(tp)])
                self._consumer.resume(*tps)
            except (ValueError, IllegalStateError) as error:
                # the next poll will say that the partition is gone again
                logger.info("partition %d left before it was started: %s", partition, error)

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
        with _as_broker_error("looking up committed offsets"):
            for place in places:
                offset = self._consumer.committed(
                    self._tp(*place), timeout_ms=2 * REQUEST_TIMEOUT_MS
                )
                if offset is not None and offset >= 0:
                    found[place] = int(offset)
        return found

    def notes(self, places: Iterable[Place]) -> dict[Place, str]:
        """Return the notes that were committed with the offsets; those without are absent."""
        found = {}
        with _as_broker_error("looking up committed offsets"):
            for place in places:
                committed = self._consumer.committed(
                    self._tp(*place), metadata=True, timeout_ms=2 * REQUEST_TIMEOUT_MS
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
        with _as_broker_error("committing offsets"):
            try:
                self._consumer.commit(
                    {
                        self._tp(*place): OffsetAndMetadata(
                            offset, (notes or {}).get(place, ""), -1
                        )
                        for place, offset in offsets.items()
                    },
                    timeout_ms=2 * REQUEST_TIMEOUT_MS,
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


class Reader(_Client):
    """Follows partitions on its own, without a group: for views, state and tails.

    Parameters
    ----------
    cluster : Cluster
        Where from.
    topics : sequence of str
        What it follows.
    partitions : iterable of int, optional
        Which partitions of them; all without it.
    start : {"earliest", "latest"} or int
        Where to begin; an int is a time in ms UTC.
    offsets : mapping, optional
        Overrules ``start`` for a topic and partition.

    Raises
    ------
    BrokerError
        If the broker is away or a topic is missing.
    """

    def __init__(
        self,
        cluster: Cluster,
        topics: Sequence[str],
        *,
        partitions: Iterable[int] | None = None,
        start: Literal["earliest", "latest"] | int = "earliest",
        offsets: Mapping[Place, int] | None = None,
    ) -> None:
        super().__init__(cluster)
        self._next: dict[Place, int] = {}
        try:
            chosen = None if partitions is None else sorted(set(partitions))
            self._places = [
                (topic, partition)
                for topic in topics
                for partition in (range(self.partitions(topic)) if chosen is None else chosen)
            ]
            with _as_broker_error("following partitions"):
                self._consumer.assign([self._tp(*place) for place in self._places])
            first = self.beginnings(self._places)
            self._ends = self._look_up_ends(first)
            self._from_ms: dict[Place, int] = {}
            at = dict(self._ends if start == "latest" else first)
            if isinstance(start, int):
                at = self.offsets_at(self._places, start)
                self._from_ms = dict.fromkeys(self._places, start)
            for place, offset in (offsets or {}).items():
                at[place] = min(max(offset, first[place]), self._ends[place])
                self._from_ms.pop(place, None)
            self.seek(at)
        except BrokerError:
            self.close()
            raise

    def _look_up_ends(self, first: Mapping[Place, int]) -> dict[Place, int]:
        """Return the offset that the next message at each place will get.

        The embedded broker counts its last batch as one message when it is asked
        for the end; with the messages themselves comes the right number.
        """
        with _as_broker_error("looking up last offsets"):
            found = self._consumer.end_offsets([self._tp(*place) for place in self._places])
            ends = {self._place(tp): offset for tp, offset in found.items()}
            unknown = {place for place, end in ends.items() if end > first[place]}
            self.seek({place: max(end - 1, 0) for place, end in ends.items()})
            deadline = time.monotonic() + REQUEST_TIMEOUT_MS / 1000
            while unknown and time.monotonic() < deadline:
                self._consumer.poll(timeout_ms=FETCH_WAIT_MS)
                for place in list(unknown):
                    end = self._consumer.highwater(self._tp(*place))
                    if end is not None:
                        ends[place] = max(ends[place], end)
                        unknown.discard(place)
        return ends

    @property
    def places(self) -> list[Place]:
        """The topics and partitions it follows."""
        return list(self._places)

    def poll(self, timeout_s: float = 0.1, *, max_messages: int = 5000) -> list[Incoming]:
        """Return what has come, waiting up to ``timeout_s`` for the first message.

        Raises
        ------
        BrokerError
            If the client reports one.
        """
        with _as_broker_error("reading"):
            batches = self._consumer.poll(
                timeout_ms=max(1, round(timeout_s * 1000)), max_records=max_messages
            )
        messages: list[Incoming] = []
        for tp, batch in batches.items():
            place = self._place(tp)
            self._next[place] = batch[-1].offset + 1
            from_ms = self._from_ms.get(place)
            if from_ms is not None:
                # the embedded broker does not look up times: it begins at its oldest message
                new = [n for n, message in enumerate(batch) if message.timestamp >= from_ms]
                if not new:
                    continue
                del self._from_ms[place]
                batch = batch[new[0] :]
            messages.extend(self._incoming(message) for message in batch)
        return messages

    def caught_up(self) -> bool:
        """Return whether everything that was there when it began has been read.

        Asked of the client's position: counting messages would wait for ever for
        those that compaction has removed.
        """
        if not self._ends:
            return True
        done = []
        with _as_broker_error("looking up positions"):
            for place, end in self._ends.items():
                position = self._consumer.position(self._tp(*place), timeout_ms=REQUEST_TIMEOUT_MS)
                if max(position or 0, self._next[place]) >= end:
                    done.append(place)
        for place in done:
            del self._ends[place]
        return not self._ends

    def read_to_end(self, *, give_up_s: float = 60.0) -> Iterator[Incoming]:
        """Yield everything that was there when the reader began, then stop.

        Raises
        ------
        BrokerError
            If nothing comes for ``give_up_s`` although something is there.
        """
        heard = time.monotonic()
        while not self.caught_up():
            messages = self.poll(0.1)
            if messages:
                heard = time.monotonic()
            elif time.monotonic() - heard > give_up_s:
                raise BrokerError(
                    f"nothing read for {give_up_s:.0f} s, but not at the end of "
                    f"{', '.join(f'{topic}[{p}]' for topic, p in sorted(self._ends))}"
                )
            yield from messages

    def seek(self, offsets: Mapping[Place, int]) -> None:
        """Go on from other offsets."""
        with _as_broker_error("seeking"):
            for place, offset in offsets.items():
                self._consumer.seek(self._tp(*place), offset)
        self._next.update(offsets)

"""Sending messages."""

import contextlib
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

from kafka import KafkaProducer
from kafka.errors import KafkaError

from stream.errors import BrokerError
from stream.kafka import limits
from stream.kafka.batches import Batches
from stream.kafka.client import as_broker_error, open_client
from stream.kafka.cluster import Cluster, Place, partition_for


class Producer:
    """Sends messages: idempotent, acknowledged by all replicas, every outcome checked.

    Parameters
    ----------
    cluster : Cluster
        Where to.
    in_batches : bool
        Messages are sent with the next ``flush``, or when there are many of them: for a
        role that says much at once. Otherwise each is sent as soon as may be.

    Raises
    ------
    BrokerError
        If no broker answers.
    """

    def __init__(self, cluster: Cluster, *, in_batches: bool = False) -> None:
        self._cluster = cluster
        self._in_batches = in_batches
        self._client: Any = None
        self._batches: Batches | None = None
        self._sent: list[Any] = []
        self._partitions: dict[str, int] = {}
        self._connect()

    def _connect(self) -> None:
        with as_broker_error(f"connecting a producer to {self._cluster.bootstrap}"):
            self._client = open_client(
                KafkaProducer,
                bootstrap_servers=self._cluster.servers(),
                bootstrap_timeout_ms=limits.REQUEST_TIMEOUT_MS,
                acks="all",
                enable_idempotence=True,
                batch_size=limits.BATCH_BYTES,
                request_timeout_ms=limits.REQUEST_TIMEOUT_MS,
                delivery_timeout_ms=limits.DELIVERY_TIMEOUT_MS,
                max_block_ms=limits.DELIVERY_TIMEOUT_MS,
                reconnect_backoff_max_ms=1000,
                allow_auto_create_topics=False,
                metrics_enabled=False,
            )
        if self._in_batches:
            self._batches = Batches(self._client, size=limits.BATCH_BYTES)

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
            with as_broker_error(f"looking up topic {topic}"):
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
        if self._batches is not None:
            if not headers and timestamp_ms is None:
                self._write(self._batches, topic, partition, key, value)
                return
            self._batches.hand_over()  # what was said before comes before
        if len(self._sent) >= limits.MAX_UNCONFIRMED:
            self._settle()
        try:
            with as_broker_error(f"sending to {topic}[{partition}]"):
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

    def _write(
        self, batches: Batches, topic: str, partition: int, key: str | None, value: bytes | None
    ) -> None:
        if not 0 <= partition < self.partitions(topic):
            raise BrokerError(
                f"{topic} has {self.partitions(topic)} partitions, a message is for {partition}"
            )
        batches.add(
            self._cluster.prefix + topic,
            partition,
            None if key is None else key.encode(),
            value,
        )

    def hand_over(self) -> None:
        """Let go of what was collected for a batch, without waiting for what becomes of it."""
        if self._batches is not None:
            self._batches.hand_over()
            self._sent += self._batches.outcomes
            self._batches.outcomes.clear()

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
        self.hand_over()
        if not self._sent:
            return ends
        start = len(self._cluster.prefix)
        try:
            with as_broker_error(f"{len(self._sent)} messages were sent but not all acknowledged"):
                self._client.flush(timeout=limits.DELIVERY_TIMEOUT_MS / 1000 + 1)
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
        self._batches = None
        self._sent.clear()
        self._partitions.clear()
        if client is not None:
            # close() flushes first, and where that times out it leaves the client's thread
            # running: it would go on sending what has been given up
            client._sender.force_close()
            client._sender.join(limits.LAST_REQUEST_S)
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

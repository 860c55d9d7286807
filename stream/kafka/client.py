"""What all clients of the library have in common: errors, opening, looking up offsets."""

import contextlib
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Any, Self

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import (
    CommitFailedError,
    IllegalGenerationError,
    KafkaError,
    RebalanceInProgressError,
    UnknownMemberIdError,
)
from kafka.net.compat import KafkaNetClient

from stream.errors import BrokerError, FencedError
from stream.kafka import limits
from stream.kafka.cluster import Cluster, Place
from stream.kafka.records import give_messages


@contextlib.contextmanager
def as_broker_error(doing: str) -> Iterator[None]:
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


def open_client(kind: Any, **config: Any) -> Any:
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


class Client:
    """What the two kinds of consumers have in common."""

    def __init__(self, cluster: Cluster, *, headers: bool, **config: Any) -> None:
        self._cluster = cluster
        with as_broker_error(f"connecting a consumer to {cluster.bootstrap}"):
            self._consumer = open_client(
                KafkaConsumer,
                bootstrap_servers=cluster.servers(),
                bootstrap_timeout_ms=limits.REQUEST_TIMEOUT_MS,
                request_timeout_ms=limits.REQUEST_TIMEOUT_MS,
                reconnect_backoff_max_ms=1000,
                enable_auto_commit=False,
                allow_auto_create_topics=False,
                auto_offset_reset="earliest",
                metrics_enabled=False,
                **config,
            )
        give_messages(self._consumer, prefix=cluster.prefix, headers=headers)

    def _tp(self, topic: str, partition: int) -> Any:
        return TopicPartition(self._cluster.prefix + topic, partition)

    def _place(self, tp: Any) -> Place:
        return (tp.topic[len(self._cluster.prefix) :], tp.partition)

    def partitions(self, topic: str) -> int:
        """Return how many partitions a topic has; BrokerError if it is not there."""
        with as_broker_error(f"looking up topic {topic}"):
            found = self._consumer.partitions_for_topic(self._cluster.prefix + topic)
        if not found:
            raise BrokerError(
                f"there is no topic {self._cluster.prefix + topic} at {self._cluster.bootstrap}; "
                "create the topics first: rhythmwatch topics"
            )
        return len(found)

    def beginnings(self, places: Iterable[Place]) -> dict[Place, int]:
        """Return the offset of the oldest message kept at each place."""
        with as_broker_error("looking up first offsets"):
            found = self._consumer.beginning_offsets([self._tp(*place) for place in places])
        return {self._place(tp): offset for tp, offset in found.items()}

    def ends(self, places: Iterable[Place]) -> dict[Place, int]:
        """Return the offset that the next message at each place will get.

        Of its last batch the embedded broker counts one message.
        """
        with as_broker_error("looking up last offsets"):
            found = self._consumer.end_offsets([self._tp(*place) for place in places])
        return {self._place(tp): offset for tp, offset in found.items()}

    def offsets_at(self, places: Iterable[Place], timestamp_ms: int) -> dict[Place, int]:
        """Return the offset of the first message at or after a time, else of the next one.

        The embedded broker knows no times: there it is the oldest message's.
        """
        tps = [self._tp(*place) for place in places]
        with as_broker_error("looking up offsets by time"):
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

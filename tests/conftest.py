"""Fixtures that several packages' tests share: brokers, and clusters with topics of their own."""

import uuid
from collections.abc import Callable, Iterator

import pytest

from stream.broker import EmbeddedBroker
from stream.kafka import Cluster, create_topics
from stream.topics import TOPICS
from tests import need
from tests.kafka_server import KafkaServer

MakeCluster = Callable[[], Cluster]


@pytest.fixture(scope="session")
def kafka_bootstrap() -> Iterator[str]:
    """Yield the address of Apache Kafka: an existing cluster, or one started for the session."""
    existing = need.kafka()
    if existing:
        yield existing
        return
    with KafkaServer() as server:
        yield server.cluster.bootstrap


@pytest.fixture(scope="session")
def embedded_bootstrap() -> Iterator[str]:
    """Yield the address of an embedded broker of the session."""
    with EmbeddedBroker() as broker:
        yield broker.cluster.bootstrap


def _fresh(bootstrap: str, partitions: int = 4) -> Cluster:
    cluster = Cluster(bootstrap, prefix=f"test-{uuid.uuid4().hex[:8]}.")
    create_topics(cluster, TOPICS, partitions=partitions)
    return cluster


@pytest.fixture
def cluster(kafka_bootstrap: str) -> Cluster:
    """Return a cluster on Apache Kafka with topics that no other test has, 4 partitions each."""
    return _fresh(kafka_bootstrap)


@pytest.fixture
def embedded(embedded_bootstrap: str) -> Cluster:
    """Return the same on the embedded broker: quick, for what needs no guarantees."""
    return _fresh(embedded_bootstrap)


@pytest.fixture(params=["embedded", "kafka"])
def any_cluster(request: pytest.FixtureRequest) -> Cluster:
    """Return one after the other on both brokers: the transport contract."""
    if request.param == "kafka":
        return _fresh(request.getfixturevalue("kafka_bootstrap"))
    return _fresh(request.getfixturevalue("embedded_bootstrap"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs Apache Kafka."""
    for item in items:
        names = getattr(item, "fixturenames", ())
        if "cluster" in names or "kafka_bootstrap" in names or "[kafka]" in item.name:
            item.add_marker(pytest.mark.kafka)

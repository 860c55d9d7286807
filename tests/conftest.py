"""What all tests share: brokers, clusters with topics of their own, and a floor on their number."""

import os
import uuid
from collections.abc import Callable, Iterator

import pytest
import torch

from benchmarks.apache.server import KafkaServer
from stream.broker import EmbeddedBroker
from stream.kafka import Cluster, create_topics
from stream.topics import TOPICS
from tests import need

FLOOR = 850
"""At least so many tests there are; fewer found means that some are no longer looked at."""

# small LSTMs are slower on two threads, and on a busy machine a thousand times
torch.set_num_threads(1)

_found = 0

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


def pytest_itemcollected(item: pytest.Item) -> None:
    """Count what is found, also what is deselected later."""
    global _found
    _found += 1


def pytest_collection_finish(session: pytest.Session) -> None:
    """Refuse to pass for the whole suite with tests missing, where everything must be there."""
    whole = session.config.args_source is pytest.Config.ArgsSource.TESTPATHS
    if os.environ.get("CI") == "true" and whole and _found < FLOOR:
        raise pytest.UsageError(f"only {_found} tests were found, and there are at least {FLOOR}")

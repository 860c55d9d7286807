"""What every broker must do for us: the embedded one and Apache Kafka."""

import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest
from kafka import KafkaAdminClient

from benchmarks.apache.server import jars
from stream.errors import BrokerError
from stream.kafka import (
    Cluster,
    Consumer,
    Producer,
    Reader,
    create_topics,
    partition_for,
)
from stream.topics import TOPICS, WAVEFORMS, Topic
from tests.integration.filled import PARTITIONS, A, W, fill


def test_topics_are_created_once(any_cluster: Cluster) -> None:
    assert create_topics(any_cluster, TOPICS, partitions=PARTITIONS) == []
    new = Topic(name=f"ecg.new-{uuid.uuid4().hex[:8]}", compacted=True)
    assert create_topics(any_cluster, [*TOPICS, new], partitions=PARTITIONS) == [new.name]


def test_topics_with_other_partitions_are_refused(any_cluster: Cluster) -> None:
    with pytest.raises(BrokerError, match=r"must have 5 partitions, but .*waveforms has 4"):
        create_topics(any_cluster, TOPICS, partitions=5)


COMPRESSES = """
import java.util.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.serialization.StringSerializer;

public class Compresses {
    public static void main(String[] with) throws Exception {
        for (String codec : List.of("none", "gzip", "snappy", "lz4", "zstd")) {
            var how = new Properties();
            how.put("bootstrap.servers", with[0]);
            how.put("compression.type", codec);
            var text = new StringSerializer();
            try (var producer = new KafkaProducer<String, String>(how, text, text)) {
                producer.send(new ProducerRecord<>(with[1], 0, codec, codec.repeat(200))).get();
            }
        }
    }
}
"""


def compress(cluster: Cluster, topic: str, folder: Path) -> None:
    """Send a message by each codec that Kafka has, with its own client."""
    program = folder / "Compresses.java"
    program.write_text(COMPRESSES, encoding="ascii")
    subprocess.run(
        ["java", "-cp", f"{jars()}/*", str(program), cluster.bootstrap, cluster.prefix + topic],
        check=True,
        timeout=60,
        capture_output=True,
    )


@pytest.mark.parametrize("topic", [W, "ecg.score-state"])
def test_what_a_source_compresses_is_read(cluster: Cluster, topic: str, tmp_path: Path) -> None:
    compress(cluster, topic, tmp_path)
    with Reader(cluster, [topic]) as reader:
        found = {message.key: message.value for message in reader.read_to_end()}
    codecs = ("none", "gzip", "snappy", "lz4", "zstd")
    assert found == {codec: codec.encode() * 200 for codec in codecs}


def test_broker_unpacks_for_topics_that_are_there_already(
    kafka_bootstrap: str, tmp_path: Path
) -> None:
    cluster = Cluster(kafka_bootstrap, prefix=f"test-{uuid.uuid4().hex[:8]}.")
    admin = KafkaAdminClient(bootstrap_servers=cluster.servers())
    admin.create_topics(
        {cluster.prefix + W: {"num_partitions": PARTITIONS, "replication_factor": 1}}
    )
    admin.wait_for_topics([cluster.prefix + W])
    admin.close()
    assert create_topics(cluster, [WAVEFORMS], partitions=PARTITIONS) == []
    compress(cluster, W, tmp_path)
    with Reader(cluster, [W]) as reader:
        assert len(list(reader.read_to_end())) == 5


def test_order_of_a_key_is_kept_and_its_partition_is_ours(any_cluster: Cluster) -> None:
    fill(any_cluster)
    with Reader(any_cluster, [W]) as reader:
        messages = list(reader.read_to_end())
    assert len(messages) == 100
    for patient in range(10):
        own = [message for message in messages if message.key == f"p{patient}"]
        assert [m.value for m in own] == [f"{patient}:{n}".encode() for n in range(10)]
        assert {m.partition for m in own} == {partition_for(f"p{patient}", PARTITIONS)}


def test_partition_of_a_key_is_the_same_in_another_process() -> None:
    keys = [f"patient-{n}" for n in range(50)]
    program = (
        "import sys; from stream.kafka import partition_for; "
        "print([partition_for(key, 8) for key in sys.argv[1:]])"
    )
    said = subprocess.run(
        [sys.executable, "-c", program, *keys], capture_output=True, text=True, check=True
    ).stdout
    assert said.strip() == str([partition_for(key, 8) for key in keys])


def test_headers_timestamps_and_tombstones_come_through(any_cluster: Cluster) -> None:
    with Producer(any_cluster) as producer:
        producer.send(A, "p1", b"x", headers=[("a", b"1"), ("b", b"")], timestamp_ms=1234)
        producer.send(A, "p1", None, timestamp_ms=5678)
        ends = producer.flush()
    partition = partition_for("p1", PARTITIONS)
    assert ends == {(A, partition): 2}
    with Reader(any_cluster, [A]) as reader:
        first, second = reader.read_to_end()
    assert first.headers == (("a", b"1"), ("b", b""))
    assert first.header("a") == b"1"
    assert (first.timestamp_ms, second.timestamp_ms) == (1234, 5678)
    assert (first.value, second.value) == (b"x", None)
    assert str(second) == f"{A}[{partition}]@1"


def test_messages_in_batches_come_through_as_they_were_sent(any_cluster: Cluster) -> None:
    sent = [
        (f"p{n % 7}", None if n % 50 == 3 else b"%d" % n * (1 + n % 400), n % PARTITIONS)
        for n in range(2000)
    ]
    with Producer(any_cluster, in_batches=True) as producer:
        for key, value, partition in sent[:1000]:
            producer.send(A, key, value, partition=partition)
        assert producer.flush() == {(A, partition): 250 for partition in range(PARTITIONS)}
        for key, value, partition in sent[1000:]:
            producer.send(A, key, value, partition=partition)
        producer.send(A, "last", b"", partition=0, headers=[("a", b"1")])
        ends = producer.flush()
        assert ends == {(A, partition): 500 + (partition == 0) for partition in range(PARTITIONS)}
        assert producer.flush() == {}
        with pytest.raises(BrokerError, match="4 partitions"):
            producer.send(A, "p1", b"", partition=PARTITIONS)
    found: dict[int, list[tuple[str | None, bytes | None]]] = {p: [] for p in range(PARTITIONS)}
    now_ms = time.time() * 1000
    with Reader(any_cluster, [A]) as reader:
        for message in reader.read_to_end():
            found[message.partition].append((message.key, message.value))
            assert abs(message.timestamp_ms - now_ms) < 60_000
    for partition, messages in found.items():
        mine = [(key, value) for key, value, of in sent if of == partition]
        assert messages == mine + [("last", b"")] * (partition == 0)


def test_reader_starts_where_it_is_told(any_cluster: Cluster) -> None:
    with Producer(any_cluster) as producer:
        for number in range(10):
            producer.send(A, "p1", str(number).encode(), timestamp_ms=1000 * number)
    place = (A, partition_for("p1", PARTITIONS))

    def values(**how: object) -> list[bytes | None]:
        with Reader(any_cluster, [A], **how) as reader:  # type: ignore[arg-type]  # as given
            return [message.value for message in reader.read_to_end()]

    assert len(values()) == 10
    assert values(start="latest") == []
    assert values(start=7000) == [b"7", b"8", b"9"]
    assert values(start=99_000) == []
    assert values(offsets={place: 8}) == [b"8", b"9"]
    with Reader(any_cluster, [A], start="latest") as reader:
        assert reader.caught_up()
        with Producer(any_cluster) as producer:
            producer.send(A, "p1", b"new")
        deadline = time.monotonic() + 10
        while not (messages := reader.poll(0.1)):
            assert time.monotonic() < deadline
        assert messages[0].value == b"new"


def test_sends_to_a_missing_topic_are_refused(any_cluster: Cluster) -> None:
    with pytest.raises(BrokerError):
        Reader(any_cluster, ["ecg.nothing"])
    with pytest.raises(BrokerError, match="create the topics first"):
        Consumer(any_cluster, "g", ["ecg.nothing"])


def test_message_without_key_or_partition_is_refused(any_cluster: Cluster) -> None:
    with Producer(any_cluster) as producer, pytest.raises(ValueError, match="key or a partition"):
        producer.send(W, None, b"x")


def test_message_too_large_is_told_and_the_producer_goes_on(any_cluster: Cluster) -> None:
    with Producer(any_cluster) as producer:
        with pytest.raises(BrokerError):
            producer.send(W, "p1", b"x" * 2_000_000)
        producer.send(W, "p1", b"small")
        assert producer.flush() == {(W, partition_for("p1", PARTITIONS)): 1}

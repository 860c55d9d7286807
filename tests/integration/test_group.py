"""What a consumer group must do for us, on the embedded broker and on Apache Kafka."""

import threading
import time
import uuid

import pytest
from kafka.admin import KafkaAdminClient, NewPartitions

from stream.errors import FencedError
from stream.kafka import (
    Cluster,
    Consumer,
    Incoming,
    Polled,
    Producer,
    Reader,
    partition_for,
)
from tests.integration.filled import PARTITIONS, A, W, fill


def members_poll(
    *members: Consumer, until: list[set[int]], give_up_s: float = 30.0
) -> list[list[Polled]]:
    """Poll, each member in a thread of its own, until they own these partitions."""
    got: list[list[Polled]] = [[] for _ in members]
    done = threading.Event()
    failed: list[BaseException] = []

    def poll(number: int, member: Consumer) -> None:
        try:
            while not done.is_set():
                got[number].append(member.poll(0.02))
        except BaseException as error:
            failed.append(error)
            raise

    threads = [threading.Thread(target=poll, args=one) for one in enumerate(members)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + give_up_s
    wanted = sorted(map(sorted, until))
    while sorted(sorted(member.owned) for member in members) != wanted:
        if failed or time.monotonic() > deadline:
            break
        time.sleep(0.01)
    done.set()
    for thread in threads:
        thread.join()
    assert sorted(sorted(member.owned) for member in members) == wanted
    return got


def poll_for(member: Consumer, n: int, *, give_up_s: float = 20.0) -> list[Incoming]:
    """Poll until n messages have come."""
    messages: list[Incoming] = []
    deadline = time.monotonic() + give_up_s
    while len(messages) < n:
        assert time.monotonic() < deadline, f"{len(messages)} of {n}"
        messages.extend(member.poll(0.05).messages)
    return messages


@pytest.fixture
def group() -> str:
    return f"group-{uuid.uuid4().hex[:8]}"


@pytest.fixture(autouse=True)
def _quick_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stream.kafka.limits.SESSION_TIMEOUT_MS", 1500)
    monkeypatch.setattr("stream.kafka.limits.HEARTBEAT_INTERVAL_MS", 100)


def test_group_goes_on_after_the_last_commit(any_cluster: Cluster, group: str) -> None:
    fill(any_cluster)
    with Consumer(any_cluster, group, [W]) as consumer:
        assert len(poll_for(consumer, 100)) == 100
        consumer.commit_done()
        with Producer(any_cluster) as producer:
            for partition in range(PARTITIONS):
                producer.send(W, None, b"next", partition=partition)
            ends = producer.flush()
        committed = consumer.committed(ends)
        assert sum(committed.values()) == 100
        assert committed.items() <= {place: end - 1 for place, end in ends.items()}.items()
    with Consumer(any_cluster, group, [W]) as consumer:
        assert [message.value for message in poll_for(consumer, PARTITIONS)] == [b"next"] * 4


def test_commit_takes_topics_not_followed(any_cluster: Cluster, group: str) -> None:
    with Consumer(any_cluster, group, [W]) as consumer:
        members_poll(consumer, until=[{0, 1, 2, 3}])
        consumer.commit({(W, 0): 0, ("ecg.findings", 2): 7})
        places = [("ecg.findings", 2), ("ecg.findings", 1)]
        assert consumer.committed(places) == {("ecg.findings", 2): 7}
        consumer.check_membership()


def test_commit_keeps_a_note(cluster: Cluster, group: str) -> None:
    place = ("ecg.findings", 2)
    with Consumer(cluster, group, [W]) as consumer:
        members_poll(consumer, until=[{0, 1, 2, 3}])
        consumer.commit({place: 7}, {place: "epoch 3"})
        assert consumer.notes([place, (W, 0)]) == {place: "epoch 3"}


def test_held_partition_gives_nothing_until_started(any_cluster: Cluster, group: str) -> None:
    fill(any_cluster)
    fill(any_cluster, A, each=1)
    partition = partition_for("p0", PARTITIONS)
    with Consumer(any_cluster, group, [W, A], held=True) as consumer:
        polled = Polled()
        deadline = time.monotonic() + 20
        while not polled.assigned:
            polled = consumer.poll(0.05)
            assert time.monotonic() < deadline
        assert polled.assigned == {0, 1, 2, 3}
        for _ in range(5):
            assert not consumer.poll(0.05).messages
        with Reader(any_cluster, [W, A], partitions=[partition]) as reader:
            there = list(reader.read_to_end())
        wanted = {str(message) for message in there if message.topic == A or message.offset >= 5}
        consumer.start(partition, {W: 5})
        got: set[str] = set()
        deadline = time.monotonic() + 40
        while got != wanted:
            assert time.monotonic() < deadline, wanted - got
            polled = consumer.poll(0.05)
            got |= {str(message) for message in polled.messages}
            assert got <= wanted
            if partition in polled.assigned:  # a busy machine: the group has changed meanwhile
                consumer.start(partition, {W: 5})


def test_partitions_are_shared_and_taken_back_when_a_member_leaves(
    any_cluster: Cluster, group: str
) -> None:
    with Consumer(any_cluster, group, [W, A]) as first:
        members_poll(first, until=[{0, 1, 2, 3}])
        with Consumer(any_cluster, group, [W, A]) as second:
            members_poll(first, second, until=[{0, 1}, {2, 3}])
            fill(any_cluster)
            deadline = time.monotonic() + 20
            got: list[Incoming] = []
            while len(got) < 100:
                got.extend([*first.poll(0.02).messages, *second.poll(0.02).messages])
                assert time.monotonic() < deadline, len(got)
            assert len({str(message) for message in got}) == 100
            second.commit_done()
        members_poll(first, until=[{0, 1, 2, 3}])


def test_a_member_joins_once(any_cluster: Cluster, group: str) -> None:
    with Consumer(any_cluster, group, [W, A]) as member:
        members_poll(member, until=[{0, 1, 2, 3}])
        first = member.generation
        assert not any(member.poll(0.02).assigned for _ in range(100))
        assert member.generation == first


def test_a_join_that_outlives_its_poll_is_taken_over(cluster: Cluster, group: str) -> None:
    with Consumer(cluster, group, [W]) as member:
        members_poll(member, until=[{0, 1, 2, 3}])
        client = member._consumer
        admin = KafkaAdminClient(bootstrap_servers=cluster.bootstrap)
        name, deadline = cluster.prefix + W, time.monotonic() + 5
        admin.create_partitions({name: NewPartitions(PARTITIONS + 1)})
        admin.close()
        while len(client.partitions_for_topic(name)) == PARTITIONS and time.monotonic() < deadline:
            client.topics()
        client.poll(timeout_ms=1)  # begins the join
        time.sleep(0.3)  # in which it ends
        while len(member.owned) == PARTITIONS and time.monotonic() < deadline:
            member.poll(0.02)
        assert sorted(member.owned) == [0, 1, 2, 3, 4]


def test_kept_partition_goes_on_without_being_mentioned(cluster: Cluster, group: str) -> None:
    fill(cluster)
    assert any(_is_kept(cluster, f"{group}-{k}") for k in range(5))


def _is_kept(cluster: Cluster, group: str) -> bool:
    """Let a second member come; False if it took the group more than one step.

    The client may join twice where once would do. Where the first member has not seen the step in
    between, nobody can say who had a partition in it, and none counts as kept.
    """
    with Consumer(cluster, group, [W]) as first:
        poll_for(first, 100)  # not committed: a partition that stays must not start again
        assert first.owned == {0, 1, 2, 3}
        before = first.generation
        with Consumer(cluster, group, [W]) as second:
            changes, _ = members_poll(first, second, until=[{0, 1}, {2, 3}])
            if first.generation != before + 1:
                return False
            kept = set(first.owned)
            assert set().union(*(polled.revoked for polled in changes)) == {0, 1, 2, 3} - kept
            assert not any(polled.assigned & kept for polled in changes)
            assert not any(m.partition in kept for polled in changes for m in polled.messages)
            return True


def test_commit_of_a_member_that_was_left_behind_is_refused(cluster: Cluster, group: str) -> None:
    with Consumer(cluster, group, [W]) as paused:
        members_poll(paused, until=[{0, 1, 2, 3}])
        paused._consumer._coordinator._disable_heartbeat()  # as if the process were stopped
        with Consumer(cluster, group, [W]) as other:
            members_poll(other, until=[{0, 1, 2, 3}])
            with pytest.raises(FencedError):
                paused.commit({(W, 0): 1})
            with pytest.raises(FencedError):
                paused.check_membership()

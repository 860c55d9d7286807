"""Messages written into batches for the client: what it sends, and what is said of it."""

from types import SimpleNamespace
from typing import Any

import pytest
from kafka import TopicPartition
from kafka.errors import MessageSizeTooLargeError
from kafka.producer.record_accumulator import RecordAccumulator
from kafka.record.memory_records import MemoryRecords

from stream.kafka import Incoming
from stream.kafka.batches import Batches
from stream.kafka.limits import BATCH_BYTES
from stream.kafka.records import Records

TOPIC = "x.ecg.findings"
PLACE = TopicPartition(TOPIC, 3)


class Client:
    """The parts of the client that batches are given to."""

    def __init__(self) -> None:
        self._accumulator = RecordAccumulator()
        self._sender = SimpleNamespace(wakeup=lambda: None)

    def taken(self) -> list[Any]:
        batches = list(self._accumulator._batches[PLACE])
        for batch in batches:
            batch.records.close()
        return batches


def read(batch: Any) -> list[Incoming]:
    records = Records(
        0,
        PLACE,
        MemoryRecords(bytes(batch.records.buffer())),
        check_crcs=True,
        topic="ecg.findings",
        headers=True,
    )
    found: list[Incoming] = records.take()
    return found


def test_batches_hold_what_was_written_and_no_more_than_their_size() -> None:
    client = Client()
    batches = Batches(client, size=4000)
    sent = [
        (b"k" * (n % 90) or None, None if n % 9 == 0 else b"v" * (37 * n % 9000)) for n in range(60)
    ]
    for key, value in sent:
        batches.add(TOPIC, 3, key, value)
    batches.hand_over()
    taken = client.taken()
    found = [message for batch in taken for message in read(batch)]
    assert [(m.key, m.value) for m in found] == [
        (None if key is None else key.decode(), value) for key, value in sent
    ]
    assert len(taken) == len(batches.outcomes) > 10
    assert all(batch.records.size_in_bytes() < 4200 or batch.record_count == 1 for batch in taken)
    assert [batch.record_count for batch in taken] == [len(read(batch)) for batch in taken]


def test_messages_that_are_too_much_together_go_one_by_one() -> None:
    client = Client()
    batches = Batches(client, size=BATCH_BYTES)
    for size in (400_000, 700_000):
        batches.add(TOPIC, 3, b"k", b"v" * size)
    batches.hand_over()
    assert [batch.records.size_in_bytes() // 1000 for batch in client.taken()] == [400, 700]


def test_outcome_is_that_of_the_last_message() -> None:
    client = Client()
    batches = Batches(client, size=4000)
    for _ in range(5):
        batches.add(TOPIC, 3, b"k", b"v")
    batches.hand_over()
    (outcome,) = batches.outcomes
    assert not outcome.is_done
    (batch,) = client.taken()
    batch.complete(100, -1)
    assert outcome.get(timeout=0).offset == 104


def test_batch_that_the_broker_refuses_fails_as_a_whole() -> None:
    client = Client()
    batches = Batches(client, size=4000)
    for _ in range(5):
        batches.add(TOPIC, 3, b"k", b"v" * 100)
    batches.hand_over()
    (batch,) = client.taken()
    client._accumulator._batches[PLACE].clear()
    # what the client does where a batch is too large for the broker
    client._accumulator.split_and_reenqueue(batch)
    (outcome,) = batches.outcomes
    with pytest.raises(MessageSizeTooLargeError, match=r"max\.message\.bytes"):
        outcome.get(timeout=0)

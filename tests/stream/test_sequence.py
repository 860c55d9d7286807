"""Messages that the Kafka client passes over are read again."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from stream.kafka import Cluster
from stream.kafka.client import Client

PLACE = ("t", 0)


@dataclass
class Message:
    offset: int


@dataclass
class Library:
    """Stands in for the library's consumer."""

    sought: list[tuple[Any, int]] = field(default_factory=list)

    def seek(self, tp: Any, offset: int) -> None:
        self.sought.append((tp, offset))


@pytest.fixture
def client() -> Client:
    client = Client.__new__(Client)
    client._cluster = Cluster("", prefix="x.")
    client._consumer = Library()
    client._next = {PLACE: 5}
    client._doubted = {}
    client._sparse = set()
    return client


def given(client: Client, *offsets: int) -> list[int]:
    batches = {client._tp(*PLACE): [Message(offset) for offset in offsets]}
    return [message.offset for _, batch in client._in_sequence(batches) for message in batch]


def test_messages_in_sequence_come_through(client: Client) -> None:
    assert given(client, 5, 6) == [5, 6]
    assert given(client, 7) == [7]
    assert client._consumer.sought == []


def test_messages_passed_over_are_read_again(client: Client) -> None:
    assert given(client, 9, 10) == []
    assert client._consumer.sought == [(client._tp(*PLACE), 5)]
    assert given(client, 5, 6, 7, 8, 9, 10) == [5, 6, 7, 8, 9, 10]


def test_messages_passed_over_within_a_batch_are_read_again(client: Client) -> None:
    assert given(client, 5, 6, 9, 10) == [5, 6]
    assert client._consumer.sought == [(client._tp(*PLACE), 7)]
    assert given(client, 7, 8, 9, 10) == [7, 8, 9, 10]


def test_messages_gone_from_the_broker_are_asked_for_once(client: Client) -> None:
    assert given(client, 9) == []
    assert given(client, 9) == [9]
    assert len(client._consumer.sought) == 1
    assert given(client, 20, 30) == [20, 30]


def test_messages_given_before_are_left_out(client: Client) -> None:
    assert given(client, 3, 4, 5) == [5]
    assert given(client, 4, 5) == []

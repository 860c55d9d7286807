"""Many small messages in few batches: one outcome to ask for in place of thousands.

The client takes messages one by one, with locks, a future and a formatted log line
for each: 18 us a message, more than all the rest of what is done for it. A role that
says thousands of things at once has them anyway, so here they are written into
batches first, and the client is given batches.
"""

import time
from dataclasses import dataclass, field
from typing import Any

from kafka import TopicPartition
from kafka.errors import KafkaTimeoutError, MessageSizeTooLargeError
from kafka.producer.future import FutureRecordMetadata
from kafka.producer.producer_batch import ProducerBatch
from kafka.record.memory_records import MemoryRecordsBuilder
from kafka.record.util import encode_varint

_FORMAT = 2
_NOTHING = b"\x01"
"""The length -1: no key, or no value."""


class _Outcome(FutureRecordMetadata):  # type: ignore[misc]  # the client is untyped
    """What became of a whole batch; the offset is that of its last message."""

    def rebind(self, *_: Any) -> None:
        """Fail: the client cuts a batch that is too large, and would tell of one part only."""
        self.failure(
            MessageSizeTooLargeError(
                "the broker does not take a batch of the size that we send; "
                "set the topic's max.message.bytes to its default, 1048588, or more"
            )
        )


@dataclass(slots=True)
class _Open:
    """A batch that is being written."""

    first_ms: int
    body: bytearray = field(default_factory=bytearray)
    n: int = 0
    last_ms: int = 0


class Batches:
    """Writes messages into batches for a client, which sends them.

    Parameters
    ----------
    client : KafkaProducer
        Sends the batches.
    size : int
        Bytes of a batch, but for the few that say what it is; a message that has more is alone
        in its batch.
    """

    def __init__(self, client: Any, *, size: int) -> None:
        self._client = client
        self._size = size
        self._open: dict[tuple[str, int], _Open] = {}
        self.outcomes: list[Any] = []
        """Futures of the batches handed over; whoever asks for them clears them."""

    def add(self, topic: str, partition: int, key: bytes | None, value: bytes | None) -> None:
        """Write a message, to be sent with the next ``hand_over`` at the latest."""
        place = (topic, partition)
        now_ms = time.time_ns() // 1_000_000
        batch = self._open.get(place)
        if batch is not None and len(batch.body) + len(key or b"") + len(value or b"") > self._size:
            # two messages that fit alone may together be more than a broker takes
            self._give(TopicPartition(*place), self._open.pop(place))
            batch = None
        if batch is None:
            batch = self._open[place] = _Open(first_ms=now_ms)
        body = b"".join(
            (
                b"\x00",
                _varint(now_ms - batch.first_ms),
                _varint(batch.n),
                _NOTHING if key is None else _varint(len(key)) + key,
                _NOTHING if value is None else _varint(len(value)) + value,
                b"\x00",  # no headers
            )
        )
        batch.body += _varint(len(body))
        batch.body += body
        batch.n += 1
        batch.last_ms = max(batch.last_ms, now_ms)

    def hand_over(self) -> None:
        """Give the client all that has been written."""
        batches, self._open = self._open, {}
        for place, batch in batches.items():
            self._give(TopicPartition(*place), batch)

    def _give(self, place: Any, written: _Open) -> None:
        records = MemoryRecordsBuilder(_FORMAT, 0, len(written.body))
        builder = records._builder
        builder._buffer += written.body
        builder._num_records = written.n
        builder._last_offset = written.n - 1
        builder._first_timestamp = written.first_ms
        builder._max_timestamp = written.last_ms
        records.skip(written.n)
        batch = ProducerBatch(place, records)
        batch.max_record_size = len(written.body)
        outcome = _Outcome(batch.produce_future, written.n - 1, written.last_ms, None, -1, -1, -1)
        batch._record_futures.append(outcome)
        waiting = self._client._accumulator
        with waiting._tp_lock(place):
            if waiting._closed:
                raise KafkaTimeoutError("the producer has been closed")
            waiting._batches[place].append(batch)
            waiting._incomplete.add(batch)
        self._client._sender.wakeup()
        self.outcomes.append(outcome)


def _written(number: int) -> bytes:
    found = bytearray()
    encode_varint(number, found.append)
    return bytes(found)


_VARINTS = tuple(_written(number) for number in range(8192))
"""Lengths as they are written: nearly all are below this, and looked up."""


def _varint(number: int) -> bytes:
    return _VARINTS[number] if 0 <= number < len(_VARINTS) else _written(number)

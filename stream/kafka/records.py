"""From the bytes of a fetch to messages, without the client's objects in between.

The client makes two objects of every message and reads its headers, which none of
our roles looks at: of what it takes to score a waveform that was a third. This
goes over the bytes of a batch once. What is rare (compressed batches, the old
formats) is left to the client's own code.
"""

from collections.abc import Callable, Iterator
from typing import Any

from kafka.consumer.fetcher import Fetcher
from kafka.errors import CorruptRecordError
from kafka.record.util import decode_varint

from stream.kafka.cluster import Incoming

_FORMAT = 2
"""The batch format since Kafka 0.11."""
Read = Callable[[Any], Any]


class Records(Fetcher.PartitionRecords):  # type: ignore[misc]  # the client is untyped
    """What one fetch brought of one partition; gives ``Incoming`` in place of the client's own."""

    def __init__(self, *arguments: Any, topic: str, headers: bool, **how: Any) -> None:
        self._topic = topic
        self._headers = headers
        super().__init__(*arguments, **how)

    def _unpack_records(self, tp: Any, records: Any, *_: Any) -> Iterator[Incoming]:
        """Yield the messages one by one, and note behind each where the next fetch begins."""
        batch = last = records.next_batch()
        while batch is not None:
            last = batch
            if not batch.validate_crc():
                raise CorruptRecordError(
                    f"a batch of {tp.topic}[{tp.partition}] at offset {batch.base_offset} "
                    "does not match its checksum"
                )
            if batch.magic == _FORMAT:
                self.leader_epoch = batch.leader_epoch
            if batch.magic != _FORMAT or not batch.is_control_batch:
                for message in self._messages(batch, tp.partition):
                    self.records_read += 1
                    self.next_fetch_offset = message.offset + 1
                    yield message
            batch = records.next_batch()
        if last is not None and last.magic == _FORMAT:
            # also where compaction has removed the batch's last message
            self.next_fetch_offset = last.next_offset
        self.drain()

    def _messages(self, batch: Any, partition: int) -> Iterator[Incoming]:
        if batch.magic == _FORMAT and not batch.compression_type and not self._headers:
            return plain(batch, self._topic, partition)
        return self._by_the_client(batch, partition)

    def _by_the_client(self, batch: Any, partition: int) -> Iterator[Incoming]:
        for one in batch:
            if not one.validate_crc():
                raise CorruptRecordError(
                    f"a message of {self._topic}[{partition}] at offset {one.offset} "
                    "does not match its checksum"
                )
            yield Incoming(
                topic=self._topic,
                partition=partition,
                offset=one.offset,
                # a key that is not text is nobody's; it must not stop the others
                key=None if one.key is None else one.key.decode(errors="replace"),
                value=None if one.value is None else bytes(one.value),
                headers=tuple((name, bytes(value or b"")) for name, value in one.headers)
                if self._headers
                else (),
                timestamp_ms=one.timestamp,
            )


def plain(batch: Any, topic: str, partition: int) -> Iterator[Incoming]:
    """Yield the messages of an uncompressed batch of format 2, without their headers.

    Raises
    ------
    CorruptRecordError
        If the lengths within the batch contradict each other.
    """
    buffer: bytearray = batch._buffer
    at = batch.HEADER_STRUCT.size
    base, first_ms = batch.base_offset, batch.first_timestamp
    fixed_ms = batch.max_timestamp if batch.timestamp_type == batch.LOG_APPEND_TIME else None
    try:
        for _ in range(batch.records_count):
            length, at = _varint(buffer, at)
            end = at + length
            delta_ms, at = _varint(buffer, at + 1)  # behind the attributes, which say nothing
            delta = buffer[at]
            if delta & 0x80:
                delta, at = decode_varint(buffer, at)
            else:
                delta >>= 1
                at += 1
            size, at = _varint(buffer, at)
            key = None
            if size >= 0:
                # a key that is not text is nobody's; it must not stop the others
                key = buffer[at : at + size].decode(errors="replace")
                at += size
            size, at = _varint(buffer, at)
            value = None
            if size >= 0:
                value = bytes(memoryview(buffer)[at : at + size])
                at += size
            if at >= end or end > len(buffer):
                raise CorruptRecordError(f"a message of {length} bytes in {topic}[{partition}]")
            at = end
            yield Incoming(
                topic,
                partition,
                base + delta,
                key,
                value,
                (),
                first_ms + delta_ms if fixed_ms is None else fixed_ms,
            )
    except (ValueError, IndexError) as error:
        raise CorruptRecordError(f"a batch of {topic}[{partition}]: {error!r}") from error


def _varint(buffer: bytearray, at: int) -> tuple[int, int]:
    """Return a number written in one or two bytes at once, others by the client's code."""
    low = buffer[at]
    if low < 0x80:
        return (low >> 1) ^ -(low & 1), at + 1
    high = buffer[at + 1]
    if high < 0x80:
        low = (low & 0x7F) | (high << 7)
        return (low >> 1) ^ -(low & 1), at + 2
    number: tuple[int, int] = decode_varint(buffer, at)
    return number


def give_messages(consumer: Any, *, prefix: str, headers: bool) -> None:
    """Make a client's consumer give ``Incoming``; it has no public way to ask for this.

    Parameters
    ----------
    consumer : KafkaConsumer
        One that has read nothing yet.
    prefix : str
        The cluster's, which our names are without.
    headers : bool
        Read the messages' headers as well.
    """

    def records(fetch_offset: int, tp: Any, *arguments: Any, **how: Any) -> Records:
        topic = tp.topic[len(prefix) :]
        return Records(fetch_offset, tp, *arguments, topic=topic, headers=headers, **how)

    consumer._fetcher.PartitionRecords = records

"""Messages from the bytes of a fetch: the same as the client's own code gives."""

from collections.abc import Sequence
from typing import Any

import pytest
from kafka import TopicPartition
from kafka.consumer.fetcher import Fetcher
from kafka.errors import CorruptRecordError
from kafka.record.memory_records import MemoryRecords, MemoryRecordsBuilder

from stream.kafka import Incoming
from stream.kafka.records import Records

PLACE = TopicPartition("x.ecg.findings", 3)
Sent = tuple[int | None, bytes | None, bytes | None, list[tuple[str, bytes]]]

SENT: Sequence[Sent] = [
    (1_700_000_000_000, b"p1", b"some", []),
    (1_700_000_000_005, b"p2", b"", [("patient", b"p2")]),
    (1_699_999_999_000, b"p3", None, []),  # dated before the first: a negative difference
    (1_700_000_900_000, None, b"x" * 63, []),  # lengths that just need another byte
    (1_700_000_900_000, b"k" * 64, b"x" * 64, []),
    (1_700_000_900_000, b"\xff\xfe", b"x" * 9000, [("a", b""), ("b", b"y" * 300)]),
]


def batch(sent: Sequence[Sent], *, offset: int = 0, compression: int = 0) -> bytes:
    builder = MemoryRecordsBuilder(2, compression, 1_000_000)
    for timestamp, key, value, headers in sent:
        assert builder.append(timestamp, key, value, headers) is not None
    builder.close()
    found = bytearray(builder.buffer())
    found[:8] = offset.to_bytes(8, "big")  # not part of the checksum
    return bytes(found)


def ours(fetched: bytes, *, at: int = 0, headers: bool = False) -> Records:
    return Records(
        at, PLACE, MemoryRecords(fetched), check_crcs=True, topic="ecg.findings", headers=headers
    )


def theirs(fetched: bytes) -> list[Any]:
    records = Fetcher.PartitionRecords(0, PLACE, MemoryRecords(fetched), check_crcs=True)
    found: list[Any] = records.take()
    return found


def as_incoming(one: Any, *, headers: bool) -> Incoming:
    return Incoming(
        topic="ecg.findings",
        partition=one.partition,
        offset=one.offset,
        key=None if one.key is None else one.key.decode(errors="replace"),
        value=one.value,
        headers=tuple(one.headers) if headers else (),
        timestamp_ms=one.timestamp,
    )


@pytest.mark.parametrize("headers", [False, True])
@pytest.mark.parametrize("compression", [0, 1])
def test_messages_are_those_of_the_client(headers: bool, compression: int) -> None:
    many = [*SENT, *((1_700_000_000_000 + n, b"p", b"%d" % n, []) for n in range(20_000))]
    more = batch(SENT, offset=2**33 + 30_000)
    fetched = batch(many, offset=2**33, compression=compression) + more
    records = ours(fetched, headers=headers)
    assert records.take() == [as_incoming(one, headers=headers) for one in theirs(fetched)]
    assert records.next_fetch_offset == 2**33 + 30_000 + len(SENT)


def test_some_messages_at_a_time_and_from_the_middle() -> None:
    records = ours(batch(SENT, offset=100), at=102)
    assert [one.offset for one in records.take(2)] == [102, 103]
    assert records.next_fetch_offset == 104
    assert [one.offset for one in records.take(100)] == [104, 105]
    assert not records


def test_damaged_batch_is_refused() -> None:
    fetched = bytearray(batch(SENT))
    fetched[-1] ^= 1
    with pytest.raises(CorruptRecordError, match="checksum"):
        ours(bytes(fetched)).take()

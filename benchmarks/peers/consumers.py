"""Peers that read the topic with kafka-python: one that does nothing, and the parts."""

from kafka import KafkaConsumer, TopicPartition

from benchmarks.peers.parts import Parts
from benchmarks.peers.run import Meter, Order, Run

POLL_RECORDS = 4000
FETCH_BYTES = 4 * 1024 * 1024
"""Larger than by default, for who catches up: fewer, fuller answers."""


def consume(order: Order, parts: Parts | None) -> Run:
    """Read the topic once, and give every message to ``parts``; to nobody without."""
    consumer = KafkaConsumer(
        bootstrap_servers=order.bootstrap,
        enable_auto_commit=False,
        max_poll_records=POLL_RECORDS,
        max_partition_fetch_bytes=FETCH_BYTES,
        fetch_max_wait_ms=20,
    )
    partition = TopicPartition(order.topic, 0)
    consumer.assign([partition])
    consumer.seek_to_beginning(partition)
    meter = Meter(order)
    while not meter.done:
        for messages in consumer.poll(timeout_ms=100).values():
            if parts is None:
                meter.saw(len(messages))
                continue
            for message in messages:
                parts.take(bytes(message.value))
                meter.saw(1)
                if meter.done:
                    break
    consumer.close()
    if parts is None:
        return meter.run()
    return meter.run(windows=parts.windows, beats=parts.beats)

"""Quix Streams, carrying the same functions as the parts."""

import tempfile
import uuid

from benchmarks.peers.parts import Parts
from benchmarks.peers.run import Meter, Order, Run

IDLE_S = 20.0
"""It gives up where nothing has come for so long."""


def stream(order: Order, parts: Parts) -> Run:
    """Read the topic once with an application of its own group.

    The windows are kept in the function and not in its state store: cheaper, and
    the same as the other peers do.
    """
    from quixstreams import Application

    with tempfile.TemporaryDirectory() as folder:
        application = Application(
            broker_address=order.bootstrap,
            consumer_group=f"quix-{uuid.uuid4().hex[:8]}",
            auto_offset_reset="earliest",
            auto_create_topics=False,
            use_changelog_topics=False,
            state_dir=folder,
            loglevel="ERROR",
        )
        topic = application.topic(order.topic, value_deserializer="bytes", key_deserializer="str")
        meter = Meter(order)

        def take(value: bytes) -> None:
            if meter.done:
                return
            parts.take(value)
            meter.saw(1)
            if meter.done:
                application.stop()

        application.dataframe(topic).update(take)
        application.run(timeout=IDLE_S)
    return meter.run(windows=parts.windows, beats=parts.beats)

"""A topic full of waveforms, sent in the order of time: the same input for ours and for peers."""

import time
from dataclasses import dataclass

from benchmarks.capacity.feed import FS, Feed
from benchmarks.capacity.generator import Patient, patients_of
from stream.kafka import Cluster, create_topics
from stream.topics import TOPICS, WAVEFORMS

STEP = 90
"""Samples in a message: 250 ms."""


@dataclass(slots=True)
class Backlog:
    """Fills the waveforms of a cluster whose topics have one partition.

    Parameters
    ----------
    cluster : Cluster
        Its topics are created.
    feed : Feed
        What the patients send.
    patients : int
        How many.
    """

    cluster: Cluster
    feed: Feed
    patients: int
    messages: int = 0
    end_sample: int = 0
    _senders: list[Patient] | None = None

    def create(self) -> None:
        """Create the topics."""
        create_topics(self.cluster, TOPICS, partitions=1)
        self._senders = patients_of(self.feed, self.patients, STEP)

    def fill(self, seconds: float) -> None:
        """Add so much signal of every patient; dated as if it had been sent as it was taken."""
        from confluent_kafka import Producer

        producer = Producer(
            {
                "bootstrap.servers": self.cluster.bootstrap,
                "acks": "1",
                "linger.ms": 20,
                "queue.buffering.max.messages": 2_000_000,
                "queue.buffering.max.kbytes": 2_000_000,
            }
        )
        topic = self.cluster.prefix + WAVEFORMS.name
        chunk_ns = round(STEP / FS * 1e9)
        turns = round(seconds * FS / STEP)
        now_ns = time.time_ns() - turns * chunk_ns
        for turn in range(turns):
            at_ns = now_ns + turn * chunk_ns
            for sender in self._senders or ():
                value, headers = sender.next(at_ns - chunk_ns, at_ns)
                producer.produce(topic, value=value, key=sender.key, partition=0, headers=headers)
            producer.poll(0)
        if left := producer.flush(60):
            raise RuntimeError(f"{left} messages of the backlog were not taken by the broker")
        self.messages += turns * self.patients
        self.end_sample += turns * STEP

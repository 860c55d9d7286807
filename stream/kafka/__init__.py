"""Kafka: the only package that imports the client library.

A ``Cluster`` names where the broker is. ``Producer`` sends, ``Consumer`` is a
member of a consumer group, ``Reader`` follows partitions on its own. Topic and
group names are given without the cluster's prefix everywhere.
"""

from stream.kafka.admin import create_topics, problem_with, wait_for_broker
from stream.kafka.assignment import Polled
from stream.kafka.cluster import Cluster, Incoming, Place, partition_for
from stream.kafka.consumer import Consumer
from stream.kafka.producer import Producer
from stream.kafka.reader import Reader

__all__ = [
    "Cluster",
    "Consumer",
    "Incoming",
    "Place",
    "Polled",
    "Producer",
    "Reader",
    "create_topics",
    "partition_for",
    "problem_with",
    "wait_for_broker",
]

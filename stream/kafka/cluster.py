"""Where the broker is, what a message is, and which partition it belongs to."""

from dataclasses import dataclass
from functools import lru_cache

import msgspec
from kafka.partitioner.default import murmur2

Place = tuple[str, int]
"""A topic's name and a partition."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where the broker is, and what our names start with there.

    Parameters
    ----------
    bootstrap : str
        ``host:port`` of a broker; several separated by commas.
    prefix : str
        Put before every topic and group name, so that several installations
        (or tests) share one cluster.
    """

    bootstrap: str
    prefix: str = ""

    def servers(self) -> list[str]:
        """Return the addresses one by one."""
        return [server.strip() for server in self.bootstrap.split(",")]


class Incoming(msgspec.Struct, frozen=True, gc=False):
    """One message as it was read; ``str()`` gives ``topic[partition]@offset``."""

    topic: str
    partition: int
    offset: int
    key: str | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    """Empty for members of consumer groups, which do not read them."""
    timestamp_ms: int

    def __str__(self) -> str:
        """Return where the message stands."""
        return f"{self.topic}[{self.partition}]@{self.offset}"

    def header(self, name: str) -> bytes | None:
        """Return the first header of that name, or None."""
        return next((value for key, value in self.headers if key == name), None)


@lru_cache(maxsize=100_000)
def partition_for(key: str, n_partitions: int) -> int:
    """Return the partition of a key: Kafka's default partitioner, the same in every process.

    Examples
    --------
    >>> [partition_for(patient, 8) for patient in ("p208", "p100", "sim-1")]
    [6, 3, 3]
    """
    return int(murmur2(key.encode()) & 0x7FFFFFFF) % n_partitions

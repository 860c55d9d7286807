"""What a courier needs of Kafka, so that its tests need none."""

from collections.abc import Iterable, Mapping
from typing import Protocol

from stream.dead_letter import Reason
from stream.kafka import Incoming, Place, Polled


def group_of(endpoint: str) -> str:
    """Return the consumer group of an endpoint: its offset is what has been delivered."""
    return f"notify-{endpoint}"


class Inbox(Protocol):
    """What a courier needs of ``stream.kafka.Consumer``."""

    def poll(self, timeout_s: float = 0.1, *, max_messages: int = 5000) -> Polled:
        """Return messages and changes of what is ours."""

    def start(self, partition: int, at: Mapping[str, int] | None = None) -> None:
        """Let a new partition flow."""

    def hold(self, partition: int) -> None:
        """Give nothing of a partition until ``release``."""

    def release(self, partition: int) -> None:
        """Let a partition that was held flow again."""

    def committed(self, places: Iterable[Place]) -> dict[Place, int]:
        """Return committed offsets."""

    def offsets_at(self, places: Iterable[Place], timestamp_ms: int) -> dict[Place, int]:
        """Return the offsets of the first messages at or after a time."""

    def notes(self, places: Iterable[Place]) -> dict[Place, str]:
        """Return the notes committed with the offsets."""

    def commit(
        self, offsets: Mapping[Place, int], notes: Mapping[Place, str] | None = None
    ) -> bool:
        """Commit offsets; False if the group is just changing."""


class Burial(Protocol):
    """What a courier needs of ``stream.dead_letter.DeadLetters``."""

    def give_up(self, message: Incoming, reason: Reason, detail: str) -> None:
        """Send a dead letter."""

"""What a member of a consumer group is given, generation by generation."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from kafka import ConsumerRebalanceListener

from stream.kafka.cluster import Incoming


@dataclass(frozen=True, slots=True, kw_only=True)
class Polled:
    """What one poll of a group member brought; deal with it in the order of the fields."""

    revoked: frozenset[int] = frozenset()
    """Partitions that are no longer ours: forget them, write nothing more for them."""
    assigned: frozenset[int] = frozenset()
    """Partitions that are newly ours; a held consumer gives nothing of them until ``start``."""
    messages: Sequence[Incoming] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """What a member was given in one generation of the group; nothing when it was expelled."""

    generation: int | None
    partitions: frozenset[int]


def kept_through(
    noted: Sequence[Assignment], partitions: frozenset[int], *, after: int
) -> frozenset[int]:
    """Return which partitions stayed with a member through changes of its group.

    A partition stayed if the member had it in every generation from ``after`` on;
    of a generation that it was not part of nobody can say who had the partition.

    Examples
    --------
    >>> noted = [Assignment(generation=5, partitions=frozenset({1, 2}))]
    >>> kept_through(noted, frozenset({2, 3}), after=4)
    frozenset({2})
    >>> kept_through(noted, frozenset({2, 3}), after=3)
    frozenset()
    """
    kept = partitions
    for one in noted:
        continued = one.generation is not None and one.generation == after + 1
        kept = kept & one.partitions if continued else frozenset()
        after = -1 if one.generation is None else one.generation
    return kept


@dataclass(slots=True)
class Listener(ConsumerRebalanceListener):  # type: ignore[misc]  # the client is untyped
    """Notes on the client's own thread what the main loop deals with after the poll.

    Look-ups raise on that thread; pausing works, and keeps a partition silent
    until the main loop has found where to start. The generation is noted with
    the assignment: after the poll the client may be in the middle of the next.
    """

    consumer: Any
    noted: list[Assignment] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def on_partitions_revoked(self, revoked: Any) -> None:
        """Nothing to do: what is no longer ours is known when the new assignment is."""

    def on_partitions_lost(self, lost: Any) -> None:
        """Note that somebody else may have the partitions by now."""
        with self.lock:
            self.noted.append(Assignment(generation=None, partitions=frozenset()))

    def on_partitions_assigned(self, assigned: Any) -> None:
        """Silence the new partitions and note them."""
        self.consumer.pause(*assigned)
        generation = self.consumer.group_metadata().generation_id
        one = Assignment(
            generation=generation if generation >= 0 else None,
            # without a generation it has been expelled again already
            partitions=frozenset(tp.partition for tp in assigned if generation >= 0),
        )
        with self.lock:
            self.noted.append(one)

    def take(self) -> list[Assignment]:
        """Return what was noted since the last time, in order."""
        with self.lock:
            noted, self.noted = self.noted, []
            return noted

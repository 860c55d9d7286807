"""Following partitions without a group: for views, state and tails."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal

from stream.errors import BrokerError
from stream.kafka import limits
from stream.kafka.client import Client, as_broker_error
from stream.kafka.cluster import Cluster, Incoming, Place


class Reader(Client):
    """Follows partitions on its own, without a group: for views, state and tails.

    Parameters
    ----------
    cluster : Cluster
        Where from.
    topics : sequence of str
        What it follows.
    partitions : iterable of int, optional
        Which partitions of them; all without it.
    start : {"earliest", "latest"} or int
        Where to begin; an int is a time in ms UTC.
    offsets : mapping, optional
        Overrules ``start`` for a topic and partition.

    Raises
    ------
    BrokerError
        If the broker is away or a topic is missing.
    """

    def __init__(
        self,
        cluster: Cluster,
        topics: Sequence[str],
        *,
        partitions: Iterable[int] | None = None,
        start: Literal["earliest", "latest"] | int = "earliest",
        offsets: Mapping[Place, int] | None = None,
    ) -> None:
        super().__init__(cluster, headers=True, fetch_max_wait_ms=limits.FETCH_WAIT_MS)
        self._next: dict[Place, int] = {}
        try:
            chosen = None if partitions is None else sorted(set(partitions))
            self._places = [
                (topic, partition)
                for topic in topics
                for partition in (range(self.partitions(topic)) if chosen is None else chosen)
            ]
            with as_broker_error("following partitions"):
                self._consumer.assign([self._tp(*place) for place in self._places])
            first = self.beginnings(self._places)
            self._ends = self._look_up_ends(first)
            self._from_ms: dict[Place, int] = {}
            at = dict(self._ends if start == "latest" else first)
            if isinstance(start, int):
                at = self.offsets_at(self._places, start)
                self._from_ms = dict.fromkeys(self._places, start)
            for place, offset in (offsets or {}).items():
                at[place] = min(max(offset, first[place]), self._ends[place])
                self._from_ms.pop(place, None)
            self.seek(at)
        except BrokerError:
            self.close()
            raise

    def _look_up_ends(self, first: Mapping[Place, int]) -> dict[Place, int]:
        """Return the offset that the next message at each place will get.

        The embedded broker counts its last batch as one message when it is asked
        for the end; with the messages themselves comes the right number.
        """
        with as_broker_error("looking up last offsets"):
            found = self._consumer.end_offsets([self._tp(*place) for place in self._places])
            ends = {self._place(tp): offset for tp, offset in found.items()}
            unknown = {place for place, end in ends.items() if end > first[place]}
            self.seek({place: max(end - 1, 0) for place, end in ends.items()})
            deadline = time.monotonic() + limits.REQUEST_TIMEOUT_MS / 1000
            while unknown and time.monotonic() < deadline:
                self._consumer.poll(timeout_ms=limits.FETCH_WAIT_MS)
                for place in list(unknown):
                    end = self._consumer.highwater(self._tp(*place))
                    if end is not None:
                        ends[place] = max(ends[place], end)
                        unknown.discard(place)
        return ends

    @property
    def places(self) -> list[Place]:
        """The topics and partitions it follows."""
        return list(self._places)

    def poll(self, timeout_s: float = 0.1, *, max_messages: int = 5000) -> list[Incoming]:
        """Return what has come, waiting up to ``timeout_s`` for the first message.

        Raises
        ------
        BrokerError
            If the client reports one.
        """
        with as_broker_error("reading"):
            batches = self._consumer.poll(
                timeout_ms=max(1, round(timeout_s * 1000)), max_records=max_messages
            )
        messages: list[Incoming] = []
        for tp, batch in batches.items():
            place = self._place(tp)
            self._next[place] = batch[-1].offset + 1
            from_ms = self._from_ms.get(place)
            if from_ms is not None:
                # the embedded broker does not look up times: it begins at its oldest message
                new = [n for n, message in enumerate(batch) if message.timestamp_ms >= from_ms]
                if not new:
                    continue
                del self._from_ms[place]
                batch = batch[new[0] :]
            messages.extend(batch)
        return messages

    def caught_up(self) -> bool:
        """Return whether everything that was there when it began has been read.

        Asked of the client's position: counting messages would wait for ever for
        those that compaction has removed.
        """
        if not self._ends:
            return True
        done = []
        with as_broker_error("looking up positions"):
            for place, end in self._ends.items():
                position = self._consumer.position(
                    self._tp(*place), timeout_ms=limits.REQUEST_TIMEOUT_MS
                )
                if max(position or 0, self._next[place]) >= end:
                    done.append(place)
        for place in done:
            del self._ends[place]
        return not self._ends

    def read_to_end(self, *, give_up_s: float = 60.0) -> Iterator[Incoming]:
        """Yield everything that was there when the reader began, then stop.

        Raises
        ------
        BrokerError
            If nothing comes for ``give_up_s`` although something is there.
        """
        heard = time.monotonic()
        while not self.caught_up():
            messages = self.poll(0.1)
            if messages:
                heard = time.monotonic()
            elif time.monotonic() - heard > give_up_s:
                raise BrokerError(
                    f"nothing read for {give_up_s:.0f} s, but not at the end of "
                    f"{', '.join(f'{topic}[{p}]' for topic, p in sorted(self._ends))}"
                )
            yield from messages

    def seek(self, offsets: Mapping[Place, int]) -> None:
        """Go on from other offsets."""
        with as_broker_error("seeking"):
            for place, offset in offsets.items():
                self._consumer.seek(self._tp(*place), offset)
        self._next.update(offsets)

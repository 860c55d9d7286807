"""What a consumer group has committed, with its notes."""

import logging
from collections.abc import Iterable, Mapping

from kafka import OffsetAndMetadata
from kafka.errors import RebalanceInProgressError

from stream.kafka import limits
from stream.kafka.client import Client, as_broker_error
from stream.kafka.cluster import Place

logger = logging.getLogger(__name__)


class Offsets(Client):
    """The offsets of a group, as one of its members sees and commits them."""

    def committed(self, places: Iterable[Place]) -> dict[Place, int]:
        """Return the group's committed offsets, of any topic; those without one are absent."""
        found = {}
        with as_broker_error("looking up committed offsets"):
            for place in places:
                offset = self._consumer.committed(
                    self._tp(*place), timeout_ms=2 * limits.REQUEST_TIMEOUT_MS
                )
                if offset is not None and offset >= 0:
                    found[place] = int(offset)
        return found

    def notes(self, places: Iterable[Place]) -> dict[Place, str]:
        """Return the notes that were committed with the offsets; those without are absent."""
        found = {}
        with as_broker_error("looking up committed offsets"):
            for place in places:
                committed = self._consumer.committed(
                    self._tp(*place), metadata=True, timeout_ms=2 * limits.REQUEST_TIMEOUT_MS
                )
                if committed is not None and committed.metadata:
                    found[place] = str(committed.metadata)
        return found

    def commit(
        self, offsets: Mapping[Place, int], notes: Mapping[Place, str] | None = None
    ) -> bool:
        """Commit, for each place, the offset of the next message to read: last + 1.

        Parameters
        ----------
        offsets : mapping
            Topic and partition to offset; also of topics that it does not follow.
        notes : mapping, optional
            Topic and partition to a short text kept with the offset.

        Returns
        -------
        bool
            False if nothing was committed because the group is just changing:
            poll on, and commit what is still ours then.

        Raises
        ------
        FencedError
            If this member has lost its partitions: write nothing more for them.
        BrokerError
            If the broker does not take them.
        """
        if not offsets:
            return True
        with as_broker_error("committing offsets"):
            try:
                self._consumer.commit(
                    {
                        self._tp(*place): OffsetAndMetadata(
                            offset, (notes or {}).get(place, ""), -1
                        )
                        for place, offset in offsets.items()
                    },
                    timeout_ms=2 * limits.REQUEST_TIMEOUT_MS,
                )
            except RebalanceInProgressError as error:
                logger.info("not committed, the group is changing: %s", error)
                return False
        return True

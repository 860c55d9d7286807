"""What a takeover reads: a state topic or outputs, who has announced what, and what is heard."""

import logging
import time
from collections.abc import Iterable

import msgspec

from stream.errors import BrokerError, DecodeError, FencedError
from stream.kafka import Incoming, Place, Reader
from stream.messages import EPOCH_KEY, EpochMessage
from stream.watermark import Epochs
from stream.wire import decode

logger = logging.getLogger(__name__)

_GIVE_UP_S = 60.0


class _AnyEpoch(msgspec.Struct):
    """The one field that every message of an output has."""

    epoch: int


_epoch_of = msgspec.json.Decoder(_AnyEpoch)


class Log:
    """A state topic or outputs, read from somewhere to the end and a little further."""

    def __init__(self, reader: Reader, floors: dict[Place, int], *, newest_only: bool) -> None:
        self.reader = reader
        self._newest_only = newest_only
        self.epochs = Epochs(dict(floors))
        self.highest = dict(floors)
        """Highest epoch in each place, heard or not."""
        self.heard: dict[tuple[Place, str | int | None], Incoming] = {}
        self.marks: dict[Place, list[tuple[int, int]]] = {
            place: [(0, floors.get(place, 0))] for place in reader.places
        }
        self.announced: dict[Place, dict[str, int]] = {}

    def take(self, messages: Iterable[Incoming]) -> None:
        """Sort messages in: what is heard, which epoch, who has announced what."""
        for message in messages:
            place = (message.topic, message.partition)
            epoch = self._epoch(message)
            if epoch is None:
                continue
            self.highest[place] = max(self.highest.get(place, 0), epoch)
            if epoch > self.epochs.highest.get(place, 0):
                self.marks[place].append((message.offset, epoch))
            if self.epochs.hears(place, epoch) and message.key != EPOCH_KEY:
                identity = message.key if self._newest_only else message.offset
                self.heard[(place, identity)] = message

    def _epoch(self, message: Incoming) -> int | None:
        if message.value is None:
            # a tombstone: the patient was forgotten; it has no epoch and counts
            return self.epochs.highest.get((message.topic, message.partition), 0)
        try:
            if message.key == EPOCH_KEY:
                said = decode(message.value, EpochMessage)
                place = (message.topic, message.partition)
                self.announced.setdefault(place, {})[said.writer] = message.offset
                return said.epoch
            return _epoch_of.decode(message.value).epoch
        except (DecodeError, msgspec.DecodeError) as error:
            logger.warning("%s is not one of ours: %s", message, error)
            return None

    def read_until_announced(self, writer: str, epochs: dict[int, int]) -> None:
        """Go on until our own announcement is read everywhere."""
        deadline = time.monotonic() + _GIVE_UP_S
        while not all(writer in self.announced.get(place, {}) for place in self.reader.places):
            if time.monotonic() > deadline:
                raise BrokerError(f"a takeover was not read back within {_GIVE_UP_S:.0f} s")
            self.take(self.reader.poll(0.05))
        for place in self.reader.places:
            if self.epochs.highest[place] > epochs[place[1]]:
                raise FencedError(
                    f"{place[0]}[{place[1]}] was taken over with epoch "
                    f"{self.epochs.highest[place]} while we took it with {epochs[place[1]]}"
                )

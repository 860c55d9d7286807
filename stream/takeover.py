"""Taking partitions over, and knowing what may be committed.

A role that keeps state for each patient (``score``, ``alarm``) commits offsets
after outputs and states. Whoever takes a partition over finds the newest state
of each patient, hears what was published after it, and goes on from there; the
steps and why they are in this order are in ``docs/concepts/delivery.md``.
"""

import logging
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import msgspec

from stream.errors import BrokerError, DecodeError, FencedError
from stream.kafka import Cluster, Consumer, Incoming, Place, Producer, Reader
from stream.messages import EPOCH_KEY, EpochMessage, StateMessage, decode, encode
from stream.watermark import Epochs

logger = logging.getLogger(__name__)

STATE_EVERY_S = 30.0
"""How often the state of a patient who sends is written; also the most that is read again."""
REWRITE_EVERY_S = 300.0
"""How often that of a silent patient is: less than the state topics' compaction lag, so that a
fenced writer's late state never outlives the right one."""
_GENERATIONS = 2**32
_GIVE_UP_S = 60.0

S = TypeVar("S", bound=StateMessage)


class _AnyEpoch(msgspec.Struct):
    """The one field that every message of an output has."""

    epoch: int


_epoch_of = msgspec.json.Decoder(_AnyEpoch)


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken(Generic[S]):
    """A partition that was taken over, and all there is to go on from."""

    partition: int
    epoch: int
    """Carried by every message that is written for the partition from now on."""
    states: dict[str, S]
    """The newest state of each patient."""
    inputs: dict[str, int]
    """For each input topic the first offset to read, for ``Consumer.start``; messages that a
    patient's own state covers come again and must be skipped by ``StateMessage.inputs``."""
    tail: tuple[Incoming, ...]
    """What the outputs hold that may be newer than the states, in order for each topic; takeovers
    and what nobody hears are left out."""
    committed: dict[str, int]
    """For each output the offset where ``tail`` began."""
    marks: dict[str, tuple[tuple[int, int], ...]]
    """For each output the offsets at which a higher epoch was heard first, and that epoch."""
    ends: dict[str, int]
    """For each output the offset after our own announcement."""


def epoch_of(seen: int, generation: int) -> int | None:
    """Return the epoch for a takeover in a group's generation, None if it must be looked into.

    A generation never comes back while the group lives, and of two processes that
    take a partition over at the same time the rightful one has the higher one. A
    group that was deleted starts again: then a new era is needed.

    Examples
    --------
    >>> epoch_of(3, 6)
    6
    >>> epoch_of(6, 3) is None
    True
    >>> epoch_of(new_era(6, 3), 4) - new_era(6, 3)
    1
    """
    era, last = divmod(seen, _GENERATIONS)
    return era * _GENERATIONS + generation if generation > last else None


def new_era(seen: int, generation: int) -> int:
    """Return the epoch for a takeover by a group that has started again."""
    return (seen // _GENERATIONS + 1) * _GENERATIONS + generation


class _Log:
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


def take_over(
    cluster: Cluster,
    consumer: Consumer,
    producer: Producer,
    partitions: Iterable[int],
    *,
    role: str,
    kind: type[S],
    inputs: Sequence[str],
    state: str,
    outputs: Sequence[str],
    state_before_outputs: bool = False,
) -> dict[int, Taken[S]]:
    """Take newly assigned partitions over from whoever had them.

    Parameters
    ----------
    cluster : Cluster
        Where the topics are.
    consumer : Consumer
        The group member that was assigned the partitions; a held one.
    producer : Producer
        Writes the announcements.
    partitions : iterable of int
        Which ones.
    role : str
        Name of the role, for people who read the topics.
    kind : type
        What the values of the state topic are.
    inputs, outputs : sequence of str
        Topics that the role reads by the group, and those that it writes.
    state : str
        Its state topic.
    state_before_outputs : bool
        True for a role that writes states first. The takeover is announced first
        where the role writes second: of what is heard there, what the same writer
        wrote before it must be heard too.

    Returns
    -------
    dict
        For each partition what to go on from.

    Raises
    ------
    FencedError
        If the group has gone on and the partitions are not ours any more.
    BrokerError
        If the broker is away.
    """
    chosen = sorted(partitions)
    if not chosen:
        return {}
    started = time.monotonic()
    places = [(topic, partition) for topic in outputs for partition in chosen]
    begin = consumer.committed([*places, *((topic, p) for topic in inputs for p in chosen)])
    tails_from = {place: offset for place, offset in begin.items() if place in places}
    floors = {place: int(note) for place, note in consumer.notes(places).items() if note.isdigit()}
    with (
        Reader(cluster, [state], partitions=chosen) as state_reader,
        Reader(cluster, outputs, partitions=chosen, offsets=tails_from) as output_reader,
    ):
        states = _Log(state_reader, {}, newest_only=True)
        tails = _Log(output_reader, floors, newest_only=False)
        states.take(state_reader.read_to_end())
        tails.take(output_reader.read_to_end())
        epochs = _choose_epochs(consumer, chosen, states, tails)
        writer = uuid.uuid4().hex
        # Where a writer writes second is announced first: what it wrote there and is heard
        # stands before this, so what it wrote before stands before the other announcement.
        for log in (tails, states) if state_before_outputs else (states, tails):
            for topic, partition in log.reader.places:
                said = EpochMessage(role=role, epoch=epochs[partition], writer=writer)
                producer.send(topic, EPOCH_KEY, encode(said), partition=partition)
            producer.flush()
        states.read_until_announced(writer, epochs)
        tails.read_until_announced(writer, epochs)
    newest = _newest(states, kind)
    oldest = consumer.beginnings((topic, p) for topic in inputs for p in chosen)
    logger.info(
        "took over partitions %s with %d patients and %d newer messages in %.2f s",
        chosen,
        sum(len(of) for of in newest.values()),
        len(tails.heard),
        time.monotonic() - started,
    )
    return {
        partition: Taken(
            partition=partition,
            epoch=epochs[partition],
            states=newest.get(partition, {}),
            inputs={
                topic: max(begin.get((topic, partition), 0), oldest[(topic, partition)])
                for topic in inputs
            },
            tail=tuple(one for one in tails.heard.values() if one.partition == partition),
            committed={topic: begin.get((topic, partition), 0) for topic in outputs},
            marks={topic: tuple(tails.marks[(topic, partition)]) for topic in outputs},
            ends={topic: tails.announced[(topic, partition)][writer] + 1 for topic in outputs},
        )
        for partition in chosen
    }


def _choose_epochs(
    consumer: Consumer, partitions: Sequence[int], states: _Log, tails: _Log
) -> dict[int, int]:
    # the embedded broker counts generations from 0, and epoch 0 is nobody's
    generation = consumer.generation + 1
    seen = {
        partition: max(
            (
                epoch
                for log in (states, tails)
                for place, epoch in log.highest.items()
                if place[1] == partition
            ),
            default=0,
        )
        for partition in partitions
    }
    found = {partition: epoch_of(seen[partition], generation) for partition in partitions}
    behind = [partition for partition, epoch in found.items() if epoch is None]
    if behind:
        # Either the group was deleted and counts anew, or we are the one it left behind: the
        # broker takes a commit only from a member of the current generation.
        consumer.check_membership()
    return {
        partition: new_era(seen[partition], generation) if epoch is None else epoch
        for partition, epoch in found.items()
    }


def _newest(states: _Log, kind: type[S]) -> dict[int, dict[str, S]]:
    newest: dict[int, dict[str, S]] = {}
    for message in states.heard.values():
        if message.value is None:
            continue
        try:
            one = decode(message.value, kind)
        except DecodeError as error:
            logger.error("%s: the patient starts anew: %s", message, error)
            continue
        newest.setdefault(message.partition, {})[one.patient] = one
    return newest


@dataclass(slots=True)
class _Account:
    """What of one patient is not yet in a written state."""

    due_s: float
    """When the state is to be written, monotonic."""
    inputs: dict[str, int] = field(default_factory=dict)
    """For each input topic the offset of the oldest message that is not covered."""
    outputs: dict[str, int] = field(default_factory=dict)
    """For each output where it ended when the first of these messages was taken."""


class Ledger:
    """Of one partition: whose state is due, and up to where offsets may be committed.

    The committed offset of an input is the oldest place from which all patients'
    states can be continued, and of an output the oldest place after which there
    may be something newer than the states.

    Parameters
    ----------
    taken : Taken
        Where the partition was taken over.
    every_s : float
        How often the state of a patient who sends is written, in s.
    """

    def __init__(self, taken: Taken[S], *, every_s: float = STATE_EVERY_S) -> None:
        self._partition = taken.partition
        self._every_s = every_s
        self._position = dict(taken.inputs)
        self._ends = dict(taken.ends)
        self._marks = {topic: list(marks) for topic, marks in taken.marks.items()}
        # a restored state may be ahead of the place from which the partition is read again
        self._covered = {patient: state.inputs for patient, state in taken.states.items()}
        self._accounts: dict[str, _Account] = {}
        self._committed: dict[Place, int] = {}
        now = time.monotonic()
        for number, patient in enumerate(sorted(taken.states)):
            # written anew by the one who has taken over, over what a fenced writer may still write
            spread = every_s * number / len(taken.states)
            self._accounts[patient] = _Account(due_s=now + spread)
        # Until their states are written again, the tail that was read now may be needed again.
        self._tail = dict(taken.committed)
        self._unwritten = {*taken.states, *(one.key for one in taken.tail if one.key)}

    def took(self, patient: str, topic: str, offset: int) -> None:
        """Note that a message of a patient has been taken in, published or not."""
        self._position[topic] = max(self._position.get(topic, 0), offset + 1)
        account = self._accounts.get(patient)
        if account is None:
            account = self._accounts[patient] = _Account(
                # a different phase for each patient, so that they are not all due at once
                due_s=time.monotonic() + self._every_s * (hash(patient) % 1000 + 1) / 1000
            )
        account.inputs.setdefault(topic, offset)
        if not account.outputs:
            account.outputs = dict(self._ends)
            account.due_s = min(account.due_s, time.monotonic() + self._every_s)

    def passed(self, topic: str, offset: int) -> None:
        """Note a message that is nobody's, or that a state covers already."""
        self._position[topic] = max(self._position.get(topic, 0), offset + 1)

    def published(self, ends: dict[Place, int]) -> None:
        """Note where the outputs end, as ``Producer.flush`` says."""
        for (topic, partition), end in ends.items():
            if partition == self._partition and topic in self._ends:
                self._ends[topic] = max(self._ends[topic], end)

    def due(self, *, everyone: bool = False) -> Iterator[str]:
        """Yield the patients whose state is to be written now."""
        now = time.monotonic()
        for patient, account in self._accounts.items():
            if now >= account.due_s or (everyone and account.inputs):
                yield patient

    def inputs(self, patient: str) -> dict[str, int]:
        """Return what ``StateMessage.inputs`` of a patient's state must say if written now."""
        covered = self._covered.get(patient, {})
        return {
            topic: max(position, covered.get(topic, 0))
            for topic, position in self._position.items()
        }

    def outputs(self) -> dict[str, int]:
        """Return an offset of each output at or after which all stands that is written now."""
        return dict(self._ends)

    def written(self, patient: str) -> None:
        """Note that a patient's state has been written and acknowledged."""
        account = self._accounts.get(patient)
        if account is not None:
            active = bool(account.inputs)
            account.inputs.clear()
            account.outputs.clear()
            account.due_s = time.monotonic() + (self._every_s if active else REWRITE_EVERY_S)
        self._unwritten.discard(patient)

    def forget(self, patient: str) -> None:
        """Forget a patient."""
        self._accounts.pop(patient, None)
        self._covered.pop(patient, None)
        self._unwritten.discard(patient)

    def to_commit(self) -> tuple[dict[Place, int], dict[Place, str]]:
        """Return offsets that may be committed and have moved, with their notes."""
        low = dict(self._position)
        ends = dict(self._ends)
        for account in self._accounts.values():
            for topic, offset in account.inputs.items():
                low[topic] = min(low[topic], offset)
            for topic, offset in account.outputs.items():
                ends[topic] = min(ends[topic], offset)
        if self._unwritten:
            for topic, offset in self._tail.items():
                ends[topic] = min(ends[topic], offset)
        offsets = {
            (topic, self._partition): offset
            for topic, offset in [*low.items(), *ends.items()]
            if self._committed.get((topic, self._partition)) != offset
        }
        notes = {
            (topic, self._partition): str(self._floor(topic, offset))
            for topic, offset in ends.items()
            if (topic, self._partition) in offsets
        }
        return offsets, notes

    def _floor(self, topic: str, offset: int) -> int:
        """Return the highest epoch heard before an offset of an output."""
        return max((epoch for at, epoch in self._marks[topic] if at < offset), default=0)

    def committed(self, offsets: dict[Place, int]) -> None:
        """Note what has been committed."""
        self._committed.update(offsets)

"""Taking partitions over.

A role that keeps state for each patient (``score``, ``alarm``) commits offsets
after outputs and states. Whoever takes a partition over finds the newest state
of each patient, hears what was published after it, and goes on from there; the
steps and why they are in this order are in ``docs/concepts/delivery.md``.
"""

import logging
import time
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from stream.announced import Log
from stream.errors import DecodeError
from stream.kafka import Cluster, Consumer, Incoming, Producer, Reader
from stream.messages import EPOCH_KEY, EpochMessage, StateMessage
from stream.wire import decode, encode

logger = logging.getLogger(__name__)

_GENERATIONS = 2**32

S = TypeVar("S", bound=StateMessage)


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
    until: dict[str, int]
    """For each input topic the offset after the last message that stands there."""
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
        states = Log(state_reader, {}, newest_only=True)
        tails = Log(output_reader, floors, newest_only=False)
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
    until = consumer.ends((topic, p) for topic in inputs for p in chosen)
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
            until={topic: until[(topic, partition)] for topic in inputs},
            tail=tuple(one for one in tails.heard.values() if one.partition == partition),
            committed={topic: begin.get((topic, partition), 0) for topic in outputs},
            marks={topic: tuple(tails.marks[(topic, partition)]) for topic in outputs},
            ends={topic: tails.announced[(topic, partition)][writer] + 1 for topic in outputs},
        )
        for partition in chosen
    }


def _choose_epochs(
    consumer: Consumer, partitions: Sequence[int], states: Log, tails: Log
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


def _newest(states: Log, kind: type[S]) -> dict[int, dict[str, S]]:
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

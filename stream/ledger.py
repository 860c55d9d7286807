"""What of a partition may be committed, and whose state is due."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from zlib import crc32

from stream.kafka import Place
from stream.takeover import S, Taken

STATE_EVERY_S = 30.0
"""How often the state of a patient who sends is written; also the most that is read again."""
REWRITE_EVERY_S = 300.0
"""How often that of a silent patient is: less than the state topics' compaction lag, so that a
fenced writer's late state never outlives the right one."""


@dataclass(slots=True)
class _Account:
    """What of one patient is not yet in a written state."""

    due_s: float
    """When the state is to be written, monotonic."""
    inputs: dict[str, int] = field(default_factory=dict)
    """For each input topic the offset of the oldest message that is not covered."""
    outputs: dict[str, int] = field(default_factory=dict)
    """For each output where it ended when the first of these messages was taken."""
    waiting: dict[str, int] = field(default_factory=dict)
    """For each input topic the offset of the oldest message that was read but not taken in."""


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
        self._until = dict(taken.until)

    def took(self, patient: str, topic: str, offset: int) -> None:
        """Note that a message of a patient has been taken in, published or not."""
        self.passed(topic, offset)
        account = self._accounts.get(patient)
        if account is None:
            account = self._accounts[patient] = _Account(
                # a different phase for each patient, so that they are not all due at once
                due_s=time.monotonic() + self._every_s * (crc32(patient.encode()) % 1000 + 1) / 1000
            )
        if topic not in account.inputs:
            account.inputs[topic] = offset
        if not account.outputs:
            account.outputs = dict(self._ends)
            account.due_s = min(account.due_s, time.monotonic() + self._every_s)

    def waits(self, patient: str, topic: str, offset: int) -> None:
        """Note that a message of a patient has been read, and waits to be taken in."""
        self.took(patient, topic, offset)
        self._accounts[patient].waiting.setdefault(topic, offset)

    def goes_on(self, patient: str, topic: str, offset: int | None) -> None:
        """Note which message of a patient waits now in front; None when none does any more."""
        account = self._accounts.get(patient)
        if account is not None:
            if offset is None:
                account.waiting.pop(topic, None)
            else:
                account.waiting[topic] = offset

    def passed(self, topic: str, offset: int) -> None:
        """Note a message that is nobody's, or that a state covers already."""
        if offset >= self._position.get(topic, 0):
            self._position[topic] = offset + 1

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
        account = self._accounts.get(patient)
        waiting = account.waiting if account is not None else {}
        return {
            topic: waiting[topic] if topic in waiting else max(position, covered.get(topic, 0))
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
            account.inputs = dict(account.waiting)
            account.outputs = dict(self._ends) if account.waiting else {}
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
        if all(self._position.get(topic, 0) >= end for topic, end in self._until.items()):
            # nothing comes any more of which what the tail says of the others could come again
            self._unwritten &= self._accounts.keys()
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

"""Who is in the monitor: one place a patient, and the rows of state that go with it."""

import json
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ecg import segment
from ecg.chunk import Chunk
from ecg.errors import ChunkError, EcgError, StateError
from ecg.filters import Resampler, resampler
from ecg.lead import LeadChoice, choose_leads
from ecg.state import PATIENT
from ecg.trial import Trial, needs_trial

T = TypeVar("T", bound=np.generic)

LAYOUT = zlib.crc32(repr(PATIENT.descr).encode())
"""Changes with the fields of a patient's state: exported state of another layout is refused."""

ROWS = 16_384
"""Places made at once. Memory that nobody has written to is only promised by the system, so that
it costs nothing until a patient comes; growing would move every patient there is."""

_HEADER = struct.Struct("<4sII")
_MAGIC = b"RWP1"


@dataclass(slots=True, kw_only=True)
class Place:
    """A patient's place: which stream, how it is read, which row of state."""

    patient: str
    stream: str
    fs: float
    leads: tuple[str, ...]
    """All that its chunks have."""
    choice: LeadChoice
    slot: int
    next_sample: int
    """The sample number that is waited for; the row of state has it too, but slow to read."""
    gain: tuple[float, ...] = ()
    baseline: tuple[int, ...] = ()
    """The scale of its last chunk; the row of state has that of the judged leads."""
    trial: Trial | None = None
    """Where the names do not say which leads to judge, for the first 10 s."""
    resampler: Resampler = field(init=False)
    shape: tuple[float, int] = field(init=False)
    """Rate and number of leads: places alike in both are advanced in one call."""

    def __post_init__(self) -> None:
        """Design, or look up, the resampler of the rate."""
        self.resampler = resampler(self.fs)
        self.shape = (self.fs, len(self.leads))


class Roster:
    """The places of all patients, and their state in arrays that double when they are full.

    Parameters
    ----------
    hidden : int
        Units of the model's memory; 0 without a model.
    version : str or None
        The model's version; a memory of another model is not taken over.
    leads : sequence of str or None
        Leads asked for, where a patient has them.
    """

    def __init__(self, *, hidden: int, version: str | None, leads: Sequence[str] | None) -> None:
        self.states: NDArray[np.void] = np.zeros(0, PATIENT)
        self.memory: NDArray[np.float32] = np.zeros((0, 2, hidden), np.float32)
        self._version = version
        self._leads = leads
        self.places: dict[str, Place] = {}
        """By patient."""
        self._free: list[int] = []

    def __len__(self) -> int:
        """Return the number of patients."""
        return len(self.places)

    def get(self, patient: str) -> Place | None:
        """Return a patient's place, None if there is none."""
        return self.places.get(patient)

    def refusals(self, chunks: Sequence[Chunk]) -> dict[int, EcgError]:
        """Say which chunks cannot be taken, by their position in ``chunks``, and why."""
        refused: dict[int, EcgError] = {}
        known: dict[str, Place | Chunk] = {}
        """Streams that begin among these chunks."""
        get = self.places.get
        for position, chunk in enumerate(chunks):
            place: Place | Chunk | None = get(chunk.patient)
            if known:
                place = known.get(chunk.patient, place)
            try:
                if place is not None and place.stream == chunk.stream:
                    if chunk.fs != place.fs or chunk.leads != place.leads:
                        raise _changed(chunk, place)
                else:
                    resampler(chunk.fs)
                    _choose_by_name(chunk.leads)
                    known[chunk.patient] = chunk
            except EcgError as error:
                refused[position] = error
        return refused

    def admit(self, chunk: Chunk) -> Place:
        """Give the stream of ``chunk`` a blank place at its first sample, in its patient's row."""
        old = self.places.get(chunk.patient)
        place = Place(
            patient=chunk.patient,
            stream=chunk.stream,
            fs=chunk.fs,
            leads=chunk.leads,
            choice=self._choose(chunk.leads),
            slot=old.slot if old else self._new_slot(),
            next_sample=chunk.first_sample,
            gain=chunk.gain,
            baseline=chunk.baseline,
        )
        if needs_trial(chunk.leads) and not self._asked(chunk.leads):
            place.trial = Trial.begin(chunk, chunk.first_sample)
        self.places[chunk.patient] = place
        self.restart(place, chunk, chunk.first_sample)
        return place

    def restart(self, place: Place, chunk: Chunk, at: int) -> None:
        """Set a place back to knowing nothing, its segment of signal beginning at sample ``at``."""
        self.states[place.slot] = segment.begin(chunk, place.choice.columns, at)
        self.memory[place.slot] = 0
        place.next_sample = at
        if place.trial is not None:
            place.trial = Trial.begin(chunk, at)

    def rescale(self, place: Place, chunk: Chunk) -> None:
        """Read a place's samples by the gain and baseline of ``chunk`` from now on.

        All that is known of the signal is in mV, so it stays.
        """
        segment.rescale(self.states[place.slot], chunk)
        if place.trial is not None:
            place.trial.rescale(chunk)

    def splice(self, place: Place, at: int) -> None:
        """Begin a new segment of signal at ``at``; levels, templates and memory stay."""
        segment.splice(self.states[place.slot], place.fs, at)
        place.next_sample = at
        if place.trial is not None:
            place.trial.splice(at)

    def settle(self, place: Place, chunk: Chunk, choice: LeadChoice | None) -> None:
        """End a lead trial where it stands: other leads start anew; without a choice it does."""
        at = place.next_sample
        if choice is None:
            place.trial = Trial.begin(chunk, at)
            return
        place.trial = None
        columns, place.choice = place.choice.columns, choice
        if columns != choice.columns:
            self.restart(place, chunk, at)

    def discharge(self, patient: str) -> None:
        """Forget a patient; unknown ones are no error."""
        place = self.places.pop(patient, None)
        if place is not None:
            self._free.append(place.slot)

    def export(self, patient: str) -> bytes:
        """Return a patient's whole state, with the lead trial as long as there is one.

        Raises
        ------
        StateError
            If the patient is not here.
        """
        place = self.places.get(patient)
        if place is None:
            raise StateError(f"no patient {patient!r} to export; admitted are {len(self)} others")
        trial, rows = (None, b"") if place.trial is None else place.trial.export()
        about = json.dumps(
            {
                "patient": patient,
                "stream": place.stream,
                "fs": place.fs,
                "names": place.leads,
                "leads": place.choice.leads,
                "columns": place.choice.columns,
                "why": place.choice.why,
                "model": self._version,
                "memory": self.memory[place.slot].nbytes,
                "trial": trial,
            }
        ).encode()
        return b"".join(
            (
                _HEADER.pack(_MAGIC, LAYOUT, len(about)),
                about,
                self.states[place.slot].tobytes(),
                self.memory[place.slot].tobytes(),
                rows,
            )
        )

    def restore(self, patient: str, state: bytes) -> None:
        """Take a patient over from exported state.

        A memory of another model is left behind: the signal state goes on, the
        model starts from an empty memory.

        Raises
        ------
        StateError
            If the state is damaged, of another layout, or another patient's.
        """
        if len(state) < _HEADER.size or state[:4] != _MAGIC:
            raise StateError(f"not a patient's exported state: {len(state)} bytes, {state[:4]!r}")
        _, layout, length = _HEADER.unpack_from(state)
        if layout != LAYOUT:
            raise StateError(
                f"state of layout {layout:08x}, this version reads {LAYOUT:08x}: "
                "start the patient anew from its waveforms"
            )
        try:
            about = json.loads(state[_HEADER.size : _HEADER.size + length])
            row = np.frombuffer(state, PATIENT, count=1, offset=_HEADER.size + length)
            choice = LeadChoice(
                leads=tuple(about["leads"]), columns=tuple(about["columns"]), why=about["why"]
            )
            names = tuple(about["names"])
            fs, stream, owner = float(about["fs"]), str(about["stream"]), str(about["patient"])
            at = _HEADER.size + length + PATIENT.itemsize
            memory, rows = state[at : at + about["memory"]], state[at + about["memory"] :]
            trial = about["trial"] and Trial.restore(names, fs, about["trial"], rows)
        except (ValueError, KeyError, TypeError) as error:
            raise StateError(f"damaged state of {len(state)} bytes: {error}") from error
        if owner != patient:
            raise StateError(f"the state is of patient {owner!r}, not of {patient!r}")
        old = self.places.get(patient)
        place = Place(
            patient=patient,
            stream=stream,
            fs=fs,
            leads=names,
            choice=choice,
            slot=old.slot if old else self._new_slot(),
            next_sample=int(row[0]["origin"] + row[0]["taken"]),
            trial=trial,
        )
        self.places[patient] = place
        self.states[place.slot] = row[0]
        self.memory[place.slot] = 0
        if about["model"] == self._version and len(memory) == self.memory[place.slot].nbytes:
            shape = self.memory.shape[1:]
            self.memory[place.slot] = np.frombuffer(memory, np.float32).reshape(shape)

    def _choose(self, names: Sequence[str]) -> LeadChoice:
        if self._asked(names):
            return choose_leads(names, wanted=self._leads)
        return _choose_by_name(tuple(names))

    def _asked(self, names: Sequence[str]) -> bool:
        return self._leads is not None and set(self._leads) <= set(names)

    def _new_slot(self) -> int:
        if not self._free:
            n = len(self.states)
            more = max(n, ROWS)
            self.states, self.memory = _longer(self.states, more), _longer(self.memory, more)
            self._free = list(range(n + more - 1, n - 1, -1))
        return self._free.pop()


def _longer(rows: NDArray[T], more: int) -> NDArray[T]:
    longer = np.zeros((len(rows) + more, *rows.shape[1:]), rows.dtype)
    longer[: len(rows)] = rows  # the others stay untouched
    return longer


_choose_by_name = lru_cache(maxsize=1024)(choose_leads)
"""Thousands of patients have the same few leads."""


def _changed(chunk: Chunk, before: Place | Chunk) -> ChunkError:
    return ChunkError(
        f"stream {chunk.stream!r} of patient {chunk.patient!r} began with {before.fs:g} Hz and "
        f"leads {', '.join(before.leads)}, but a chunk has {chunk.fs:g} Hz and "
        f"{', '.join(chunk.leads)}: a source that changes must start a new stream"
    )

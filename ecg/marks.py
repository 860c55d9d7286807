"""What the monitor said of a record, as WFDB annotations: ``NAME.rw``.

Beats carry the symbols N, S, V, F and Q. A beat that was not judged is ``?``
while the monitor warms up (WFDB: not classified during learning), else ``Q``;
its text says why. ``+`` says which rhythm begins, ``~`` where the signal
becomes fit to be judged or unfit; both are repeated at the start of a record.
"""

from array import array
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecg.annotation_file import decode, encode
from ecg.errors import RecordError
from ecg.files import put_in_place
from ecg.finding import Beat, BeatClass, RhythmWindow, Status

EXTENSION = "rw"
"""Extension of the annotation files that say what was found."""

WARMING_UP = "warm-up"
"""The reason of beats that come before the monitor knows the patient."""

RHYTHM_NOTES = {"organised": "(ORG", "vf": "(VFIB", "asystole": "(ASYS"}
"""Texts of the rhythm changes. The model tells fibrillation and standstill from a rhythm with QRS
complexes; that this is sinus rhythm, as WFDB's ``(N`` says, it does not say."""
UNKNOWN_NOTE = "(UNK"
FIT_NOTE = "fit"

_UNREADABLE = 0x30
"""Subtype of a ``~`` after which both signals are unreadable: ``bxb`` and ``rxr`` ask for it."""


def symbol_of(beat_class: BeatClass | None, reason: str | None = None) -> str:
    """Return the WFDB symbol of a beat.

    Examples
    --------
    >>> symbol_of("V"), symbol_of(None, "warm-up"), symbol_of(None, "unfit: noisy")
    ('V', '?', 'Q')
    """
    if beat_class is not None:
        return beat_class
    return "?" if reason == WARMING_UP else "Q"


@dataclass(slots=True, eq=False)
class Marks:
    """The annotations of one record, as they grow; sample numbers are the record's own.

    What is said again (at or before the last mark of its kind) is not taken, so
    findings may be read twice.
    """

    samples: "array[int]" = field(default_factory=lambda: array("q"))
    """Sample numbers of the beats, increasing."""
    symbols: bytearray = field(default_factory=bytearray)
    """Their symbols."""
    notes: dict[int, str] = field(default_factory=dict)
    """Why beats were not judged, by sample number."""
    rhythms: list[tuple[int, str]] = field(default_factory=list)
    quality: list[tuple[int, str]] = field(default_factory=list)
    changed: bool = False
    """Whether something was taken since the file was read or written."""

    def __len__(self) -> int:
        """Return how many annotations there are."""
        return len(self.samples) + len(self.rhythms) + len(self.quality)

    def take_beat(self, beat: Beat, *, first_sample: int = 0) -> None:
        """Take a beat of a stream in which the record begins at ``first_sample``."""
        self.add_beat(beat.sample - first_sample, symbol_of(beat.beat_class, beat.reason))
        if beat.reason is not None and self.samples[-1] == beat.sample - first_sample:
            self.notes[beat.sample - first_sample] = beat.reason

    def take_window(self, window: RhythmWindow, *, first_sample: int = 0) -> None:
        """Take a rhythm window: a mark where it differs from the one before."""
        rhythm = window.rhythm
        note = UNKNOWN_NOTE if rhythm is None else RHYTHM_NOTES.get(rhythm, f"({rhythm.upper()}")
        self._change(self.rhythms, window.first_sample - first_sample, note)

    def take_status(self, status: Status, *, fs: float, first_sample: int = 0) -> None:
        """Take a status: a mark where the second that it ends differs from the one before."""
        note = FIT_NOTE if status.fit else f"unfit: {status.reason}"
        self._change(self.quality, second_of(status, fs=fs) - first_sample, note)

    def add_beat(self, sample: int, symbol: str) -> None:
        """Take a beat by its symbol."""
        if self.samples and sample <= self.samples[-1]:
            return
        self.samples.append(sample)
        self.symbols += symbol.encode()
        self.changed = True

    def _change(self, marks: list[tuple[int, str]], sample: int, note: str) -> None:
        if marks and (sample <= marks[-1][0] or note == marks[-1][1]):
            return
        marks.append((sample, note))
        self.changed = True

    def in_order(self) -> list[tuple[int, str, str]]:
        """Return sample, symbol and text of all annotations."""
        samples, symbols, notes = self._merged()
        return [
            (sample, symbol, notes.get(i, ""))
            for i, (sample, symbol) in enumerate(zip(samples.tolist(), symbols, strict=True))
        ]

    def _merged(self) -> tuple[NDArray[np.int64], list[str], dict[int, str]]:
        """Return samples and symbols of all annotations, and the texts by position.

        WFDB allows one annotation at a sample, so changes make way for beats.
        """
        taken = set(self.samples)
        changes: list[tuple[int, str, str]] = []
        for symbol, marks in (("+", self.rhythms), ("~", self.quality)):
            for sample, note in marks:
                free = sample
                while free in taken:
                    free += 1
                taken.add(free)
                changes.append((free, symbol, note))
        samples = np.array([*self.samples, *(one[0] for one in changes)], dtype=np.int64)
        symbols = [*self.symbols.decode(), *(one[1] for one in changes)]
        texts = {len(self.samples) + i: one[2] for i, one in enumerate(changes)}
        if self.notes:
            of_beats = enumerate(self.samples)
            texts |= {i: self.notes[sample] for i, sample in of_beats if sample in self.notes}
        order = np.argsort(samples)
        place = np.empty_like(order)
        place[order] = np.arange(len(order))
        return (
            samples[order],
            [symbols[i] for i in order.tolist()],
            {int(place[i]): text for i, text in texts.items()},
        )

    def write(self, directory: Path, name: str, *, fs: float, extension: str = EXTENSION) -> None:
        """Write the annotation file, whole or not at all.

        Raises
        ------
        RecordError
            If there is nothing to write.
        OSError
            If it cannot be written.
        """
        if not len(self):
            raise RecordError(f"no beat was found in record {name}: there is nothing to write")
        samples, symbols, texts = self._merged()
        unfit = {
            i: _UNREADABLE for i, text in texts.items() if symbols[i] == "~" and text != FIT_NOTE
        }
        scratch = directory / f".{name}.{extension}.new"
        scratch.write_bytes(encode(samples, symbols, fs=fs, subtypes=unfit, notes=texts))
        put_in_place(scratch, directory / f"{name}.{extension}")
        self.changed = False

    @classmethod
    def read(cls, directory: Path, name: str, *, extension: str = EXTENSION) -> "Marks":
        """Return the annotations that ``write`` wrote; none where there is no file.

        Raises
        ------
        RecordError
            If the file is damaged.
        """
        marks = cls()
        file = directory / f"{name}.{extension}"
        if not file.is_file():
            return marks
        try:
            samples, symbols, notes = decode(file.read_bytes())
        except ValueError as error:
            raise RecordError(
                f"{file} is damaged: {error}; move it away, and it is begun anew"
            ) from error
        for i, (sample, symbol) in enumerate(zip(samples, symbols, strict=True)):
            text = notes.get(i, "")
            if symbol == "+":
                marks.rhythms.append((sample, text))
            elif symbol == "~":
                marks.quality.append((sample, text))
            else:
                marks.add_beat(sample, symbol)
                if text:
                    marks.notes[sample] = text
        marks.changed = False
        return marks


def second_of(status: Status, *, fs: float) -> int:
    """Return where the second begins that a status ends.

    Examples
    --------
    >>> status = Status(sample=720, decided_sample=720, last_r=None, heart_rate_bpm=None, fit=True,
    ...     reason=None, warm_up=False, model=None, leads=())
    >>> second_of(status, fs=360.0)
    360
    """
    return max(0, status.sample - round(fs))

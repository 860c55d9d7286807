"""One stream of a patient in the archive: which records hold it, and what waits to be written."""

import math
from bisect import bisect_right
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from ecg.errors import RecordError
from ecg.files import sync_directory
from ecg.marks import Marks
from ecg.recording import Recording
from stream.archive_directory import safe_name, write_index
from stream.messages import NOT_A_DEVICE

_LONGEST_STREAM = 36
"""The WFDB library takes record names of up to 50 characters; the sample number takes 13."""


@dataclass(slots=True)
class Piece:
    """Where a record lies in its stream."""

    first_sample: int
    end_sample: int
    name: str
    fs: float


@dataclass(slots=True, eq=False, kw_only=True)
class Stream:
    """The records of a stream, on disk and to come.

    Reading and writing raises OSError where the disk does, and RecordError
    where a file is not as it was left.
    """

    directory: Path
    prefix: str
    comments: tuple[str, ...]
    pieces: list[Piece] = field(default_factory=list)
    """All its records, in order."""
    newest: Recording | None = None
    unsaved: list[Recording] = field(default_factory=list)
    marks: dict[str, Marks] = field(default_factory=dict)
    """By record: of the newest, and of those that something is still to be written for."""
    listed: bool = False
    """Whether the index names all its records; a process that was killed may have left one out."""
    heard_s: float = 0.0

    @classmethod
    def open(cls, root: Path, patient: str, stream: str) -> Self:
        """Return a stream with what is on disk of it."""
        found = cls(
            directory=root / safe_name(patient),
            prefix=safe_name(stream, longest=_LONGEST_STREAM) + "_",
            comments=(NOT_A_DEVICE, f"patient: {patient}", f"stream: {stream}"),
        )
        found._look_up()
        return found

    @property
    def end_sample(self) -> int | None:
        """One past the last sample that is there."""
        return self.pieces[-1].end_sample if self.pieces else None

    def at(self, sample: int) -> tuple[int, Marks] | None:
        """Return the first sample and the marks of the record that holds a sample."""
        i = bisect_right(self.pieces, sample, key=lambda piece: piece.first_sample) - 1
        if i < 0 or sample >= self.pieces[i].end_sample:
            return None
        piece = self.pieces[i]
        marks = self.marks.get(piece.name)
        if marks is None:
            marks = self.marks[piece.name] = Marks.read(self.directory, piece.name)
        return piece.first_sample, marks

    def save(self) -> int:
        """Write what waits; return the bytes of its samples."""
        self.directory.mkdir(parents=True, exist_ok=True)
        written = 0
        for recording in self.unsaved:
            self.listed &= recording.saved > 0
            written += recording.save()
        self.unsaved.clear()
        if not self.listed:
            names = sorted(file.stem for file in self.directory.glob("*.hea"))
            write_index(self.directory, names)
            self.listed = True
        for piece in self.pieces:
            marks = self.marks.get(piece.name)
            if marks is None:
                continue
            if marks.changed:
                marks.write(self.directory, piece.name, fs=piece.fs)
            if piece is not self.pieces[-1]:
                del self.marks[piece.name]
        sync_directory(self.directory)
        return written

    def _look_up(self) -> None:
        """Find out what is on disk."""
        found = []
        for file in self.directory.glob(f"{self.prefix}*.hea"):
            number = file.stem.removeprefix(self.prefix)
            if number.isascii() and number.isdigit():
                found.append(_piece(file, int(number)))
        self.pieces = sorted(found, key=lambda piece: piece.first_sample)
        if self.pieces:
            self.newest = Recording.open(self.directory, self.pieces[-1].name)


def _piece(file: Path, first_sample: int) -> Piece:
    """Return where a record lies, by its header's first line."""
    try:
        with file.open(encoding="ascii") as header:
            words = header.readline().split()
        fs, n_samples = float(words[2].partition("/")[0]), int(words[3])
        if not (0 < fs < math.inf and n_samples > 0):
            raise ValueError(f"{n_samples} samples at {fs} Hz")
    except (ValueError, IndexError) as error:
        raise RecordError(
            f"{file} is not as the archive writes it ({error}); move the record away, "
            "and a new one is begun"
        ) from error
    return Piece(first_sample, first_sample + n_samples, file.stem, fs)

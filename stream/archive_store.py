"""The archive on disk: streams of patients as WFDB records, and what was said of them.

A patient has a directory, a stream a record for each hour of it (hours by sample
number). A record ends early where the signals change, at a splice, and before a
gap of more than a minute (or 4 MB); shorter gaps are missing samples. So what is written
is a function of the messages alone, and positions tell what is there already:
messages may be read again.
"""

import logging
import math
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np

from ecg.chunk import MISSING
from ecg.errors import RecordError
from ecg.marks import Marks, second_of
from ecg.recording import Column, Recording
from stream.archive_directory import INDEX, list_patients
from stream.archive_stream import Piece, Stream
from stream.messages import FindingsMessage, Signal, Waveform

logger = logging.getLogger(__name__)

RECORD_S = 3600.0
"""Signal in a record: five megabytes with two leads, and the clock is stated anew each hour."""
FILL_S = 60.0
"""A longer gap is not filled: memory and disk never follow its length."""
FILL_BYTES = 4_000_000
"""Nor one that would take more than this: half a minute of sixteen signals at 4 kHz."""
IDLE_S = 600.0
"""A stream that brings nothing for so long is forgotten; the disk remembers it."""
WRITERS = 16
"""Patients who are written at a time: on an SSD 4 ms a file become less than one."""


@lru_cache(maxsize=10_000)
def columns_of(signals: tuple[Signal, ...]) -> tuple[Column, ...]:
    """Return the signals of a waveform as a record's columns."""
    return tuple(
        Column(name=s.name, kind=s.kind, unit=s.unit, gain=s.gain, baseline=s.baseline)
        for s in signals
    )


@dataclass(slots=True, eq=False)
class Store:
    """What one member of the role holds open of the archive.

    Reading and writing raises OSError where the disk does. A stream of which a
    file is not as it was left is passed over, and looked at again with every flush.

    Parameters
    ----------
    root : Path
        The archive's directory.
    """

    root: Path
    buffered_bytes: int = 0
    """Samples that wait for ``flush``."""
    counts: Counter[str] = field(default_factory=Counter)
    """Written so far: samples, missing (filled in for gaps), records, bytes; marks that lie in no
    record are unplaced."""
    _streams: dict[tuple[str, str], Stream] = field(default_factory=dict)
    _dirty: set[tuple[str, str]] = field(default_factory=set)
    _damaged: set[tuple[str, str]] = field(default_factory=set)
    """Streams that are passed over until the next flush."""
    _said: dict[tuple[str, str], str] = field(default_factory=dict)
    """What was last said of a damaged stream: once is enough."""

    def __len__(self) -> int:
        """Return how many streams are held."""
        return len(self._streams)

    def take(self, waveform: Waveform, *, now_s: float = 0.0) -> str:
        """Take a waveform; return how it follows: next, gap, overlap, repeat.

        Or ``refused``, if no header can state it, or ``damaged``, if a file of its
        stream is not as it was left.
        """
        if not _can_be_kept(waveform):
            return "refused"
        stream = self._stream(waveform.patient, waveform.stream)
        if stream is None:
            return "damaged"
        stream.heard_s = now_s
        columns = columns_of(waveform.signals)
        row = 2 * len(columns)
        first, end = waveform.first_sample, stream.end_sample
        if not waveform.samples or (
            end is not None and first + len(waveform.samples) // row <= end
        ):
            return "repeat"
        if end is None:
            self._begin(stream, waveform, first)
            order = "next"
        else:
            order = self._follow(stream, waveform, end)
        skipped = max(0, (end or 0) - first)
        self._append(stream, waveform, first + skipped, waveform.samples[skipped * row :])
        self._dirty.add((waveform.patient, waveform.stream))
        return order

    def _follow(self, stream: Stream, waveform: Waveform, end: int) -> str:
        """Get the stream ready for a waveform that reaches beyond its end."""
        gap = waveform.first_sample - end
        newest = stream.newest
        if (
            newest is None
            or newest.columns != columns_of(waveform.signals)
            or newest.fs != waveform.fs
            or (waveform.discontinuity and gap >= 0)
            or gap > FILL_S * waveform.fs
            or gap * 2 * len(newest.columns) > FILL_BYTES
        ):
            self._begin(stream, waveform, max(end, waveform.first_sample))
        elif gap > 0:
            missing = np.full(gap * len(newest.columns), MISSING, dtype="<i2").tobytes()
            self._append(stream, waveform, end, missing)
            self.counts["missing"] += gap
        return "gap" if gap > 0 else "overlap" if gap < 0 else "next"

    def _append(self, stream: Stream, waveform: Waveform, first: int, rows: bytes) -> None:
        """Append samples from ``first`` on, cut at the hours."""
        row = 2 * len(waveform.signals)
        hour = round(RECORD_S * waveform.fs)
        while rows:
            newest = stream.newest
            if newest is None or (first % hour == 0 and newest.first_sample < first):
                newest = self._begin(stream, waveform, first)
            if not newest.n_waiting:
                stream.unsaved.append(newest)
            part = rows[: (hour - first % hour) * row]
            newest.append(part)
            rows = rows[len(part) :]
            first += len(part) // row
            stream.pieces[-1].end_sample = first
            self.buffered_bytes += len(part)
            self.counts["samples"] += len(part) // row

    def _begin(self, stream: Stream, waveform: Waveform, first: int) -> Recording:
        """Begin a record with sample ``first``; its files come with the next ``flush``."""
        name = f"{stream.prefix}{first:012}"
        ahead_ns = round((first - waveform.first_sample) / waveform.fs * 1e9)
        start_ns = max(0, waveform.source_ns + ahead_ns)
        splice = waveform.discontinuity and first == waveform.first_sample
        stream.newest = Recording(
            directory=stream.directory,
            name=name,
            fs=waveform.fs,
            columns=columns_of(waveform.signals),
            first_sample=first,
            start_ns=start_ns,
            comments=(
                *stream.comments,
                f"first sample: {first} of the stream, at {start_ns} ns UTC",
                *(["discontinuity: does not continue the record before it"] if splice else []),
            ),
        )
        stream.pieces.append(Piece(first, first, name, waveform.fs))
        self.counts["records"] += 1
        return stream.newest

    def mark(self, message: FindingsMessage, *, final: bool = False) -> bool:
        """Write down what was said of samples.

        Parameters
        ----------
        message : FindingsMessage
            What was said.
        final : bool
            True when all waveforms that were there before it have been taken:
            what lies outside all records then never gets one.

        Returns
        -------
        bool
            False if samples of it may still come; nothing was taken.
        """
        seconds = [second_of(status, fs=message.fs) for status in message.statuses]
        last = max(
            (
                *(beat.sample for beat in message.beats),
                *(window.first_sample for window in message.windows),
                *seconds,
            ),
            default=None,
        )
        if last is None:
            return True
        key = (message.patient, message.stream)
        stream = self._stream(*key)
        if stream is None:
            return True
        if not final and last >= (stream.end_sample or 0):
            return False
        self._dirty.add(key)
        try:
            self._mark(stream, message, seconds)
        except RecordError as error:
            self._say(key, error)
        return True

    def _mark(self, stream: Stream, message: FindingsMessage, seconds: list[int]) -> None:
        """Write down what lies in the records of a stream; a status where its second begins."""
        for beat in message.beats:
            if found := self._at(stream, beat.sample):
                found[1].take_beat(beat, first_sample=found[0])
        for window in message.windows:
            if found := self._at(stream, window.first_sample):
                found[1].take_window(window, first_sample=found[0])
        for second, status in zip(seconds, message.statuses, strict=True):
            if found := self._at(stream, second):
                found[1].take_status(status, fs=message.fs, first_sample=found[0])

    def _at(self, stream: Stream, sample: int) -> tuple[int, Marks] | None:
        """Return the first sample and the marks of the record that holds a sample."""
        found = stream.at(sample)
        if found is None:
            self.counts["unplaced"] += 1
        return found

    def flush(self, *, now_s: float = 0.0, seen: Callable[[], None] = lambda: None) -> None:
        """Put everything on disk; once this returns, no power cut loses it.

        Parameters
        ----------
        now_s : float
            Streams that were last heard long before this are forgotten.
        seen : callable
            Called after each patient.
        """
        patients: dict[Path, list[Stream]] = {}
        for key in sorted(self._dirty):
            patients.setdefault(self._streams[key].directory, []).append(self._streams[key])
        unknown = any(not (directory / INDEX).is_file() for directory in patients)
        # disks take many writes at a time, and each waits for them
        with ThreadPoolExecutor(WRITERS) as writers:
            for written in writers.map(_save_all, patients.values()):
                self.counts["bytes"] += written
                seen()
        if unknown:
            list_patients(self.root)
        self._dirty.clear()
        self._damaged.clear()
        self.buffered_bytes = 0
        for key, stream in list(self._streams.items()):
            if now_s - stream.heard_s > IDLE_S:
                del self._streams[key]

    def forget(self, mine: Callable[[str], bool]) -> None:
        """Forget the streams of patients for whom ``mine`` is false, unsaved samples as well."""
        for key, stream in list(self._streams.items()):
            if not mine(key[0]):
                self.buffered_bytes -= sum(
                    len(rows) for recording in stream.unsaved for rows in recording.waiting
                )
                del self._streams[key]
                self._dirty.discard(key)

    def _stream(self, patient: str, stream: str) -> Stream | None:
        """Return a stream, None if it is passed over for now."""
        key = (patient, stream)
        found = self._streams.get(key)
        if found is None and key not in self._damaged:
            try:
                found = self._streams[key] = Stream.open(self.root, patient, stream)
            except RecordError as error:
                self._damaged.add(key)
                self._say(key, error)
        return found

    def _say(self, key: tuple[str, str], error: RecordError) -> None:
        """Say once what is not as it was left; it must not keep the other patients back."""
        if self._said.get(key) != str(error):
            self._said[key] = str(error)
            logger.error("patient %s is passed over: %s", key[0], error)


def _save_all(streams: list[Stream]) -> int:
    """Write the streams of a patient; return the bytes of their samples."""
    return sum(stream.save() for stream in streams)


def _can_be_kept(waveform: Waveform) -> bool:
    """Return whether a header can say what the waveform says of itself."""
    return 1 <= waveform.fs <= 100_000 and all(math.isfinite(s.gain) for s in waveform.signals)

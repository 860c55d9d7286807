"""Recordings through the monitor, as it would hear them live.

Records are heard in company, some at a time in one monitor, which changes nothing
in what is said of each.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from ecg.annotation import Annotations, read_annotations
from ecg.chunk import Chunk
from ecg.device import one_thread
from ecg.finding import BEAT_CLASSES, Beat, Findings
from ecg.judge import Judge
from ecg.metrics import NOT_JUDGED
from ecg.monitor import Monitor
from ecg.reader import read_record
from ecg.record import Record
from ecg.turn import OnBeat
from training.heard import Heard

CHUNK_S = 0.25
"""Signal a chunk, as live; the findings do not depend on it."""
COMPANY = 24
"""Records heard at a time; more are not faster, and all are held in memory."""
HELD_S = 0.4
"""How long the last value is held after a record's end, so that a last QRS passes the filters;
missing samples would make it unfit to be judged. Then a discontinuity ends the signal, and what
waits is judged: a flat line for longer is a signal of its own, in which beats are looked for."""

Advance = Callable[[float], None]
"""Called with the signal that has been heard since the last call, in s."""


def evaluate(
    directory: str | Path,
    names: Sequence[str],
    *,
    judge: Judge | None,
    chunk_s: float = CHUNK_S,
    company: int = COMPANY,
    on_heard: Advance | None = None,
    on_beat: OnBeat | None = None,
) -> list[Heard]:
    """Hear records through ``Monitor`` and return what it said of each.

    Parameters
    ----------
    directory : str or Path
        Where the records are.
    names : sequence of str
        Which, as ``select`` gives them.
    judge : Judge or None
        The model; without one no beat has a class.
    chunk_s : float
        Duration of a chunk, in s.
    company : int
        Records heard at a time.
    on_heard, on_beat : callable, optional
        Told of progress, and of every beat before it is judged.

    Returns
    -------
    list of Heard
        In the order of ``names``.

    Raises
    ------
    EcgError
        If a record cannot be read or judged.
    """
    heard = []
    for start in range(0, len(names), company):
        paths = [Path(directory) / name for name in names[start : start + company]]
        heard += hear([annotated(path) for path in paths], judge=judge, chunk_s=chunk_s,
                      on_heard=on_heard, on_beat=on_beat)  # fmt: skip
    return heard


def annotated(path: Path) -> tuple[Record, Annotations]:
    """Read a record and what people said of it.

    Raises
    ------
    RecordError
        If one of them cannot be read.
    """
    record = read_record(path)
    return record, read_annotations(path, fs=record.fs, n_samples=record.n_samples)


def hear(
    records: Sequence[tuple[Record, Annotations]],
    *,
    judge: Judge | None,
    chunk_s: float = CHUNK_S,
    on_heard: Advance | None = None,
    on_beat: OnBeat | None = None,
) -> list[Heard]:
    """Let one monitor hear records at the same time and return what it said of each.

    Parameters
    ----------
    records : sequence of (Record, Annotations)
        In memory; their names differ.
    judge : Judge or None
        The model; without one no beat has a class.
    chunk_s : float
        Duration of a chunk, in s.
    on_heard, on_beat : callable, optional
        Told of progress, and of every beat before it is judged.

    Raises
    ------
    EcgError
        If a record cannot be judged.
    """
    listening = {
        record.name: _Listening(record=record, annotations=truth) for record, truth in records
    }
    monitor = Monitor(judge, on_beat=on_beat)
    streams = [as_live(item.record, chunk_s) for item in listening.values()]
    with one_thread():
        while chunks := [c for stream in streams if (c := next(stream, None)) is not None]:
            for findings in monitor.advance(chunks):
                listening[findings.patient].take(findings)
            if on_heard is not None:
                on_heard(sum(_length_s(c, listening[c.patient].record) for c in chunks))
    return [item.heard() for item in listening.values()]


@dataclass(slots=True, kw_only=True)
class _Listening:
    """A record on its way through the monitor."""

    record: Record
    annotations: Annotations
    beats: list[Beat] = field(default_factory=list)
    seconds: dict[int, bool] = field(default_factory=dict)
    vf: set[int] = field(default_factory=set)

    def take(self, findings: Findings) -> None:
        self.beats += findings.beats
        for status in findings.statuses:
            if status.sample <= self.record.n_samples:
                self.seconds[status.sample] = status.fit
        self.vf.update(w.end_sample for w in findings.windows if w.rhythm == "vf")

    def heard(self) -> Heard:
        nothing = Heard(
            name=self.record.name,
            fs=self.record.fs,
            n_samples=self.record.n_samples,
            annotations=self.annotations,
            samples=np.empty(0, dtype=np.int64),
            classes=np.empty(0, dtype="<U1"),
            delays_s=np.empty(0),
            probabilities=np.empty((0, len(BEAT_CLASSES))),
            seconds=np.array(list(self.seconds), dtype=np.int64),
            fit=np.array(list(self.seconds.values()), dtype=bool),
            vf=np.array([second in self.vf for second in self.seconds], dtype=bool),
        )
        return with_beats(nothing, self.beats)


def with_beats(heard: Heard, beats: Sequence[Beat]) -> Heard:
    """Return ``heard`` with these beats in place of its own; what lies beyond its end is left out.

    Parameters
    ----------
    heard : Heard
        Of which record, and what was said of its seconds.
    beats : sequence of Beat
        As they were said; of two at one sample the later one counts.
    """
    by_sample = {beat.sample: beat for beat in beats if beat.sample < heard.n_samples}
    kept = [by_sample[sample] for sample in sorted(by_sample)]
    delays = [beat.decided_sample - beat.sample for beat in kept]
    unknown = (np.nan,) * len(BEAT_CLASSES)
    return replace(
        heard,
        samples=np.array([beat.sample for beat in kept], dtype=np.int64),
        classes=np.array([beat.beat_class or NOT_JUDGED for beat in kept], dtype="<U1"),
        delays_s=np.array(delays, dtype=np.float64) / heard.fs,
        probabilities=np.array(
            [beat.probabilities or unknown for beat in kept], dtype=np.float64
        ).reshape(-1, len(BEAT_CLASSES)),
    )


def as_live(record: Record, chunk_s: float) -> Iterator[Chunk]:
    """Yield a record chunk by chunk, and what makes its last beats known."""
    yield from record.chunks(record.name, "evaluate", duration_s=chunk_s)
    if not record.n_samples:
        return
    held = round(HELD_S * record.fs)
    for first, n, ends in ((0, held, False), (held, 1, True)):
        yield Chunk(
            patient=record.name,
            stream="evaluate",
            first_sample=record.n_samples + first,
            fs=record.fs,
            leads=record.leads,
            samples=np.repeat(record.samples[-1:], n, axis=0),
            gain=record.gain,
            baseline=record.baseline,
            discontinuity=ends,
        )


def _length_s(chunk: Chunk, record: Record) -> float:
    return max(0, min(chunk.end_sample, record.n_samples) - chunk.first_sample) / chunk.fs

"""Evaluation: recordings through the monitor, as it would hear them live, scored by EC57.

The front door calls ``run``, which shows progress and prints; ``evaluate`` does
the work. Records are heard in company, some at a time in one monitor, which
changes nothing in what is said of each.
"""

import json
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import wfdb
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from ecg.annotation import Annotations, read_annotations
from ecg.checkpoint import SHIPPED, load
from ecg.chunk import Chunk
from ecg.errors import RecordError
from ecg.finding import BEAT_CLASSES, Beat, Findings
from ecg.judge import Judge
from ecg.marks import Marks, symbol_of
from ecg.metrics import LEARNING_S, NOT_JUDGED
from ecg.monitor import Monitor
from ecg.record import Record, read_record, record_names
from training.report import write_report
from training.scorecard import Heard, markdown_of, scorecard, table_of
from training.split import NAMED

logger = logging.getLogger(__name__)

CHUNK_S = 0.25
"""Signal a chunk, as live; the findings do not depend on it."""
COMPANY = 24
"""Records heard at a time; more are not faster, and all are held in memory."""
FLUSH_S = 3.0
"""How long the last value is held after a record's end, so that its last beats reach their
time limit; missing samples would make them unfit to be judged."""

Advance = Callable[[float], None]
"""Called with the signal that has been heard since the last call, in s."""


def run(
    directory: str | Path,
    *,
    records: str = "all",
    json_file: str | Path | None = None,
    annotations: str | Path | None = None,
    report: str | Path | None = None,
    markdown: str | Path | None = None,
    weights: Path = SHIPPED,
    device: str = "auto",
    from_s: float = LEARNING_S,
    console: Console | None = None,
) -> dict[str, Any]:
    """Evaluate with a progress bar, print the table, and write what was asked for.

    Parameters
    ----------
    directory : str or Path
        WFDB records with beat annotations (``.atr``).
    records : str
        ``all``, ``ds1``, ``ds2``, ``ds2-strict``, or names with commas between.
    json_file : str or Path, optional
        Where the figures go as JSON; ``-`` prints them in place of the table.
    annotations : str or Path, optional
        Directory for WFDB annotation files (``.rw``) of the beats that were found.
    report : str or Path, optional
        Where an HTML page goes that shows the figures and the strips judged wrong.
    markdown : str or Path, optional
        Where the gross figures go as a Markdown table.
    weights : Path
        The model.
    device : {"auto", "cpu", "cuda"}
        Where it runs.
    from_s : float
        Learning time, in s, that is not scored: 300 by EC57.
    console : Console, optional
        Where to print; standard output without it. The progress bar goes to standard error.

    Returns
    -------
    dict
        The figures, as ``training.scorecard.scorecard`` gives them.

    Raises
    ------
    EcgError
        If a record or the weights cannot be used; nothing is written then.
    """
    out = console or Console()
    judge = load(weights, device=device)
    bar = Progress(
        TextColumn("hearing {task.description}"),
        BarColumn(),
        TextColumn("{task.completed:.0f} of {task.total:.0f} min"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )
    names = select(directory, records)
    with bar:
        task = bar.add_task(f"{len(names)} records", total=_minutes(directory, names))
        heard = evaluate(
            directory, names, judge=judge, on_heard=lambda s: bar.advance(task, s / 60)
        )
    card = scorecard(heard, from_s=from_s)
    if card["qrs"]["se"] is None:
        logger.warning("nothing is scored: no annotated beat comes after the first %g s", from_s)
    if annotations is not None:
        for one in heard:
            write_found(annotations, one)
    if report is not None:
        write_report(report, card, heard, directory=directory, model=judge.version)
    if markdown is not None:
        Path(markdown).write_text(markdown_of(card), encoding="utf-8")
    text = json.dumps(card, indent=2) + "\n"
    if json_file is not None and str(json_file) != "-":
        Path(json_file).write_text(text, encoding="utf-8")
    if str(json_file) == "-":
        out.file.write(text)
    else:
        out.print(table_of(card))
    return card


def evaluate(
    directory: str | Path,
    names: Sequence[str],
    *,
    judge: Judge | None,
    chunk_s: float = CHUNK_S,
    company: int = COMPANY,
    on_heard: Advance | None = None,
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
    on_heard : callable, optional
        Told of progress.

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
    with _one_thread():
        for start in range(0, len(names), company):
            heard += _hear(directory, names[start : start + company], judge, chunk_s, on_heard)
    return heard


def select(directory: str | Path, records: str) -> tuple[str, ...]:
    """Return the names of the records to evaluate.

    Parameters
    ----------
    directory : str or Path
        Where they are.
    records : str
        ``all`` (those with beat annotations), the name of a list of
        ``training.split``, or names with commas between.

    Returns
    -------
    tuple of str
        Their names.

    Raises
    ------
    RecordError
        If one is not there, or none has beat annotations.
    """
    there = record_names(directory)
    if records == "all":
        names = tuple(name for name in there if _has_beats(Path(directory) / name))
        if not names:
            raise RecordError(
                f"no record in {directory} has beat annotations (.atr) to score against; "
                "name a directory that has them, such as mitdb"
            )
        return names
    names = NAMED.get(records.lower()) or tuple(
        name.strip() for name in records.split(",") if name.strip()
    )
    absent = [name for name in names if name not in there]
    if absent or not names:
        raise RecordError(
            f"records must be all, {', '.join(NAMED)}, or names in {directory} with commas "
            f"between; not there: {', '.join(absent) or repr(records)}"
        )
    for name in names:
        if not _has_beats(Path(directory) / name):
            raise RecordError(f"record {name} in {directory} has no beat annotations to score by")
    return names


def write_found(directory: str | Path, heard: Heard) -> None:
    """Write the beats that were found as a WFDB annotation file, ``NAME.rw``.

    Its symbols are N, S, V, F and Q; a beat that was not judged is a Q. The
    programs of the WFDB package score it again: ``bxb -r NAME -a atr rw``.

    Raises
    ------
    RecordError
        If there is no beat to write.
    """
    Path(directory).mkdir(parents=True, exist_ok=True)
    marks = Marks()
    for sample, label in zip(heard.samples.tolist(), heard.classes.tolist(), strict=True):
        marks.add_beat(sample, symbol_of(None if label == NOT_JUDGED else label))
    marks.write(Path(directory), heard.name, fs=heard.fs)


@dataclass(slots=True, kw_only=True)
class _Listening:
    """A record on its way through the monitor."""

    record: Record
    annotations: Annotations
    beats: dict[int, Beat] = field(default_factory=dict)
    seconds: dict[int, bool] = field(default_factory=dict)

    def take(self, findings: Findings) -> None:
        for beat in findings.beats:
            if beat.sample < self.record.n_samples:
                self.beats[beat.sample] = beat
        for status in findings.statuses:
            if status.sample <= self.record.n_samples:
                self.seconds[status.sample] = status.fit

    def heard(self) -> Heard:
        beats = [self.beats[sample] for sample in sorted(self.beats)]
        delays = [beat.decided_sample - beat.sample for beat in beats]
        unknown = (np.nan,) * len(BEAT_CLASSES)
        return Heard(
            name=self.record.name,
            fs=self.record.fs,
            annotations=self.annotations,
            samples=np.array([beat.sample for beat in beats], dtype=np.int64),
            classes=np.array([beat.beat_class or NOT_JUDGED for beat in beats], dtype="<U1"),
            delays_s=np.array(delays, dtype=np.float64) / self.record.fs,
            probabilities=np.array(
                [beat.probabilities or unknown for beat in beats], dtype=np.float64
            ).reshape(-1, len(BEAT_CLASSES)),
            seconds=np.array(list(self.seconds), dtype=np.int64),
            fit=np.array(list(self.seconds.values()), dtype=bool),
        )


def _hear(
    directory: str | Path,
    names: Sequence[str],
    judge: Judge | None,
    chunk_s: float,
    on_heard: Advance | None,
) -> list[Heard]:
    listening: dict[str, _Listening] = {}
    for name in names:
        record = read_record(Path(directory) / name)
        found = read_annotations(Path(directory) / name, n_samples=record.n_samples)
        listening[name] = _Listening(record=record, annotations=found)
    monitor = Monitor(judge)
    streams = [_stream(item.record, chunk_s) for item in listening.values()]
    while chunks := [chunk for stream in streams if (chunk := next(stream, None)) is not None]:
        for findings in monitor.advance(chunks):
            listening[findings.patient].take(findings)
        if on_heard is not None:
            on_heard(sum(_length_s(chunk, listening[chunk.patient].record) for chunk in chunks))
    return [item.heard() for item in listening.values()]


@contextmanager
def _one_thread() -> Iterator[None]:
    # two threads make this small LSTM up to a hundred times slower where cores are shared
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _stream(record: Record, chunk_s: float) -> Iterator[Chunk]:
    yield from record.chunks(record.name, "evaluate", duration_s=chunk_s)
    if not record.n_samples:
        return
    yield Chunk(
        patient=record.name,
        stream="evaluate",
        first_sample=record.n_samples,
        fs=record.fs,
        leads=record.leads,
        samples=np.repeat(record.samples[-1:], round(FLUSH_S * record.fs), axis=0),
        gain=record.gain,
        baseline=record.baseline,
    )


def _length_s(chunk: Chunk, record: Record) -> float:
    return max(0, min(chunk.end_sample, record.n_samples) - chunk.first_sample) / chunk.fs


def _has_beats(path: Path) -> bool:
    if not path.with_name(f"{path.name}.atr").is_file():
        return False
    return len(read_annotations(path).beats()[0]) > 0


def _minutes(directory: str | Path, names: Sequence[str]) -> float:
    heads = (wfdb.rdheader(str(Path(directory) / name)) for name in names)
    return float(sum((head.sig_len or 0) / head.fs / 60 for head in heads))

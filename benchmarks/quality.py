"""When is a signal called unfit, on purpose and by mistake: ``python -m benchmarks.quality``.

Clean recordings (nobody may be told that a good signal is bad), recordings with
noise of known size (a judgement made of noise is worth nothing and has to be
withheld), and asystole (a heart that stands still is no lead fault). Only
recordings that may be learnt from are used: DS1, the paced records, and
databases of no final examination.
"""

import argparse
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.figures import write_figures
from ecg.annotation import Annotations, read_annotations
from ecg.chunk import Chunk
from ecg.errors import RecordError
from ecg.metrics import MATCH_S, match_beats
from ecg.monitor import Monitor
from ecg.reader import read_record, record_names
from ecg.record import Record
from ecg.script import Step
from ecg.simulator import Simulator
from training.hearing import as_live
from training.noise import NOISES, NOISY_FROM_S, SNRS_DB, STRESSED, add_noise, stretches, title
from training.page import put_between
from training.split import DS1, PACED

STRESS_S = 900.0
"""How much of a record is stressed: the clean start and three noisy stretches."""
ALARM_AT_S, ALARM_S = 300.0, 10.0
"""When the alarms of challenge2015 sound, and the seconds before, which show why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What was said of one kind of signal; shares are fractions, None where nothing counts."""

    what: str
    minutes: float
    unfit: float | None
    """Share of the seconds."""
    reasons: str
    se_fit: float | None
    ppv_fit: float | None
    """Of QRS complexes in the seconds called fit."""
    se_unfit: float | None
    ppv_unfit: float | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Said:
    """What the monitor said of a recording, second by second."""

    fs: float
    reasons: tuple[str | None, ...]
    """Of the second that ends at each position, from the first on; None where fit."""
    beats: NDArray[np.int64]


def said_of(record: Record) -> Said:
    """Let a monitor without a model hear a recording, its last second as well."""
    said = said_live(as_live(record, 1.0))
    return replace(
        said,
        reasons=said.reasons[: int(record.duration_s)],
        beats=said.beats[said.beats < record.n_samples],
    )


def said_live(chunks: Iterator[Chunk]) -> Said:
    """Let a monitor without a model hear a signal; of its last second nothing is said yet."""
    monitor = Monitor()
    reasons: list[str | None] = []
    beats: list[int] = []
    fs = 0.0
    for chunk in chunks:
        fs = chunk.fs
        for findings in monitor.advance([chunk]):
            reasons += [status.reason for status in findings.statuses]
            beats += [beat.sample for beat in findings.beats]
    return Said(fs=fs, reasons=tuple(reasons), beats=np.array(beats, np.int64))


class Count:
    """Adds up seconds and beats of some recordings, of all or of some stretches."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._reasons: Counter[str | None] = Counter()
        self._qrs = np.zeros((2, 3), np.int64)  # fit, unfit; true, missed, false

    def add(
        self, said: Said, truth: Annotations | None, during: NDArray[np.bool_] | None = None
    ) -> None:
        """Add a recording, or the seconds of it that ``during`` names."""
        n = len(said.reasons)
        during = np.ones(n, bool) if during is None else during[:n]
        self._reasons.update(r for r, now in zip(said.reasons, during, strict=False) if now)
        if truth is None:
            return
        unfit = np.array([r is not None for r in said.reasons])
        reference, _ = truth.beats()
        partner = match_beats(reference, said.beats, window=int(MATCH_S * said.fs))
        true = np.zeros(len(said.beats), bool)
        true[partner[partner >= 0]] = True
        for samples, hits, column in ((reference, partner >= 0, 1), (said.beats, true, 2)):
            seconds = (samples / said.fs).astype(np.int64)
            for second, hit in zip(seconds.tolist(), hits.tolist(), strict=True):
                flutter = any(a <= second * said.fs < b for a, b in truth.flutter)
                if second >= n or not during[second] or flutter:
                    continue
                if not hit:
                    self._qrs[int(unfit[second]), column] += 1
                elif column == 1:
                    self._qrs[int(unfit[second]), 0] += 1

    def row(self) -> Row:
        """Return the shares."""
        n = self._reasons.total()
        named = [(r, k) for r, k in self._reasons.most_common() if r is not None]
        scores = [
            int(true) / int(true + wrong) if true + wrong else None
            for true, missed, false in self._qrs
            for wrong in (missed, false)
        ]
        return Row(
            what=self._what,
            minutes=n / 60,
            unfit=sum(k for _, k in named) / n if n else None,
            reasons=", ".join(f"{r} {k / n:.4f}" for r, k in named),
            se_fit=scores[0],
            ppv_fit=scores[1],
            se_unfit=scores[2],
            ppv_unfit=scores[3],
        )


def clean(data: Path, database: str, names: Sequence[str], *, seconds: float | None = None) -> Row:
    """Measure recordings as they are."""
    count = Count(f"{database}, {len(names)} records")
    for name in names:
        record = _cut(read_record(data / database / name), seconds)
        truth = _beats_of(data / database / name, record)
        count.add(said_of(record), truth)
    return count.row()


def stress(
    data: Path,
    noise: str,
    snr_db: float,
    *,
    names: Sequence[str] = STRESSED,
    seconds: float = STRESS_S,
) -> list[Row]:
    """Measure records with noise added by the rule of the Noise Stress Test Database."""
    what = title(names, noise, snr_db)
    counts = Count(f"{what}: in noise"), Count(f"{what}: between")
    disturbance = read_record(data / "nstdb" / noise)
    for name in names:
        record = _cut(read_record(data / "mitdb" / name), seconds)
        truth = _truth(data / "mitdb" / name, record)
        noisy = add_noise(record, truth, disturbance.millivolts(), snr_db)
        said = said_of(noisy)
        for count, during in zip(counts, stretches(len(said.reasons)), strict=True):
            count.add(said, truth, during)
    return [count.row() for count in counts]


def ready_made(data: Path, name: str) -> list[Row]:
    """Measure a record of the Noise Stress Test Database; its samples lie 5 mV below zero."""
    record = read_record(data / "nstdb" / name)
    truth = _truth(data / "nstdb" / name, record)
    said = said_of(record)
    rows = []
    for words, during in zip(("in noise", "between"), stretches(len(said.reasons)), strict=True):
        count = Count(f"nstdb {name}: {words}")
        count.add(said, truth, during)
        rows.append(count.row())
    return rows


def offset(data: Path, names: Sequence[str] = STRESSED, *, offset_mv: float = -5.0) -> Row:
    """Measure clean records that lie ``offset_mv`` off zero."""
    count = Count(f"{' and '.join(names)}, {offset_mv:g} mV off zero")
    for name in names:
        record = _cut(read_record(data / "mitdb" / name), NOISY_FROM_S)
        shifted = tuple(
            round(b - offset_mv * g) for b, g in zip(record.baseline, record.gain, strict=True)
        )
        truth = _truth(data / "mitdb" / name, record)
        count.add(said_of(replace(record, baseline=shifted)), truth)
    return count.row()


def asystole(data: Path) -> list[Row]:
    """Measure hearts that stand still: true alarms, annotated stretches, simulated ones."""
    count = Count("simulated asystole")
    for seed in range(10):
        script = (Step(duration_s=20), Step(duration_s=40, rhythm="asystole"))
        simulator = Simulator(script, fs=250.0, seed=seed)
        said = said_live(simulator.chunks("p", "s", duration_s=1.0))
        count.add(said, None, np.arange(len(said.reasons)) >= 20)
    return [*marked(data, "Asystole", "ASYS"), count.row()]


def marked(data: Path, alarm: str, rhythm: str) -> list[Row]:
    """Measure the seconds before true alarms of a kind, and stretches marked as a rhythm."""
    before = Count(f"challenge2015, {ALARM_S:g} s before true alarms: {alarm}")
    for name in _true_alarms(data / "challenge2015", alarm):
        record = _cut(read_record(data / "challenge2015" / name), ALARM_AT_S)
        said = said_of(record)
        before.add(said, None, np.arange(len(said.reasons)) >= ALARM_AT_S - ALARM_S)
    during = Count(f"vfdb, stretches marked {rhythm}")
    for name in record_names(data / "vfdb"):
        record = read_record(data / "vfdb" / name)
        truth = _truth(data / "vfdb" / name, record)
        still = [s for s in truth.rhythms if s.rhythm == rhythm]
        if not still:
            continue
        said = said_of(record)
        second = np.arange(len(said.reasons)) * record.fs
        inside = [(second >= s.first_sample) & (second < s.end_sample) for s in still]
        during.add(said, None, np.any(inside, axis=0))
    return [before.row(), during.row()]


def measured(data: Path) -> list[Row]:
    """Measure everything."""
    parts: list[Callable[[], Sequence[Row]]] = [
        lambda: [clean(data, "mitdb", [*DS1, *PACED])],
        lambda: [clean(data, "svdb", record_names(data / "svdb"))],
        lambda: [clean(data, "vfdb", record_names(data / "vfdb")), offset(data)],
        lambda: asystole(data),
        lambda: marked(data, "Ventricular_Tachycardia", "VT"),
        lambda: marked(data, "Ventricular_Flutter_Fib", "VFIB"),
        *(partial(ready_made, data, name) for name in ("118e06", "119e06")),
        *(partial(stress, data, noise, snr_db) for noise in NOISES for snr_db in SNRS_DB),
    ]
    return [row for part in track(parts, "signals", console=Console(stderr=True)) for row in part()]


HEADINGS = ("signal", "min", "unfit", "reasons", "QRS Se fit", "+P fit", "Se unfit", "+P unfit")


def markdown(rows: Sequence[Row]) -> str:
    """Return the table for docs/concepts/quality.md."""
    lines = [f"| {' | '.join(HEADINGS)} |", f"|---|--:|--:|---|{'--:|' * 4}"]
    lines += [f"| {' | '.join(_cells(row))} |" for row in rows]
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print a table and JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="directory that holds mitdb/ etc.")
    parser.add_argument("--json", metavar="FILE", default="-", help="where to; - prints it")
    parser.add_argument(
        "--markdown", metavar="FILE", type=Path, help="page to write the table into"
    )
    options = parser.parse_args(arguments)
    if not (options.data / "mitdb").is_dir():
        raise RecordError(f"--data must hold mitdb/, svdb/, vfdb/, nstdb/: {options.data} does not")
    rows = measured(options.data)
    table = Table(title="What is called unfit to be judged; shares of seconds, QRS from the start")
    for heading in HEADINGS:
        table.add_column(heading, justify="left" if heading in ("signal", "reasons") else "right")
    for row in rows:
        table.add_row(*_cells(row))
    Console(stderr=True).print(table)
    if options.markdown is not None:
        put_between(options.markdown, markdown(rows), name="quality")
    write_figures([asdict(row) for row in rows], options.json)


def _cells(row: Row) -> list[str]:
    shares = (row.se_fit, row.ppv_fit, row.se_unfit, row.ppv_unfit)
    said = ["-" if share is None else f"{share:.4f}" for share in (row.unfit, *shares)]
    return [row.what, f"{row.minutes:.1f}", said[0], row.reasons or "-", *said[1:]]


def _cut(record: Record, seconds: float | None) -> Record:
    if seconds is None:
        return record
    return replace(record, samples=record.samples[: round(seconds * record.fs)])


def _truth(path: Path, record: Record) -> Annotations:
    return read_annotations(path, fs=record.fs, n_samples=record.n_samples)


def _beats_of(path: Path, record: Record) -> Annotations | None:
    truth = _truth(path, record)
    return truth if len(truth.beats()[0]) else None


def _true_alarms(directory: Path, alarm: str) -> list[str]:
    """Return the records of true alarms of a kind."""
    lines = (directory / "ALARMS").read_text(encoding="utf-8").splitlines()
    parts = [line.split(",") for line in lines if line]
    return [name for name, kind, true in parts if kind == alarm and true == "1"]


if __name__ == "__main__":
    main()

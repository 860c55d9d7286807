"""Does it hold where the recording is not as expected: ``python -m benchmarks.robustness``.

The same records as they are and changed: one lead only, leads swapped, another
sampling rate, a wrong gain, turned upside down. Then another database, which a
fair table wants unknown to the model (``--stranger``), and short recordings that
are normal or noise, on which every ventricular beat and every second of
fibrillation is a false alarm in the making. Records of DS2 are refused unless
``--ds2`` is said: they examine, and the evaluation logs who looked.
"""

import argparse
import csv
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table
from scipy import signal

from benchmarks.figures import write_figures
from benchmarks.robustness_page import markdown
from ecg.annotation import Annotations
from ecg.checkpoint import SHIPPED, load
from ecg.chunk import MISSING
from ecg.judge import Judge
from ecg.metrics import LEARNING_S
from ecg.reader import read_record, record_names
from ecg.record import Record
from training.ds2_log import bar_from_ci, log_run
from training.hearing import COMPANY, annotated, hear
from training.page import put_between
from training.scorecard import brief, scorecard
from training.split import DS1, DS2

RATES = (128.0, 250.0, 300.0, 360.0, 500.0)
GAINS = (0.25, 0.5, 2.0, 4.0)
SHORT = {"N": "normal", "~": "noise"}
"""Labels of challenge2017 whose records are heard."""

Change = Callable[[Record, Annotations], tuple[Record, Annotations]]


def one_lead(record: Record, truth: Annotations, *, column: int) -> tuple[Record, Annotations]:
    """Keep one lead, the last one where there are not so many."""
    column = min(column, len(record.leads) - 1)
    kept = slice(column, column + 1)
    return (
        replace(
            record,
            leads=record.leads[kept],
            samples=record.samples[:, kept],
            gain=record.gain[kept],
            baseline=record.baseline[kept],
        ),
        truth,
    )


def swapped(record: Record, truth: Annotations) -> tuple[Record, Annotations]:
    """Give each lead the signal of another under its old name, as with exchanged electrodes."""
    return (
        replace(
            record,
            samples=np.ascontiguousarray(record.samples[:, ::-1]),
            gain=record.gain[::-1],
            baseline=record.baseline[::-1],
        ),
        truth,
    )


def scaled(record: Record, truth: Annotations, *, by: float) -> tuple[Record, Annotations]:
    """Make every deflection larger by a factor, as a wrong gain does; -1 turns it over."""
    if by > 0:
        return replace(record, gain=tuple(gain / by for gain in record.gain)), truth
    baseline = np.array(record.baseline, dtype=np.int64)
    turned = np.clip(baseline + by * (record.samples - baseline), -32767, 32767).round()
    samples = np.where(record.samples == MISSING, MISSING, turned).astype(np.int16)
    return replace(record, samples=samples), truth


def resampled(record: Record, truth: Annotations, *, fs: float) -> tuple[Record, Annotations]:
    """Return the record at another sampling rate, its annotations at the same times."""
    if fs == record.fs:
        return record, truth
    ratio = Fraction(fs / record.fs).limit_denominator(1000)
    millivolts = np.nan_to_num(record.millivolts())
    out = signal.resample_poly(millivolts, ratio.numerator, ratio.denominator, axis=0,
                               padtype="line")  # fmt: skip
    gain = np.array(record.gain)
    adc = np.clip(out * gain + np.array(record.baseline), -32767, 32767).round()
    share = float(ratio)
    return (
        replace(record, fs=fs, samples=adc.astype(np.int16)),
        replace(
            truth,
            samples=np.round(truth.samples * share).astype(np.int64),
            flutter=tuple((round(a * share), round(b * share)) for a, b in truth.flutter),
            rhythms=(),
        ),
    )


def changes() -> Iterator[tuple[str, Change]]:
    """Yield every change with its name, the records as they are first."""
    yield "as recorded", lambda record, truth: (record, truth)
    yield "first lead only", partial(one_lead, column=0)
    yield "second lead only", partial(one_lead, column=1)
    yield "leads swapped", swapped
    yield "upside down", partial(scaled, by=-1.0)
    for factor in GAINS:
        yield f"gain wrong by {factor:g}", partial(scaled, by=factor)
    for rate in RATES:
        yield f"{rate:g} Hz", partial(resampled, fs=rate)


def changed(
    directory: Path, names: Sequence[str], judge: Judge | None, *, from_s: float = LEARNING_S
) -> dict[str, dict[str, Any]]:
    """Return V, S, QRS and accuracy of records under each change."""
    originals = [annotated(directory / name) for name in names]
    rows = {}
    for name, change in track(list(changes()), "changed records", console=Console(stderr=True)):
        rows[name] = brief(hear([change(*one) for one in originals], judge=judge), from_s=from_s)
    return rows


def short_records(
    directory: Path, label: str, judge: Judge | None, *, limit: int | None = None
) -> dict[str, float | int | None]:
    """Return what is said of short recordings without a single annotated beat.

    Parameters
    ----------
    directory : Path
        challenge2017 with its ``REFERENCE.csv``.
    label : {"N", "~"}
        Records of which label are heard.
    judge : Judge or None
        The model.
    limit : int, optional
        At most so many records, in the order of the list.

    Returns
    -------
    dict
        ``records``, ``hours``, ``v_per_hour``, ``vf_seconds_per_hour``, and
        ``unfit_share`` of the seconds.
    """
    with (directory / "REFERENCE.csv").open(encoding="ascii", newline="") as lines:
        names = [row[0] for row in csv.reader(lines) if row[1] == label]
    here = set(record_names(directory))
    names = [name for name in names if name in here][:limit]
    empty = Annotations(samples=np.empty(0, dtype=np.int64), symbols=(), rhythms=(), flutter=())
    hours, v, vf, unfit, seconds = 0.0, 0, 0, 0, 0
    cuts = list(range(0, len(names), COMPANY))
    for cut in track(cuts, f"{SHORT[label]} records", console=Console(stderr=True)):
        some = [(read_record(directory / name), empty) for name in names[cut : cut + COMPANY]]
        for heard in hear(some, judge=judge):
            hours += heard.n_samples / heard.fs / 3600
            v += int((heard.classes == "V").sum())
            vf += int(heard.vf.sum())
            unfit += int((~heard.fit).sum())
            seconds += len(heard.fit)
    return {
        "records": len(names),
        "hours": round(hours, 3),
        "v_per_hour": round(v / hours, 2) if hours else None,
        "vf_seconds_per_hour": round(vf / hours, 2) if hours else None,
        "unfit_share": round(unfit / seconds, 4) if seconds else None,
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print tables, and JSON if asked for."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.robustness")
    parser.add_argument("--data", type=Path, default=os.environ.get("RHYTHMWATCH_DATA"))
    parser.add_argument("--weights", type=Path, default=SHIPPED, help="the model")
    parser.add_argument(
        "--stranger",
        type=Path,
        help="a model that knows neither the other database nor the short records; else --weights",
    )
    parser.add_argument("--records", default=",".join(DS1), help="of mitdb; DS1 if not given")
    parser.add_argument("--ds2", action="store_true", help="records of DS2 instead, and log it")
    parser.add_argument("--why", default="", help="why DS2 is run; goes into its log")
    parser.add_argument("--cross", default="svdb", help="another database, or none")
    parser.add_argument("--limit", type=int, help="most short records of a kind")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--json", metavar="FILE", help="write the figures; - prints them")
    parser.add_argument("--markdown", metavar="FILE", type=Path, help="write the tables")
    options = parser.parse_args(arguments)
    if options.data is None:
        parser.error("--data must name the folder of mitdb, svdb and challenge2017")
    names = list(DS2) if options.ds2 else options.records.split(",")
    if not options.ds2 and (asked := sorted(set(names) & set(DS2))):
        parser.error(f"{', '.join(asked)} examine: say --ds2 to run DS2")
    bar_from_ci(names)
    judge = load(options.weights, device=options.device)
    stranger = load(options.stranger or options.weights, device=options.device)
    card: dict[str, Any] = {
        "model": judge.version,
        "stranger": stranger.version,
        "set": "DS2" if options.ds2 else "those asked for" if names != list(DS1) else "DS1",
        "records": names,
    }
    if options.ds2:
        _log(options.data / "mitdb", names, judge, options.why)
    card["changed"] = changed(options.data / "mitdb", names, judge)
    card["cross"] = {}
    if options.cross != "none":
        card["cross"][options.cross] = _across(options.data / options.cross, stranger)
    card["short"] = {
        kind: short_records(options.data / "challenge2017", label, stranger, limit=options.limit)
        for label, kind in SHORT.items()
        if (options.data / "challenge2017").is_dir()
    }
    _print(card, Console(stderr=True))
    if options.markdown is not None:
        put_between(options.markdown, markdown(card), name="robustness")
    write_figures(card, options.json)


def _across(directory: Path, judge: Judge) -> dict[str, Any]:
    names = record_names(directory)
    heard = []
    cuts = list(range(0, len(names), COMPANY))
    for cut in track(cuts, directory.name, console=Console(stderr=True)):
        some = [annotated(directory / name) for name in names[cut : cut + COMPANY]]
        heard += hear(some, judge=judge)
    return {"records": len(names), **brief(heard)}


def _log(directory: Path, names: Sequence[str], judge: Judge, why: str) -> None:
    card = scorecard(hear([annotated(directory / name) for name in names], judge=judge))
    log_run(card, model=judge.version, what="robustness", why=why)


def _print(card: dict[str, Any], console: Console) -> None:
    table = Table(title=f"{card['model']}, live path, from {LEARNING_S:g} s on, %")
    for heading in ("what", "QRS Se", "QRS +P", "V F1", "S F1", "accuracy"):
        table.add_column(heading, justify="left" if heading == "what" else "right")
    for name, row in [*card["changed"].items(), *card["cross"].items()]:
        shown = (
            row["qrs"]["se"],
            row["qrs"]["ppv"],
            row["V"]["f1"],
            row["S"]["f1"],
            row["accuracy"],
        )
        table.add_row(name, *("-" if x is None else f"{100 * x:.2f}" for x in shown))
    console.print(table)
    for kind, row in card["short"].items():
        console.print(f"challenge2017, {kind}: {row}")


if __name__ == "__main__":
    main()

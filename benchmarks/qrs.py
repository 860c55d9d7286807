"""Our QRS detector and others, on clean records and in noise: ``python -m benchmarks.qrs``.

Every detector is scored in the same run by the rules of ANSI/AAMI EC57: beats within 150 ms,
the first 5 minutes and ventricular flutter not scored; also from 0 s on, and within 50 ms.
Noise is added by the rule of the Noise Stress Test Database; there, nothing that ours calls
unfit is left out. A second table says what ours called unfit, and how the rest fared.
"""

import argparse
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks.detectors import OURS, Detector, detectors, not_installed
from benchmarks.figures import write_figures
from benchmarks.qrs_page import markdown, print_tables
from benchmarks.qrs_score import by_record, clean_unfit, gated, scored
from benchmarks.quality import Row
from ecg.annotation import Annotations, read_annotations
from ecg.checkpoint import load
from ecg.errors import EcgError, RecordError
from ecg.metrics import LEARNING_S
from ecg.reader import read_record, record_names
from ecg.record import Record
from ecg.warm import warm_up
from training.ds2_log import bar_from_ci, log_run
from training.noise import NOISES, SNRS_DB, STRESSED, add_noise, title
from training.noise_curves import write_noise_curves
from training.page import put_between
from training.split import DS1, DS2, PACED

TIGHT_S = 0.050
"""Match window of the strict row."""
STRESSED_DS2 = DS2[::6]
"""Records of DS2 that are stressed when asked for: every sixth of the list."""
SETS = {"ds1": DS1, "ds1+paced": (*DS1, *PACED), "ds2": DS2}

EXAMPLES = """examples:
  python -m benchmarks.qrs --data DIR                       DS1, paced records; noise on 118, 119
  python -m benchmarks.qrs --data DIR --json - > qrs.json   figures on standard output
  python -m benchmarks.qrs --data DIR --records 101,106 --no-noise
  python -m benchmarks.qrs --data DIR --records all --ds2   the examination: all 48 records, and
                                                            noise also on four records of DS2
"""


def measured(
    data: Path,
    names: Sequence[str],
    *,
    found_by: Mapping[str, Detector],
    noise_on: Sequence[Sequence[str]] = (STRESSED,),
    noises: Sequence[str] = NOISES,
    snrs_db: Sequence[float] = SNRS_DB,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Run every detector over the records, and over those with noise.

    Parameters
    ----------
    data : Path
        Holds ``mitdb/`` and ``nstdb/``.
    names : sequence of str
        Records of mitdb.
    found_by : mapping of str to Detector
        Detectors by name; those of ``OURS`` also say what is unfit.
    noise_on : sequence of sequence of str
        Groups of records to which noise is added; each makes rows of its own.
    noises, snrs_db
        Which noises, and how much of them.
    progress : Progress, optional
        Shows how far it is.

    Returns
    -------
    dict
        ``detectors``, ``noise``, ``clean_unfit`` and ``gate``, as in the JSON.
    """
    records, truths = _read(data / "mitdb", names)
    results: dict[str, Any] = {}
    unfit: dict[str, Any] = {}
    with _task(progress, "clean", len(found_by) * len(records)) as step:
        for name, detect in found_by.items():
            found = detect(records, step)
            results[name] = {
                **scored(found, truths, records),
                "x_realtime": found.x_realtime,
                "from_0_s": scored(found, truths, records, from_s=0.0),
                "within_50_ms": scored(found, truths, records, match_s=TIGHT_S),
            }
            if name in OURS:
                results[name]["by_record"] = by_record(found, truths, records)
            if name == OURS[0]:
                unfit = clean_unfit(found, truths)
    table: dict[str, Any] = {}
    gate: list[Row] = []
    for group in noise_on:
        key = ", ".join(group)
        table[key] = {noise: {} for noise in noises}
        clean, group_truths = _read(data / "mitdb", group)
        cases = [(noise, snr) for noise in noises for snr in snrs_db]
        with _task(progress, key, len(cases) * len(found_by) * len(group)) as step:
            for noise, snr_db in cases:
                mv = read_record(data / "nstdb" / noise).millivolts()
                noisy = {n: add_noise(clean[n], group_truths[n], mv, snr_db) for n in group}
                row = {name: detect(noisy, step) for name, detect in found_by.items()}
                table[key][noise][f"{snr_db:g}"] = {
                    name: scored(found, group_truths, noisy) for name, found in row.items()
                }
                if OURS[0] in row:
                    gate.append(gated(row[OURS[0]], group_truths, title(group, noise, snr_db)))
    return {
        "detectors": results,
        "noise": table,
        "clean_unfit": unfit,
        "gate": [asdict(row) for row in gate],
    }


def select(text: str, directory: Path) -> tuple[str, ...]:
    """Return the records that ``--records`` names.

    Raises
    ------
    RecordError
        If one is not in ``directory``.
    """
    there = record_names(directory)
    if text.lower() == "all":
        return tuple(there)
    names = SETS.get(text.lower()) or tuple(n.strip() for n in text.split(",") if n.strip())
    absent = [name for name in names if name not in there]
    if absent or not names:
        raise RecordError(
            f"--records must be all, {', '.join(SETS)}, or names in {directory} with commas "
            f"between; not there: {', '.join(absent) or repr(text)}"
        )
    return names


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print tables, and write what was asked for."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.qrs",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    where = os.environ.get("RHYTHMWATCH_DATA")
    parser.add_argument(
        "--data", type=Path, default=where, required=where is None, help="directory with mitdb/"
    )
    parser.add_argument("--records", default="ds1+paced", help="all, ds1, ds1+paced, ds2 or names")
    parser.add_argument("--no-noise", action="store_true", help="clean records only")
    parser.add_argument("--ds2", action="store_true", help=f"noise also on {STRESSED_DS2}")
    parser.add_argument("--why", default="", help="why records of DS2 are run; goes into their log")
    parser.add_argument("--no-model", action="store_true", help="our detector alone")
    parser.add_argument("--json", metavar="FILE", help="write the figures; - prints them")
    parser.add_argument("--markdown", metavar="FILE", type=Path, help="write the tables")
    parser.add_argument("--figure", metavar="FILE", type=Path, help="write the noise curves, HTML")
    options = parser.parse_args(arguments)
    if not (options.data / "mitdb").is_dir():
        raise RecordError(f"--data must hold mitdb/ and nstdb/: {options.data} does not")
    console = Console(stderr=True)
    if absent := not_installed():
        remedy = (
            f"{', '.join(absent)} not installed: make .venv-bench/installed, and start this "
            "by .venv-bench/bin/python"
        )
        if options.markdown is not None:
            parser.error(f"--markdown writes of all detectors or none; {remedy}")
        console.print(f"left out, {remedy}")
    names = select(options.records, options.data / "mitdb")
    groups = [] if options.no_noise else [STRESSED, *([STRESSED_DS2] if options.ds2 else [])]
    looked_at = sorted({*names, *(name for group in groups for name in group)})
    bar_from_ci(looked_at)
    torch.set_num_threads(1)
    judge = None if options.no_model else load(device="cpu")
    warm_up(judge)
    with _progress(console) as progress:
        card = measured(
            options.data, names, found_by=detectors(judge), noise_on=groups, progress=progress
        )
    words = options.records if options.records in (*SETS, "all") else ", ".join(names)
    card["conditions"] = (
        f"{len(names)} records of mitdb ({words}), gross, match window 150 ms, scored from "
        f"{LEARNING_S:g} s on unless said otherwise, flutter left out; "
        f"model {judge.version if judge else 'none'}; one thread, processor time"
    )
    card["records"] = list(names)
    # before anybody can see a figure
    log_run(
        {"records": looked_at, "qrs": card["detectors"][OURS[0]]},
        model=judge.version if judge else "none",
        what="QRS detectors",
        why=options.why,
    )
    print_tables(card, console)
    if options.markdown is not None:
        put_between(options.markdown, markdown(card), name="detectors")
    if options.figure is not None:
        write_noise_curves(card["noise"], options.figure)
    write_figures(card, options.json)


def _read(
    directory: Path, names: Sequence[str]
) -> tuple[dict[str, Record], dict[str, Annotations]]:
    records = {name: read_record(directory / name) for name in names}
    return records, {
        name: read_annotations(directory / name, fs=record.fs, n_samples=record.n_samples)
        for name, record in records.items()
    }


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:.0f} of {task.total:.0f} records"),
        TimeElapsedColumn(),
        console=console,
    )


@contextmanager
def _task(progress: Progress | None, what: str, total: int) -> Iterator[Any]:
    """Give a function that is told of each record that is done."""
    if progress is None:
        yield lambda _: None
        return
    task = progress.add_task(what, total=total)
    yield lambda _: progress.advance(task)


if __name__ == "__main__":
    try:
        main()
    except EcgError as error:
        sys.exit(f"error: {error}")

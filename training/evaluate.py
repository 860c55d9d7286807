"""``rhythmwatch evaluate``: recordings through the monitor, scored by EC57, and written down."""

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import wfdb
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from ecg.checkpoint import SHIPPED, load
from ecg.metrics import LEARNING_S
from training.ds2_log import HERE, bar_from_ci, log_run
from training.files import check_file, check_folder
from training.found import write_found
from training.hearing import evaluate
from training.noise_curves import read_curves
from training.page import check_place
from training.report import write_report
from training.scorecard import scorecard
from training.seeds import Beats, checkpoints, compared
from training.selection import called, select
from training.split import MITDB, NAMED, database_of
from training.tables import table_of, write_markdown

logger = logging.getLogger(__name__)


def run(
    directory: str | Path,
    *,
    records: str = "all",
    json_file: str | Path | None = None,
    annotations: str | Path | None = None,
    report: str | Path | None = None,
    noise: str | Path | None = None,
    markdown: Sequence[str | Path] = (),
    seeds: Sequence[Path] = (),
    why: str = "",
    weights: Path = SHIPPED,
    device: str = "auto",
    from_s: float = LEARNING_S,
    checkout: Path = HERE,
    console: Console | None = None,
) -> dict[str, Any]:
    """Evaluate with a progress bar, print the table, and write what was asked for.

    Parameters
    ----------
    directory : str or Path
        WFDB records with beat annotations (``.atr``), or EDF files (``.edf.atr``).
    records : str
        ``all``, ``ds1``, ``ds2``, ``ds2-strict``, or names with commas between.
    json_file : str or Path, optional
        Where the figures go as JSON; ``-`` prints them in place of the table.
    annotations : str or Path, optional
        Directory for WFDB annotation files (``.rw``) of the beats that were found.
    report : str or Path, optional
        Where an HTML page goes that shows the figures and the strips judged wrong.
    noise : str or Path, optional
        Figures of ``python -m benchmarks.qrs --json``, whose noise curves the page shows as well.
    markdown : sequence of (str or Path)
        Pages into which the figures go as a Markdown table, between their markers.
    seeds : sequence of Path
        Weights of several seeds, or directories of them, which judge the same beats.
    why : str
        Why DS2 is run, for its log.
    weights : Path
        The model.
    device : {"auto", "cpu", "cuda"}
        Where it runs.
    from_s : float
        Learning time, in s, that is not scored: 300 by EC57.
    checkout : Path
        Root of the checkout in which runs of DS2 are logged.
    console : Console, optional
        Where to print; standard output without it. The progress bar goes to standard error.

    Returns
    -------
    dict
        The version of the ``model``, the figures, as ``training.scorecard.scorecard`` gives
        them, and with ``seeds`` those of ``training.seeds.compared``.

    Raises
    ------
    EcgError
        If a record, the weights, the noise curves or a page cannot be used, or a file cannot be
        written; nothing is written then.
    """
    out = console or Console()
    judge = load(weights, device=device)
    others = [load(path, device=device) for path in checkpoints(seeds)]
    curves = read_curves(noise) if noise is not None else None
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:.0f} {task.fields[of]}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )
    names = select(directory, records)
    # whoever asks for a list of MIT-BIH means its people, whatever the folder is called
    database = MITDB if records.lower() in NAMED else database_of(directory)
    bar_from_ci([called(name) for name in names], database=database)
    place = f"{Path(directory).name} {records.lower()}"
    for page in markdown:
        check_place(page, name=place)
    for file in (json_file, report):
        if file is not None and str(file) != "-":
            check_file(file)
    if annotations is not None:
        check_folder(annotations)
    beats = Beats() if others else None
    with bar:
        minutes = _minutes(directory, names)
        task = bar.add_task(
            f"hearing {len(names)} records",
            total=minutes,
            of="min" if minutes is None else f"of {minutes:.0f} min",
        )
        heard = evaluate(
            directory,
            names,
            judge=judge,
            on_heard=lambda s: bar.advance(task, s / 60),
            on_beat=beats,
        )
        card = {"model": judge.version, **scorecard(heard, from_s=from_s, database=database)}
        if beats is not None:
            task = bar.add_task(
                "judging with each seed", total=len(others), of=f"of {len(others)} models"
            )
            said = []
            for other in others:
                said.append(beats.judged(heard, other))
                bar.advance(task)
            card |= compared(said, from_s=from_s)
    # before anybody can see a figure
    log_run(card, database=database, model=judge.version, why=why, checkout=checkout)
    if card["qrs"]["se"] is None:
        logger.warning("nothing is scored: no annotated beat comes after the first %g s", from_s)
    text = json.dumps(card, indent=2) + "\n"
    # shown first: a disk may have become full meanwhile
    if str(json_file) == "-":
        out.file.write(text)
    else:
        out.print(table_of(card))
    if json_file is not None and str(json_file) != "-":
        Path(json_file).write_text(text, encoding="utf-8")
    if annotations is not None:
        for one in heard:
            write_found(annotations, one)
    if report is not None:
        write_report(report, card, heard, directory=directory, names=names, model=judge.version,
                     noise=curves)  # fmt: skip
    for page in markdown:
        write_markdown(page, card, name=place)
    return card


def _minutes(directory: str | Path, names: Sequence[str]) -> float | None:
    """Return how long the records are, None if a header, which EDF files lack, does not say it."""
    try:
        heads = [wfdb.rdheader(str(Path(directory) / name)) for name in names]
        return float(sum((head.sig_len or 0) / head.fs / 60 for head in heads))
    # whatever wfdb stumbles over in a damaged header: reading the record says what is wrong
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, OSError):
        return None

"""A scorecard as tables: for the terminal, and as Markdown for the docs."""

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from training.page import put_between
from training.scorecard import SCORED


def table_of(card: dict[str, Any]) -> Table:
    """Return a scorecard as a table for people: gross, average of records, each record."""
    table = Table(title=f"EC57, from {card['scored_from_s']:g} s on, %")
    for heading in ("record", "QRS Se", "+P", "S Se", "+P", "V Se", "+P", "F Se", "+P", "unfit"):
        table.add_column(heading, justify="left" if heading == "record" else "right")
    for name, row in card["per_record"].items():
        table.add_row(name, *_cells(row), percent(row["unfit_share"]))
    table.add_section()
    table.add_row("average", *_cells(card["average"]), "")
    table.add_row("gross", *_cells(card), percent(card["unfit_share"]))
    delay = card["delay_s"]
    if delay["p50"] is not None:
        table.caption = "delay of a beat: " + ", ".join(f"{k} {v:.2f} s" for k, v in delay.items())
    return table


def conditions_of(card: dict[str, Any]) -> str:
    """Say in one sentence under what conditions the figures were made."""
    delay = card["delay_s"]
    said = (
        f"{len(card['records'])} records, the live path with its own detector, beats gross, "
        f"scored from {card['scored_from_s']:g} s on"
    )
    if delay["p50"] is not None:
        said += (
            f"; delay p50 {delay['p50']:.2f} s, p95 {delay['p95']:.2f} s, max {delay['max']:.2f} s"
        )
    return f"{said}; unfit {percent(card['unfit_share'])} %."


def rows_of(card: dict[str, Any]) -> list[tuple[str, str, str, str, str]]:
    """Return what there is to show: name, Se, +P, F1 in %, and the 95 % interval of the last."""
    ends = card["intervals_95"]
    rows = [
        ("QRS, 150 ms", card["qrs"], None),
        ("QRS, 150 ms, from 0 s on", card["qrs_from_start"], None),
        ("QRS, 50 ms", card["qrs_50ms"], None),
        *((c, card["beats"][c], ends["beats"][c]["f1"]) for c in SCORED),
    ]
    if {"232", "219"} & set(card["records"]):
        rows.append(("S without 232 and 219", card["S_without_232_219"], None))
    rows.append(("V, an F called V being false", card["V_if_F_called_V_were_false"], None))
    if (rest := card["without_202"]) is not None and "201" not in card["records"]:
        rows += [(f"{c} without 202", rest["beats"][c], None) for c in ("S", "V")]
    average = card["average"]["beats"]
    rows += [(f"{c}, mean of records", average[c], None) for c in ("S", "V")]
    return [
        (
            name,
            percent(score["se"]),
            percent(score["ppv"]),
            percent(score["f1"]) if "f1" in score else "",
            interval(within),
        )
        for name, score, within in rows
    ]


def markdown_of(card: dict[str, Any]) -> str:
    """Return the figures of a scorecard as a Markdown table, with their conditions."""
    lines = [
        conditions_of(card),
        f"Accuracy {percent(card['accuracy'])} %"
        f" (95 %: {interval(card['intervals_95']['accuracy']) or 'too few patients'}); "
        f"calibration error S {_share(card['calibration']['S']['ece'])}, "
        f"V {_share(card['calibration']['V']['ece'])}; "
        f"intervals by {card['intervals_95']['how']}.",
        "",
        "| % | Se | +P | F1 | F1, 95 % |",
        "|---|---:|---:|---:|---:|",
        *(f"| {' | '.join(row)} |" for row in rows_of(card)),
    ]
    if "seeds" in card:
        lines += ["", *_seeds(card)]
    return "\n".join(lines) + "\n"


def write_markdown(path: str | Path, card: dict[str, Any], *, name: str) -> None:
    """Write the table, between its markers where the page exists and as a new page elsewhere.

    Parameters
    ----------
    path : str or Path
        The page. If it exists it holds the markers of ``training.page`` with this name.
    card : dict
        The figures.
    name : str
        Which figures these are, for example ``mitdb ds2``.

    Raises
    ------
    MarkersError
        If the page exists and has no such markers: nothing in it is overwritten.
    """
    put_between(path, markdown_of(card), name=name)


def percent_of_seeds(values: Sequence[float]) -> str:
    """Return the mean of seeds in per cent, with the standard deviation (of a sample) of several.

    Examples
    --------
    >>> percent_of_seeds([0.0, 1.0]), percent_of_seeds([0.5]), percent_of_seeds([])
    ('50.0 ± 70.7', '50.0', '')
    """
    if not values:
        return ""
    mean = f"{100 * statistics.fmean(values):.1f}"
    return mean if len(values) < 2 else f"{mean} ± {100 * statistics.stdev(values):.1f}"


def percent(share: float | None) -> str:
    """Show a fraction in %, a dash where there is none."""
    return "-" if share is None else f"{100 * share:.2f}"


def interval(ends: list[float] | None) -> str:
    """Show an interval of fractions in %; nothing where there is none."""
    return "" if ends is None else f"{100 * ends[0]:.1f} to {100 * ends[1]:.1f}"


def _seeds(card: dict[str, Any]) -> list[str]:
    rows = [
        f"| {k} | {percent(seed['V']['f1'])} | {percent(seed['S']['f1'])} "
        f"| {percent(seed['S_without_232_219']['f1'])} | {percent(seed['accuracy'])} |"
        for k, seed in enumerate(card["seeds"])
    ]
    shown = ("V", "S", "S_without_232_219")
    for label, key in (("mean", "seeds_mean"), ("standard deviation", "seeds_sd")):
        of = card[key]
        cells = [percent(of[name]["f1"]) for name in shown] + [percent(of["accuracy"])]
        rows.append(f"| {label} | {' | '.join(cells)} |")
    return [
        "| seed | V F1 | S F1 | S F1 without 232 and 219 | accuracy |",
        "|---|---:|---:|---:|---:|",
        *rows,
    ]


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    scores = (row["qrs"], *(row["beats"][c] for c in SCORED))
    return tuple(percent(score[key]) for score in scores for key in ("se", "ppv"))


def _share(error: float | None) -> str:
    return "-" if error is None else f"{error:.3f}"

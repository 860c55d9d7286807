"""What ``benchmarks.qrs`` measured, as tables: for the terminal, and as Markdown for a page."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from training.tables import percent


def print_tables(card: Mapping[str, Any], console: Console) -> None:
    """Print the detectors side by side, clean and in noise.

    Parameters
    ----------
    card : mapping
        What ``python -m benchmarks.qrs --json`` writes.
    console : Console
        Where to.
    """
    table = Table(title=card["conditions"])
    for heading in ("detector", "Se", "+P", "F1", "Se 0 s", "+P 0 s", "F1 50 ms", "x real time"):
        table.add_column(heading, justify="left" if heading == "detector" else "right")
    for name, row in card["detectors"].items():
        first, tight = row["from_0_s"], row["within_50_ms"]
        cells = [row["se"], row["ppv"], row["f1"], first["se"], first["ppv"], tight["f1"]]
        table.add_row(name, *map(percent, cells), f"{row['x_realtime']:,.0f}")
    console.print(table)
    for group, noises in card["noise"].items():
        table = Table(title=f"F1 in noise, records {group}")
        for heading in ("noise", "dB", *card["detectors"]):
            table.add_column(heading, justify="left" if heading == "noise" else "right")
        for noise, rows in noises.items():
            for snr, row in rows.items():
                table.add_row(noise, snr, *(percent(score["f1"]) for score in row.values()))
        console.print(table)


def markdown(card: Mapping[str, Any]) -> str:
    """Return the tables for docs/concepts/qrs.md.

    Parameters
    ----------
    card : mapping
        What ``python -m benchmarks.qrs --json`` writes.
    """
    lines = [
        f"{card['conditions']}\n",
        "| detector | Se | +P | F1 | Se, 0 s | +P, 0 s | Se, 50 ms | +P, 50 ms | times real time |",
        f"|---|{'---:|' * 8}",
    ]
    for name, row in card["detectors"].items():
        parts = [row, row["from_0_s"], row["within_50_ms"]]
        cells = [percent(part[key]) for part in parts for key in ("se", "ppv")]
        cells.insert(2, percent(row["f1"]))
        lines.append(f"| {name} | {' | '.join(cells)} | {row['x_realtime']:,.0f} |")
    for group, table in card["noise"].items():
        names = list(card["detectors"])
        lines += [f"\nF1 in noise, records {group}, after 5 min, nothing left out:\n"]
        lines += [f"| noise | dB | {' | '.join(names)} |", f"|---|---:|{'---:|' * len(names)}"]
        for noise, rows in table.items():
            for snr, row in rows.items():
                cells = [percent(row[name]["f1"]) for name in names]
                lines.append(f"| {noise} | {snr} | {' | '.join(cells)} |")
    if card["clean_unfit"]:
        unfit = card["clean_unfit"]
        one = unfit["missed"] == 1
        words = "beat was missed in it, and counts" if one else "beats were missed in it, and count"
        lines.append(
            f"\nCalled unfit of the clean records: {100 * unfit['share']:.2f} % of the time; "
            f"{unfit['missed']} {words} as missed above."
        )
    if card["gate"]:
        lines += [
            "\nWhat the quality gate calls unfit in the noisy stretches, and how the rest fares:\n",
            "| signal | unfit | Se fit | +P fit | Se unfit | +P unfit |",
            f"|---|{'---:|' * 5}",
        ]
        for row in card["gate"]:
            keys = ("unfit", "se_fit", "ppv_fit", "se_unfit", "ppv_unfit")
            lines.append(f"| {row['what']} | {' | '.join(percent(row[k]) for k in keys)} |")
    return "\n".join(lines) + "\n"

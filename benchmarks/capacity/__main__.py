"""Measure this machine: ``python -m benchmarks.capacity [--quick] [--json FILE]``."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from rich.console import Console

from benchmarks.capacity import engine
from benchmarks.capacity.feed import open_feed
from benchmarks.capacity.machine import Watch
from benchmarks.capacity.table import sheets
from ecg.checkpoint import load
from ecg.warm import warm_up

PARTS = ("engine",)


def run(
    *, quick: bool, parts: Sequence[str], data: Path | None, console: Console
) -> dict[str, object]:
    """Measure and return the report."""

    def say(what: str) -> None:
        console.print(f"[dim]{what}[/dim]")

    say("looking at the machine")
    torch.set_num_threads(1)
    watch = Watch()
    feed = open_feed(data)
    judge = load(device="cpu")
    warm_up(judge)
    report: dict[str, object] = {"quick": quick, "input": feed.what}
    if "engine" in parts:
        report["engine"] = engine.measured(feed, judge, quick=quick, on_row=say)
        watch.look()
    report["machine"] = watch.described()
    return report


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print tables, and write JSON where asked."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.capacity", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="end within five minutes")
    parser.add_argument("--json", metavar="FILE", help="write the figures there; - is the output")
    parser.add_argument("--data", type=Path, help="recordings; else as RHYTHMWATCH_DATA says")
    parser.add_argument("--only", choices=PARTS, action="append", help="a part; may be repeated")
    asked = parser.parse_args(arguments)
    console = Console(stderr=True)
    report = run(quick=asked.quick, parts=asked.only or PARTS, data=asked.data, console=console)
    for sheet in sheets(report):
        console.print(sheet.rich())
    if asked.json == "-":
        json.dump(report, sys.stdout, indent=2)
        sys.stdout.write("\n")
    elif asked.json:
        Path(asked.json).write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

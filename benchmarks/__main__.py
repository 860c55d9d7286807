"""Run the benchmarks: ``python -m benchmarks [NAME...] [--keep]``; without names all of them.

Capacity comes with a guard: its figures stand beside the last kept ones.
"""

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks import guard
from benchmarks.capacity.table import Sheet

CAPACITY = "capacity"
OTHERS: dict[str, tuple[str, ...]] = {
    "alarm": (),
    "archive": (),
    "episodes": ("--data", "{data}"),
    "model": (),
    "qrs": ("--data", "{data}"),
    "quality": ("--data", "{data}"),
    "robustness": ("--data", "{data}"),
    "scaling": (),
    "sizing": (),
}
"""Other modules and their arguments; those with {data} run where recordings are set."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is asked for; return 1 if a figure is worse than the kept one, or one failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join((CAPACITY, *OTHERS)))
    parser.add_argument("--keep", action="store_true", help="keep this run's capacity figures")
    parser.add_argument("--full", action="store_true", help="the long run of capacity, not --quick")
    asked = parser.parse_args(arguments)
    if wrong := sorted({*asked.names} - {CAPACITY, *OTHERS}):
        parser.error(f"no benchmark is called {', '.join(wrong)}; there are {CAPACITY}, {OTHERS}")
    names = asked.names or [CAPACITY, *OTHERS]
    failed = False
    if CAPACITY in names:
        failed |= _capacity(Console(stderr=True), keep=asked.keep, full=asked.full)
    for name in (name for name in OTHERS if name in names):
        failed |= _other(name)
    return int(failed)


def _other(name: str) -> bool:
    data = os.environ.get("RHYTHMWATCH_DATA", "")
    words = OTHERS[name]
    if importlib.util.find_spec(f"benchmarks.{name}") is None or ("{data}" in words and not data):
        return False
    words = tuple(word.replace("{data}", data) for word in words)
    done = subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *words], check=False)
    return done.returncode != 0


def _capacity(console: Console, *, keep: bool, full: bool) -> bool:
    """Measure in a process of its own, and say what has changed; True if it failed or is worse."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "capacity.json"
        command = [sys.executable, "-m", "benchmarks.capacity", "--json", str(path)]
        done = subprocess.run([*command, *([] if full else ["--quick"])], check=False)
        if done.returncode:
            return True
        report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    machine = report["machine"]
    kept = guard.last_kept(cpu=machine["cpu"])
    worse = False
    if kept is None:
        console.print("No run has been kept so far: make bench BENCH='capacity --keep' keeps one.")
    else:
        lines = guard.compare(report, kept)
        console.print(beside(lines, kept).rich())
        worse = any(line.worse for line in lines)
        if machine["busy"]:
            others = machine["cores_used_by_others"]
            console.print(f"The machine is busy (others use {others} cores): this says nothing.")
            worse = False
        elif kept["machine"]["cpu"] != machine["cpu"]:
            console.print(
                f"The kept run is of another processor ({kept['machine']['cpu']}): this says "
                "little. --keep keeps one of this."
            )
            worse = False
    if keep:
        try:
            console.print(f"kept in {guard.keep(report)}")
        except ValueError as error:
            console.print(f"not kept: {error}")
            return True
    return worse


def beside(lines: Sequence[guard.Line], kept: dict[str, Any]) -> Sheet:
    """Return the table of today's and kept figures."""
    return Sheet(
        title=f"Today beside {kept['kept_at']} ({kept['commit']})",
        headings=("figure", "kept", "scaled to today's core", "today", "change", ""),
        rows=tuple(
            (
                *(line.name, line.kept, line.expected, line.today, f"{line.change:+.0%}"),
                "WORSE" if line.worse else "",
            )
            for line in lines
        ),
    )


if __name__ == "__main__":
    sys.exit(main())

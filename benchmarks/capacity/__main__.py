"""Measure this machine: how many live patients it carries, and what others take for the same.

`--quick` ends within five minutes; without it each load is searched for and then
held for ten minutes, which takes more than an hour.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from benchmarks.capacity import history, page, report
from benchmarks.capacity.search import HOLD_S
from benchmarks.capacity.table import sheets
from benchmarks.figures import write_figures
from training.page import put_between

HOW = "`make bench` installs the packages in an environment of their own, .venv-bench"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print tables, and write JSON and Markdown where asked; 1 if a part failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.capacity", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="end within five minutes")
    parser.add_argument(
        "--hold",
        type=float,
        default=HOLD_S,
        metavar="SECONDS",
        help="with --quick: how long each load is held, %(default)g s if not given",
    )
    parser.add_argument(
        "--rounds",
        type=int,
        help="how often ours and the peers run in turns: 1 if not given and --quick, else 5",
    )
    parser.add_argument("--json", metavar="FILE", help="write the figures there; - is the output")
    parser.add_argument(
        "--markdown", type=Path, metavar="PAGE", help="write the tables between the page's markers"
    )
    parser.add_argument("--data", type=Path, help="recordings; else as RHYTHMWATCH_DATA says")
    parser.add_argument("--scorers", type=int, default=1, help="processes that share the patients")
    parser.add_argument(
        "--only", choices=report.PARTS, action="append", help="a part; may be repeated"
    )
    parser.add_argument(
        "--history",
        type=Path,
        metavar="PAGE",
        help="measure nothing; write the table of kept runs between the page's markers",
    )
    asked = parser.parse_args(arguments)
    if asked.history:
        put_between(asked.history, history.sheet().markdown(), name="history")
        return 0
    parts = asked.only or report.PARTS
    if absent := report.missing(parts):
        parser.error(
            f"{', '.join(absent)} must be there for {' and '.join(parts)}, and is not. {HOW}; "
            "Java 17 and Maven are the system's. Without them: --only engine"
        )
    console = Console(stderr=True)
    found = report.make(
        quick=asked.quick,
        parts=parts,
        data=asked.data,
        scorers=asked.scorers,
        hold_s=asked.hold,
        rounds=asked.rounds or (1 if asked.quick else 5),
        say=lambda what: console.print(what, style="dim", highlight=False),
    )
    for sheet in sheets(found):
        console.print(sheet.rich())
    if asked.markdown:
        put_between(asked.markdown, page.tables(found), name="capacity")
    write_figures(found, asked.json or None)
    return int("failed" in found)


if __name__ == "__main__":
    sys.exit(main())

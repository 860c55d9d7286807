"""Writes the tables into the page of the docs, between two marks."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.capacity.table import sheets

BEGIN, END = "<!-- capacity: begin -->", "<!-- capacity: end -->"


def tables(report: Mapping[str, Any]) -> str:
    """Return the report as Markdown, with a warning where it cannot stand as a result."""
    warning = ""
    if report["machine"]["busy"]:
        warning += "**The machine was busy with other work: these figures are too low.**\n\n"
    if report["quick"]:
        warning += "A quick run (`--quick`): a minute a load, two runs of each peer.\n\n"
    return warning + "\n".join(sheet.markdown() for sheet in sheets(report))


def write(path: Path, report: Mapping[str, Any]) -> None:
    """Replace what stands between the marks of a page.

    Raises
    ------
    ValueError
        If the page lacks the marks.
    """
    page = path.read_text(encoding="utf-8")
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{path} must have the lines {BEGIN} and {END}; tables go between them")
    path.write_text(f"{before}{begin}\n\n{tables(report)}\n{end}{after}", encoding="utf-8")

"""The report as Markdown, for the page of the docs."""

from collections.abc import Mapping
from typing import Any

from benchmarks.capacity.table import sheets


def tables(report: Mapping[str, Any]) -> str:
    """Return the report as Markdown, with a warning where it cannot stand as a result."""
    warning = ""
    if report["machine"]["busy"]:
        warning += "**The machine was busy with other work: these figures are too low.**\n\n"
    if report["quick"]:
        warning += f"A quick run (`--quick`): {report['hold_s']:g} s a load.\n\n"
    return warning + "\n".join(sheet.markdown() for sheet in sheets(report))

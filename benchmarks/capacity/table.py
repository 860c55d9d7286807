"""The figures as tables, for the screen and for the docs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.table import Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """One table: headings, and rows of values."""

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[object, ...], ...]

    def rich(self) -> Table:
        """Return it for a terminal."""
        table = Table(title=self.title)
        for position, heading in enumerate(self.headings):
            table.add_column(heading, justify="left" if position == 0 else "right")
        for row in self.rows:
            table.add_row(*(cell(value) for value in row))
        return table

    def markdown(self) -> str:
        """Return it for a page."""
        marks = ["---", *["---:"] * (len(self.headings) - 1)]
        lines = [self.headings, marks, *([cell(v) for v in row] for row in self.rows)]
        return f"{self.title}\n\n" + "".join(f"| {' | '.join(line)} |\n" for line in lines)


def cell(value: object) -> str:
    """Return a value as people read it.

    Examples
    --------
    >>> [cell(v) for v in (None, True, 12345.678, 0.01234, 7, "x")]
    ['-', 'yes', '12,346', '0.0123', '7', 'x']
    """
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return str(value)


Figures = Mapping[str, object]


def sheets(report: Mapping[str, object]) -> list[Sheet]:
    """Return the tables of a report, those for which it has figures."""
    makers = (_engine,)
    return [sheet for make in makers if (sheet := make(report)) is not None]


def _rows(report: Mapping[str, object], key: str) -> Sequence[Figures]:
    rows = report.get(key)
    return rows if isinstance(rows, list) else []


def _engine(report: Mapping[str, object]) -> Sheet | None:
    rows = _rows(report, "engine")
    if not rows:
        return None
    keys = ("patients", "patients_per_core", "kb_per_patient", "kb_exported", "worst_tick_ms")
    return Sheet(
        title="The engine alone: two leads at 360 Hz in chunks of 250 ms, one core",
        headings=("patients", "patients per core", "kB a patient", "kB exported", "worst tick ms"),
        rows=tuple(tuple(row[key] for key in keys) for row in rows),
    )

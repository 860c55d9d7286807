"""The figures as tables, for the screen and for the docs."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.table import Table

from benchmarks.peers.names import BARE, SLEEPECG


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


Figures = Mapping[str, Any]


def sheets(report: Figures) -> list[Sheet]:
    """Return the tables of a report, those for which it has figures."""
    makers = (_engine, _kafka, _cpu, _peers, _stages, _limit, _machine)
    return [sheet for make in makers if (sheet := make(report)) is not None]


def _engine(report: Figures) -> Sheet | None:
    rows = report.get("engine")
    if not rows:
        return None
    keys = ("kb_per_patient", "kb_exported", "worst_tick_ms")
    return Sheet(
        title="The engine alone: two leads at 360 Hz in chunks of 250 ms, one core",
        headings=(
            *("patients", "patients per core", "from", "to"),
            *("kB a patient", "kB exported", "worst tick ms"),
        ),
        rows=tuple(
            (
                *(row["patients"], row["patients_per_core"], *_span(row)),
                *(row[key] for key in keys),
            )
            for row in rows
        ),
    )


def _span(row: Figures) -> tuple[int | None, int | None]:
    runs = row.get("runs")  # reports that were kept before there were several do not have them
    return (min(runs), max(runs)) if runs else (None, None)


def _kafka(report: Figures) -> Sheet | None:
    rows = report.get("kafka")
    if not rows:
        return None
    keys = ("chunk_ms", "patients", "seconds", "held", "p50_ms", "p99_ms", "lag_growth_s")
    return Sheet(
        title="Through Apache Kafka in real time; latency from sending to readable",
        headings=("chunk ms", "patients", "s", "held", "p50 ms", "p99 ms", "growth s", "why not"),
        rows=tuple((*(row[key] for key in keys), "; ".join(row["why_not"])) for row in rows),
    )


def _cpu(report: Figures) -> Sheet | None:
    rows = report.get("kafka")
    if not rows:
        return None
    kinds = ("broker", "generator", "scorer", "listener")
    return Sheet(
        title="Cores that each process used meanwhile, and how late the load was",
        headings=("chunk ms", "patients", "scorers", *kinds, "MB/s", "late p50 ms", "p99 ms"),
        rows=tuple(
            (
                *(row["chunk_ms"], row["patients"], row["scorers"]),
                *(row["cpu"][kind] for kind in kinds),
                *(
                    row["mb_per_s"],
                    row["generator_late_ms"]["p50"],
                    row["generator_late_ms"]["p99"],
                ),
            )
            for row in rows
        ),
    )


def _peers(report: Figures) -> Sheet | None:
    ratios, runs = report.get("peers"), report.get("peer_runs")
    if not ratios or not runs:
        return None
    rounds = len(runs["ours"])
    each = f"{rounds} runs each" if rounds > 1 else "1 run each"
    # what reads by the same client cannot be faster than the one that does nothing else
    reading = _middle(runs[BARE]) if BARE in runs else None
    rows: list[tuple[object, ...]] = [
        ("ours, from Kafka to findings", _middle(runs["ours"]), None, None)
    ]
    for name, ratio in ratios.items():
        low, high = report["peer_intervals"][name]
        cost = _middle(runs[name])
        ceiling = None if reading is None or name == SLEEPECG else reading / cost
        span = f" ({cell(low)} to {cell(high)})" if rounds > 1 else ""
        rows.append((name, cost, f"{cell(ratio)}{span}", ceiling))
    return Sheet(
        title=f"The same from parts and from others, {each}",
        headings=("what", "patients per core", "ours / this", "nothing done / this"),
        rows=tuple(rows),
    )


def _middle(values: Sequence[float]) -> float:
    return statistics.median(values)


def _stages(report: Figures) -> Sheet | None:
    shares = report.get("stages")
    if not shares:
        return None
    return Sheet(
        title="Where the scorer's CPU time goes",
        headings=("stage", "share of a CPU second"),
        rows=tuple(shares.items()),
    )


_LIMITS = {
    "flops_per_beat": "operations for a beat, the beat model",
    "flops_per_beat_lstm": "of them the LSTMs'",
    "flops_per_second": "operations for a second of rhythm",
    "models_gflops": "GFLOP/s of both models on a core busy with the engine",
    "lstms_gflops": "of them the LSTMs'",
    "flop_share": "share of the core's peak, both models",
    "lstm_flop_share": "of them the LSTMs'",
    "bare_consumer_mb_per_s": "MB/s that a consumer reads who does nothing, one core",
    "bytes_share": "waveforms of {bytes_patients:,} patients through Kafka, as a share of it",
}


def _limit(report: Figures) -> Sheet | None:
    found = report.get("limit")
    if not found:
        return None
    return Sheet(
        title="How far from the limit",
        headings=("what", "figure"),
        rows=tuple(
            (words.format(**found), found[key]) for key, words in _LIMITS.items() if key in found
        ),
    )


def _machine(report: Figures) -> Sheet | None:
    found = report.get("machine")
    if not found:
        return None
    versions = ", ".join(f"{name} {version}" for name, version in found["versions"].items())
    busy = "YES: the figures are too low" if found["busy"] else "no"
    return Sheet(
        title="The machine",
        headings=("what", "figure"),
        rows=(
            ("processor", found["cpu"]),
            ("cores", found["cores"]),
            ("matrix multiplication, float32, one core, GFLOP/s", found["matmul_gflops"]),
            ("load average before", found["load"]),
            ("load average after each part", ", ".join(map(cell, found["load_during"]))),
            ("cores used by others", found["cores_used_by_others"]),
            ("busy with other work", busy),
            ("models run", found["models"]),
            ("input", report["input"]),
            ("versions", versions),
        ),
    )

"""The kept runs side by side: what differs between machines, and from one run to the next."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.capacity.table import Sheet
from benchmarks.guard import RESULTS, kept_reports, largest_held
from benchmarks.peers.names import PARTS

ENGINE = (1_000, 5_000)
"""Patients of the engine's rows that are shown."""


def sheet(folder: Path = RESULTS) -> Sheet:
    """Return the kept runs of a folder, the oldest first."""
    return Sheet(
        title="Runs that were kept",
        headings=(
            *("made (UTC)", "processor", "GFLOP/s"),
            *(f"engine, {n:,}: patients per core" for n in ENGINE),
            "most patients that held, chunks of 250 ms",
            "1 s",
            *(f"ours / {name}" for name in PARTS),
        ),
        rows=tuple(_row(one) for one in kept_reports(folder)),
    )


def _row(report: Mapping[str, Any]) -> tuple[object, ...]:
    speeds = {row["patients"]: row["patients_per_core"] for row in report.get("engine", ())}
    peers = report.get("peers", {})
    return (
        str(report["kept_at"])[:16].replace("T", " "),
        report["machine"]["cpu"],
        report["machine"]["matmul_gflops"],
        *(speeds.get(n) for n in ENGINE),
        *(_load(report, chunk_ms) for chunk_ms in (250, 1000)),
        *(peers.get(name) for name in PARTS),
    )


def _load(report: Mapping[str, Any], chunk_ms: int) -> str | None:
    row = largest_held(report, chunk_ms=chunk_ms)
    if row is None:
        return None
    return f"{row['patients']:,} for {row['seconds']:g} s, p99 {row['p99_ms']:g} ms"

"""Today's figures beside the last kept ones, so that a loss is seen when it happens.

Kept runs lie in ``benchmarks/results``. What depends on the machine's speed is
scaled by its own peak at multiplying matrices. A run on a busy machine is shown and
not judged, and so is one on a processor of which none was kept: how fast that
multiplies matrices says little of how fast it does anything else.
"""

import json
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

RESULTS = Path(__file__).parent / "results"
WORSE = 0.15
"""A change for the worse that is more than what runs differ by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One figure of a report."""

    value: float
    better: Literal["more", "less"]
    speed: bool
    """True where it grows, or shrinks, with the speed of the machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One figure of today beside the kept one; ``change`` above 0 is for the better."""

    name: str
    kept: float
    expected: float
    """The kept one, scaled to the machine of today."""
    today: float
    change: float

    @property
    def worse(self) -> bool:
        """Whether that is more than chance."""
        return self.change < -WORSE


def figures(report: Mapping[str, Any]) -> dict[str, Figure]:
    """Return what is compared of a capacity report, by name."""
    return dict(_figures(report))


def _figures(report: Mapping[str, Any]) -> Iterator[tuple[str, Figure]]:
    for row in report.get("engine", ()):
        who = f"engine, {row['patients']:,} patients"
        yield (
            f"{who}: patients per core",
            Figure(value=row["patients_per_core"], better="more", speed=True),
        )
        # with few patients it is what the process needs anyway
        if row["patients"] >= 1000:
            yield (
                f"{who}: kB a patient",
                Figure(value=row["kb_per_patient"], better="less", speed=False),
            )
    for row in report.get("kafka", ()):
        if row["p99_ms"] is not None:
            who = f"Kafka, {row['patients']:,} patients, {row['chunk_ms']} ms"
            yield f"{who}: p99 ms", Figure(value=row["p99_ms"], better="less", speed=True)
            cores = row["cpu"]["scorer"]
            yield f"{who}: cores of the scorer", Figure(value=cores, better="less", speed=True)
    for name, ratio in report.get("peers", {}).items():
        yield f"ours / {name}", Figure(value=ratio, better="more", speed=False)


def compare(today: Mapping[str, Any], kept: Mapping[str, Any]) -> list[Line]:
    """Return the figures that both reports have.

    Parameters
    ----------
    today, kept : mapping
        Capacity reports.
    """
    faster = today["machine"]["matmul_gflops"] / kept["machine"]["matmul_gflops"]
    before, lines = figures(kept), []
    for name, now in figures(today).items():
        if name not in before or not before[name].value or not now.value:
            continue
        old = before[name].value
        expected = old
        if now.speed:
            expected = old * faster if now.better == "more" else old / faster
        ratio = now.value / expected if now.better == "more" else expected / now.value
        lines.append(
            Line(name=name, kept=old, expected=expected, today=now.value, change=ratio - 1)
        )
    return lines


def kept_reports(folder: Path = RESULTS) -> list[dict[str, Any]]:
    """Return the kept reports, the newest last."""
    found = [json.loads(p.read_text(encoding="utf-8")) for p in folder.glob("*.json")]
    # other benchmarks keep theirs beside them
    kept = [report for report in found if "kept_at" in report]
    return sorted(kept, key=lambda report: str(report["kept_at"]))


def last_kept(folder: Path = RESULTS, *, cpu: str | None = None) -> dict[str, Any] | None:
    """Return the newest kept report, of the same processor if there is one; None without any."""
    reports = kept_reports(folder)
    alike = [report for report in reports if report.get("machine", {}).get("cpu") == cpu]
    return next(reversed(alike or reports), None)


def largest_held(report: Mapping[str, Any], *, chunk_ms: int) -> Mapping[str, Any] | None:
    """Return the row of the largest load among those that held for the longest; None without."""
    rows = [row for row in report.get("kafka", ()) if row["chunk_ms"] == chunk_ms and row["held"]]
    return max(rows, key=lambda row: (row["seconds"], row["patients"]), default=None)


def keep(report: Mapping[str, Any], folder: Path = RESULTS) -> Path:
    """Keep a report, with when it was made and at which commit.

    Raises
    ------
    ValueError
        If the machine was busy: nobody could be compared with it.
    """
    if report["machine"]["busy"]:
        raise ValueError(
            "a run is kept from a machine that does nothing else, but others used "
            f"{report['machine']['cores_used_by_others']} cores; run again when it is idle"
        )
    now = datetime.now(UTC)
    folder.mkdir(exist_ok=True)
    path = folder / f"capacity-{now:%Y-%m-%dT%H-%M-%S}.json"
    whole = {"kept_at": now.isoformat(timespec="seconds"), "commit": _commit(), **report}
    path.write_text(json.dumps(whole, indent=2) + "\n", encoding="utf-8")
    return path


def _commit() -> str | None:
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        cwd=RESULTS.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() or None

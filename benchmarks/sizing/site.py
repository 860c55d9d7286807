"""Who is to be served, and from which figures the plan for them is made."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import guard


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A number, where it comes from, and what it means."""

    value: float
    source: str
    meaning: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Who is to be served."""

    name: str
    people: int
    at_once: float
    """Share of them that sends at the busiest hour."""
    fs: float
    leads: tuple[str, ...]
    chunk_ms: int


SITES = (
    Site(name="hospital", people=1_000, at_once=1.0, fs=360.0, leads=("II", "V1"), chunk_ms=250),
    Site(name="region", people=100_000, at_once=1.0, fs=360.0, leads=("II", "V1"), chunk_ms=250),
    Site(name="wearables", people=10_000_000, at_once=0.3, fs=250.0, leads=("II",), chunk_ms=1000),
)

ASSUMED: dict[str, tuple[float, str]] = {
    "scorer_per_core": (3_000.0, "patients that one core scores, Kafka client and all"),
    "archive_per_core": (2_900.0, "patients that one core archives"),
    "alarm_per_core": (3_000.0, "patients for whom one core raises alarms"),
    "broker_mb_s": (150.0, "MB/s that a broker writes for long, copies for others included"),
    "broker_messages_s": (100_000.0, "messages/s that a broker takes in for long"),
    "broker_cores": (8.0, "cores of a broker's machine"),
    "replication": (3.0, "copies of every partition"),
    "busy": (0.6, "share of its core or disk that anything may use at the busiest hour"),
    "outage_s": (300.0, "an outage after which everything is to be caught up"),
    "catch_up_s": (300.0, "how long catching up may take"),
    "lost": (0.02, "share of the scorers, at least one, that may be gone at once"),
    "cell": (250_000.0, "patients at once in a cell: a Kafka cluster with its roles"),
    "waveforms_h": (24.0, "hours that waveforms stay in Kafka"),
    "findings_h": (168.0, "hours that findings stay in Kafka"),
    "model_share": (0.5, "share of a scorer's time that the model takes, and a GPU takes away"),
    "gpu_patients": (100_000.0, "patients for whom one GPU runs the model"),
    "core_price": (0.04, "price of a core with 4 GB for an hour"),
    "gpu_price": (2.0, "price of a GPU for an hour"),
    "disk_price": (0.08, "price of a GB of disk for a month"),
}
"""Value and meaning of everything that is not measured here."""


def figures_of(results: Path, given: Mapping[str, float | None]) -> dict[str, Figure]:
    """Return every figure: as given, else as measured, else as assumed."""
    measured = _measured(results)
    found = {}
    for name, (assumed, meaning) in ASSUMED.items():
        value = given.get(name)
        if value is not None:
            found[name] = Figure(value=value, source="given", meaning=meaning)
        elif name in measured:
            value, source = measured[name]
            found[name] = Figure(value=value, source=source, meaning=meaning)
        else:
            found[name] = Figure(value=assumed, source="assumed", meaning=meaning)
    return found


def _measured(results: Path) -> dict[str, tuple[float, str]]:
    """Return what benchmarks have left: value and file."""
    found = {}
    archive = _read(results / "archive.json").get("archive")
    if archive:
        found["archive_per_core"] = (float(archive["patients_per_core"]), "archive.json")
    alarm = _read(results / "alarm.json").get("alarm")
    if alarm:
        found["alarm_per_core"] = (float(alarm["patients_per_core"]), "alarm.json")
    scaling = _read(results / "scaling.json").get("scaling")
    if scaling and "throughput" in scaling:
        speeds = [row["patients_per_core"] for row in scaling["throughput"]]
        found["scorer_per_core"] = (float(np.median(speeds)), "scaling.json")
    capacity = guard.last_kept(results) or {}
    # in real time: that counts more than a backlog
    if row := guard.largest_held(capacity, chunk_ms=250):
        speed = row["patients"] / row["cpu"]["scorer"]
        found["scorer_per_core"] = (speed, f"capacity of {capacity['kept_at'][:10]}")
    if model := capacity.get("stages", {}).get("model"):
        found["model_share"] = (float(model), f"capacity of {capacity['kept_at'][:10]}")
    return found


def _read(file: Path) -> dict[str, Any]:
    if not file.is_file():
        return {}
    read: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return read

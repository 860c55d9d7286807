"""How much a hospital, a region and a wearables service need: from measured figures, by simulation.

Bytes are measured here: simulated patients go through the monitor, and the
messages are weighed. Speeds come from ``benchmarks/results`` where a benchmark
left them. Everything else is an assumption with a name, and an option to change
it; prices are nobody's offer.

The simulation draws where the patients fall: a key's hash picks the partition,
partitions are dealt to scorers in ranges. It looks for the fewest scorers of
which the busiest, with some lost, still has time to catch up after an outage.
"""

import argparse
import json
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks import guard
from ecg.checkpoint import load
from ecg.monitor import Monitor
from ecg.simulator import Simulator
from stream.messages import (
    FindingsMessage,
    ScoreState,
    Signal,
    Waveform,
    encode,
    encode_waveform,
    headers_of,
    pack_samples,
)
from training.page import put_between

RESULTS = Path(__file__).parent / "results"
PAGE = Path(__file__).parents[1] / "docs" / "guides" / "sizing.md"

STATE_EVERY_S = 30.0
"""How often ``score`` writes a patient's state."""
ENVELOPE_BYTES = 20
"""What Kafka adds to key, value and headers of a message in a batch of many."""
WEIGHED_S = 60.0
DRAWS = 20
MOST_PARTITIONS = 1024
_HOURS_A_MONTH = 730.0
_MB = 1e6


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
    "alarm_per_core": (3_000.0, "patients for whom one core raises alarms; not measured"),
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Weight:
    """Bytes that one patient puts into Kafka in a second, one copy."""

    waveforms: float
    findings: float
    states: float
    messages: float
    """Messages a second."""

    @property
    def whole(self) -> float:
        """All of it."""
        return self.waveforms + self.findings + self.states


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a site needs."""

    site: str
    people: int
    at_once: int
    cells: int
    """Kafka clusters with their roles; what follows is of all of them together."""
    partitions: int
    brokers: int
    scorers: int
    busiest: float
    """Share of its core that the busiest scorer uses, with some lost."""
    gpus: int
    alarm_cores: int
    archive_cores: int
    mb_s: float
    """Into Kafka, one copy."""
    kafka_tb: float
    """Kept in Kafka, all copies."""
    archive_tb_day: float
    kb_patient_s: float
    price_patient_month: float
    """Per person, without the archive's disks."""


def weigh(site: Site, *, seconds: float = WEIGHED_S) -> Weight:
    """Send simulated patients through the monitor, and weigh all messages."""
    patients, step = 4, round(site.fs * site.chunk_ms / 1000)
    monitor = Monitor(load(device="cpu"))
    signals = tuple(
        Signal(name=name, kind="ecg", unit="mV", gain=1000.0, baseline=0) for name in site.leads
    )
    sources = [
        Simulator(fs=site.fs, leads=site.leads, seed=seed, then="loop").chunks(
            f"patient-{seed}", "20260101T000000.000000Z-abcdef", duration_s=step / site.fs
        )
        for seed in range(patients)
    ]
    waveforms = findings = messages = 0
    for _ in range(round(seconds * 1000 / site.chunk_ms)):
        chunks = [next(source) for source in sources]
        for chunk in chunks:
            message = Waveform(
                patient=chunk.patient,
                stream=chunk.stream,
                first_sample=chunk.first_sample,
                fs=chunk.fs,
                source_ns=1_700_000_000_000_000_000,
                sent_ns=1_700_000_000_000_000_000,
                signals=signals,
                samples=pack_samples(chunk.samples, signals),
            )
            headers = sum(len(key) + len(value) + 2 for key, value in headers_of(message))
            waveforms += len(encode_waveform(message)) + headers + _around(chunk.patient)
        for found in monitor.advance(chunks):
            message_ = FindingsMessage.of(found, epoch=1)
            findings += len(encode(message_)) + _around(found.patient)
            messages += 1
        messages += len(chunks)
    state = ScoreState(
        patient="patient-0",
        epoch=1,
        inputs={"ecg.waveforms": 10**6},
        streams=("20260101T000000.000000Z-abcdef",),
        end_sample=10**6,
        state=monitor.export("patient-0"),
    )
    heard = patients * seconds
    return Weight(
        waveforms=waveforms / heard,
        findings=findings / heard,
        states=(len(encode(state)) + _around("patient-0")) / STATE_EVERY_S,
        messages=messages / heard,
    )


def _around(key: str) -> int:
    return len(key) + ENVELOPE_BYTES


def scorers_for(
    patients: int, *, per_core: float, most: float, lost: float, seed: int = 0
) -> tuple[int, int, float]:
    """Return partitions, scorers, and how busy the busiest of them is with some lost.

    Parameters
    ----------
    patients : int
        Of one cell.
    per_core : float
        Patients that use one core up.
    most : float
        Share of its core that the busiest may use.
    lost : float
        Share of the scorers, at least one, that may be gone.

    Raises
    ------
    ValueError
        If no number of partitions is enough: make the cells smaller.

    Examples
    --------
    >>> scorers_for(1000, per_core=3000.0, most=0.5, lost=0.02)[1]
    2
    """
    random = np.random.default_rng(seed)
    partitions = 8
    while partitions <= MOST_PARTITIONS:
        drawn = random.multinomial(patients, np.full(partitions, 1 / partitions), size=DRAWS)
        fewest = math.ceil(patients / per_core / most) + 1
        for scorers in range(max(2, fewest), min(partitions, math.ceil(fewest * 1.25) + 1) + 1):
            left = scorers - max(1, math.ceil(lost * scorers))
            share, more = divmod(partitions, left)
            # range: the first ones get one partition more
            starts = np.cumsum([0, *([share + 1] * more), *([share] * (left - more))])[:-1]
            busiest = float(np.add.reduceat(drawn, starts, axis=1).max() / per_core)
            if busiest <= most:
                return partitions, scorers, busiest
        partitions *= 2
    raise ValueError(
        f"{patients} patients do not fit {MOST_PARTITIONS} partitions at {per_core:g} a core; "
        "make the cells smaller"
    )


def plan(site: Site, weight: Weight, figures: Mapping[str, Figure]) -> Plan:
    """Return what a site needs."""
    value = {name: figure.value for name, figure in figures.items()}
    at_once = round(site.people * site.at_once)
    cells = math.ceil(at_once / value["cell"])
    per_cell = math.ceil(at_once / cells)
    most = min(value["busy"], value["catch_up_s"] / (value["catch_up_s"] + value["outage_s"]))

    def scored(per_core: float) -> tuple[int, int, float]:
        return scorers_for(per_cell, per_core=per_core, most=most, lost=value["lost"])

    partitions, scorers, busiest = scored(value["scorer_per_core"])
    gpus = 0
    with_gpu = scored(value["scorer_per_core"] / (1 - value["model_share"]))
    needed = math.ceil(per_cell / value["gpu_patients"] / value["busy"]) + 1
    if (scorers - with_gpu[1]) * value["core_price"] > needed * value["gpu_price"]:
        (partitions, scorers, busiest), gpus = with_gpu, needed
    copies = value["replication"]
    by_bytes = per_cell * weight.whole * copies / _MB / value["broker_mb_s"]
    by_messages = per_cell * weight.messages / value["broker_messages_s"]
    # one may be gone
    brokers = max(3, math.ceil(max(by_bytes, by_messages) / value["busy"]) + 1)
    kept = weight.waveforms * value["waveforms_h"] + weight.findings * value["findings_h"]
    kafka_gb = at_once * kept * 3600 * copies / 1e9
    alarm = math.ceil(per_cell / value["alarm_per_core"] / value["busy"]) + 1
    archive = math.ceil(per_cell / value["archive_per_core"] / value["busy"]) + 1
    cores = scorers + alarm + archive + brokers * value["broker_cores"]
    hourly = cells * (cores * value["core_price"] + gpus * value["gpu_price"])
    monthly = hourly * _HOURS_A_MONTH + kafka_gb * value["disk_price"]
    samples = 2 * len(site.leads) * site.fs
    return Plan(
        site=site.name,
        people=site.people,
        at_once=at_once,
        cells=cells,
        partitions=partitions * cells,
        brokers=brokers * cells,
        scorers=scorers * cells,
        busiest=busiest,
        gpus=gpus * cells,
        alarm_cores=alarm * cells,
        archive_cores=archive * cells,
        mb_s=at_once * weight.whole / _MB,
        kafka_tb=kafka_gb / 1000,
        archive_tb_day=at_once * samples * 86400 / 1e12,
        kb_patient_s=weight.whole / 1000,
        price_patient_month=monthly / site.people,
    )


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
    scaling = _read(results / "scaling.json").get("scaling")
    if scaling and "throughput" in scaling:
        speeds = [row["patients_per_core"] for row in scaling["throughput"]]
        found["scorer_per_core"] = (float(np.median(speeds)), "scaling.json")
    capacity = guard.last_kept(results) or {}
    # in real time: that counts more than a backlog
    live = [row for row in capacity.get("kafka", ()) if row["held"] and row["chunk_ms"] == 250]
    if live:
        row = max(live, key=lambda one: int(one["patients"]))
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


def markdown(
    plans: Sequence[Plan], weights: Mapping[str, Weight], figures: Mapping[str, Figure]
) -> str:
    """Return the tables of the page."""
    names = {
        "people": "people",
        "at_once": "sending at once",
        "cells": "cells (Kafka clusters)",
        "partitions": "partitions of each topic",
        "brokers": "brokers",
        "scorers": "cores for `score`",
        "busiest": "busiest scorer, some lost",
        "gpus": "GPUs",
        "alarm_cores": "cores for `alarm`",
        "archive_cores": "cores for `archive`",
        "mb_s": "MB/s into Kafka, one copy",
        "kafka_tb": "TB in Kafka, all copies",
        "archive_tb_day": "TB a day of archive",
        "kb_patient_s": "kB/s a patient",
        "price_patient_month": "price a person and month",
    }
    lines = [f"| | {' | '.join(one.site for one in plans)} |", f"|---|{'---:|' * len(plans)}"]
    rows = [asdict(one) for one in plans]
    for name, words in names.items():
        lines.append(f"| {words} | {' | '.join(_said(name, row[name]) for row in rows)} |")
    lines += ["", "Bytes a second of one patient, one copy, weighed:", ""]
    lines += ["| | waveforms | findings | states | messages/s |", "|---|---:|---:|---:|---:|"]
    for site in SITES:
        weight = weights[site.name]
        shape = f"{len(site.leads)} lead{'s' * (len(site.leads) > 1)}, {site.fs:g} Hz"
        parts = (weight.waveforms, weight.findings, weight.states)
        said = " | ".join(f"{part:,.0f}" for part in parts)
        shown = f"{site.name}: {shape}, {site.chunk_ms} ms a message"
        lines.append(f"| {shown} | {said} | {weight.messages:.1f} |")
    lines += ["", "What it is computed from:", ""]
    lines += ["| figure | value | from | meaning |", "|---|---:|---|---|"]
    for name, figure in figures.items():
        shown = f"{figure.value:,.0f}" if figure.value >= 100 else f"{figure.value:g}"
        lines.append(f"| `{name}` | {shown} | {figure.source} | {figure.meaning} |")
    return "\n".join(lines)


def _said(name: str, value: float) -> str:
    if name == "busiest":
        return f"{100 * value:.0f} %"
    if name == "price_patient_month":
        return f"{value:.3f}" if value < 1 else f"{value:.2f}"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.0f}" if value >= 100 else f"{value:.2g}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Weigh, place, count, and print a table and JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sizing", description=__doc__)
    for name, (assumed, meaning) in ASSUMED.items():
        option = "--" + name.replace("_", "-")
        parser.add_argument(option, type=float, help=f"{meaning} ({assumed:g} without it)")
    parser.add_argument("--results", type=Path, default=RESULTS, help="what benchmarks have left")
    parser.add_argument("--page", type=Path, nargs="?", const=PAGE, help="also write the tables")
    parser.add_argument("--json", metavar="FILE", default="-", help="where to; - prints it")
    options = parser.parse_args(arguments)
    given = {name: getattr(options, name) for name in ASSUMED}
    if any(value is not None and not value > 0 for value in given.values()):
        parser.error("every figure must be more than 0")
    figures = figures_of(options.results, given)
    console = Console(stderr=True)
    weights, plans = {}, []
    with console.status("weighing messages") as status:
        for site in SITES:
            status.update(f"{site.name}: weighing messages, placing patients")
            weights[site.name] = weigh(site)
            plans.append(plan(site, weights[site.name], figures))
    table = Table(title="what it takes")
    table.add_column("")
    for one in plans:
        table.add_column(one.site, justify="right")
    for name in list(asdict(plans[0]))[1:]:
        table.add_row(name.replace("_", " "), *(_said(name, asdict(one)[name]) for one in plans))
    console.print(table)
    if options.page is not None:
        put_between(options.page, markdown(plans, weights, figures) + "\n", name="sizing")
    report = {
        "sizing": [asdict(one) for one in plans],
        "weights": {name: asdict(weight) for name, weight in weights.items()},
        "figures": {name: asdict(figure) for name, figure in figures.items()},
    }
    text = json.dumps(report, indent=2) + "\n"
    if options.json == "-":
        sys.stdout.write(text)
    else:
        Path(options.json).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

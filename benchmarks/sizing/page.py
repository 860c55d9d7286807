"""The plans as tables of a page."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from benchmarks.sizing.plan import Plan
from benchmarks.sizing.site import SITES, Figure
from benchmarks.sizing.weight import Weight


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
        lines.append(f"| {words} | {' | '.join(said(name, row[name]) for row in rows)} |")
    lines += ["", "Bytes a second of one patient, one copy, weighed:", ""]
    lines += ["| | waveforms | findings | states | messages/s |", "|---|---:|---:|---:|---:|"]
    for site in SITES:
        weight = weights[site.name]
        shape = f"{len(site.leads)} lead{'s' * (len(site.leads) > 1)}, {site.fs:g} Hz"
        parts = (weight.waveforms, weight.findings, weight.states)
        shares = " | ".join(f"{part:,.0f}" for part in parts)
        shown = f"{site.name}: {shape}, {site.chunk_ms} ms a message"
        lines.append(f"| {shown} | {shares} | {weight.messages:.1f} |")
    lines += ["", "What it is computed from:", ""]
    lines += ["| figure | value | from | meaning |", "|---|---:|---|---|"]
    for name, figure in figures.items():
        shown = f"{figure.value:,.0f}" if figure.value >= 100 else f"{figure.value:g}"
        lines.append(f"| `{name}` | {shown} | {figure.source} | {figure.meaning} |")
    return "\n".join(lines)


def said(name: str, value: float) -> str:
    """Return a figure of a plan as people read it."""
    if name == "busiest":
        return f"{100 * value:.0f} %"
    if name == "price_patient_month":
        return f"{value:.3f}" if value < 1 else f"{value:.2f}"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.0f}" if value >= 100 else f"{value:.2g}"

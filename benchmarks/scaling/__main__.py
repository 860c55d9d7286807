"""What more scorers bring, and what their coming and going costs the patients concerned.

Three Apache Kafka brokers on this machine, every message on all three, written
when two have it. Patients are simulated. Throughput: a backlog that is there
before the scorers start, from the reading of the first finding to the last,
without what was published before. Changes: patients in real time while a scorer
joins, leaves and is killed; a finding's latency is from the sending of its oldest
waveform to the finding being read here.
"""

import argparse
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.apache.cluster import KafkaCluster
from benchmarks.figures import write_figures
from benchmarks.scaling.changes import Change, changes
from benchmarks.scaling.throughput import Throughput, throughput
from training.page import put_between

SCORERS = (1, 2, 4)


def table_of(rows: Sequence[Throughput] | Sequence[Change], title: str) -> Table:
    """Return rows as a table, a column a field."""
    table = Table(title=title)
    for name in asdict(rows[0]):
        table.add_column(name.replace("_", " "), justify="right")
    for row in rows:
        values = asdict(row).values()
        table.add_row(*(f"{v:.4g}" if isinstance(v, float) else str(v) for v in values))
    return table


def markdown_of(scaling: Mapping[str, Any]) -> str:
    """Return the tables as Markdown, those of the parts that were measured."""
    parts = []
    if rows := scaling.get("throughput"):
        lines = [
            f"| scorers | a backlog of {scaling['backlog']:,} patients is caught up, times real "
            "time | as fast as so many patients in real time | scorers' CPU, s | patients a core |",
            "|---:|---:|---:|---:|---:|",
        ]
        for row in rows:
            lines.append(
                f"| {row['scorers']} | {row['catching_up']:.1f} | {row['times_real_time']:,.0f} "
                f"| {row['scorer_cpu_s']:.1f} | {row['patients_per_core']:,.0f} |"
            )
        parts.append("\n".join(lines) + "\n")
    if moves := scaling.get("changes"):
        usual = f"p50 {scaling['usual_p50_s']:.2f} s, p99 {scaling['usual_p99_s']:.2f} s"
        lines = [
            f"{scaling['patients']:,} patients in real time, two scorers; "
            f"latency without a change: {usual}.",
            "",
            "| a scorer | patients concerned | added, p50 s | added, p99 s | goal, s | held |",
            "|---|---:|---:|---:|---:|---|",
        ]
        for move in moves:
            added = [_seconds(move[name]) for name in ("added_p50_s", "added_p99_s")]
            held = {True: "yes", False: "no", None: "-"}[move["held"]]
            lines.append(
                f"| {move['what']} | {move['patients']} | {' | '.join(added)} "
                f"| {move['goal_s']:g} | {held} |"
            )
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print tables and JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling", description=__doc__)
    parser.add_argument("--patients", type=int, default=200, help="in real time")
    parser.add_argument("--backlog", type=int, default=500, help="patients of the backlog")
    parser.add_argument("--seconds", type=float, default=20.0, help="without a change, first")
    parser.add_argument("--only", choices=("throughput", "changes"), help="one part")
    parser.add_argument("--json", metavar="FILE", default="-", help="where to; - prints it")
    parser.add_argument("--markdown", metavar="PAGE", help="write the tables between its markers")
    options = parser.parse_args(arguments)
    if min(options.patients, options.backlog, options.seconds) < 1:
        parser.error("--patients, --backlog and --seconds must be 1 or more")
    console = Console(stderr=True)
    scaling: dict[str, object] = {}
    report = {
        "scaling": scaling,
        "machine": {"cores": os.cpu_count(), "load_before": os.getloadavg()[0]},
    }

    def say(what: str) -> None:
        console.print(f"[dim]{what}[/dim]")

    say("starting three brokers")
    with KafkaCluster() as brokers:
        if options.only != "changes":
            rows = []
            for number in SCORERS:
                say(f"{number} scorers judge a backlog of {options.backlog} patients")
                rows.append(throughput(brokers.cluster, number, patients=options.backlog))
            scaling["backlog"] = options.backlog
            scaling["throughput"] = [asdict(row) for row in rows]
            title = f"a backlog of {options.backlog} patients, two leads at 250 Hz, 8 partitions"
            console.print(table_of(rows, title))
        if options.only != "throughput":
            say(f"{options.patients} patients in real time: join, leave, kill")
            p50, p99, moves = changes(
                brokers.cluster, patients=options.patients, steady_s=options.seconds, say=say
            )
            scaling["patients"] = options.patients
            scaling["usual_p50_s"], scaling["usual_p99_s"] = p50, p99
            scaling["changes"] = [asdict(move) for move in moves]
            usual = f"latency without a change: p50 {p50:.2f} s, p99 {p99:.2f} s"
            console.print(table_of(moves, f"{options.patients} patients in real time; {usual}"))
    write_figures(report, options.json)
    if options.markdown:
        put_between(options.markdown, markdown_of(scaling), name="scaling")


if __name__ == "__main__":
    main()

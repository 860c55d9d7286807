"""What more scorers bring, and what their coming and going costs the patients concerned.

Three Apache Kafka brokers on this machine, every message on all three, written
when two have it. Patients are simulated. Throughput: a backlog that is there
before the scorers start, from the first finding to the last. Changes: patients in
real time while a scorer joins, leaves and is killed; a finding's latency is from
the sending of its oldest waveform to the finding being read here.
"""

import argparse
import contextlib
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.apache.cluster import KafkaCluster
from benchmarks.figures import write_figures
from stream.broker import die_with_parent
from stream.health import unwatched
from stream.kafka import Cluster, Reader, create_topics, partition_for
from stream.messages import EPOCH_KEY
from stream.replay import run_replay
from stream.source import simulated_sources
from stream.topics import FINDINGS, TOPICS
from stream.watermark import Heard

PARTITIONS = 8
FS = 250.0
SCORERS = (1, 2, 4)
AFTER_S = 20.0
"""So long after a change latencies are counted to it."""
GOALS_S: dict[str, float] = {"joins": 5.0, "leaves": 5.0, "killed": 12.0}
"""Added latency that a change may cost; a session of the consumer group lasts 6 s."""

What = Literal["joins", "leaves", "killed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Throughput:
    """How fast some scorers judge a backlog."""

    scorers: int
    patient_s: float
    """Signal of all patients together, in s."""
    wall_s: float
    times_real_time: float
    """Patients in real time that are judged at this speed."""
    scorer_cpu_s: float
    """CPU time of the scorers while they judge."""
    patients_per_core: float
    """Patients in real time for one core that does nothing but score."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a change of the group costs the patients whose partition moved."""

    what: What
    patients: int
    added_p50_s: float | None
    added_p99_s: float | None
    """Of each patient the longest latency after the change, less the usual one."""
    goal_s: float
    held: bool | None


@dataclass(slots=True)
class Seen:
    """What a reader of the findings notes of each message."""

    heard_s: list[float] = field(default_factory=list)
    latency_s: list[float] = field(default_factory=list)
    patient: list[str] = field(default_factory=list)
    moved: list[tuple[float, int]] = field(default_factory=list)
    """When a partition was announced to be taken over."""


class Listener:
    """Follows the findings from a thread of its own."""

    def __init__(self, cluster: Cluster) -> None:
        self.seen = Seen()
        self._reader = Reader(cluster, [FINDINGS.name])
        self._heard = Heard()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.is_set():
            messages = self._reader.poll(0.05)
            now_s, now_ns = time.monotonic(), time.time_ns()
            for message in messages:
                found = self._heard.findings(message)
                if message.key == EPOCH_KEY:
                    self.seen.moved.append((now_s, message.partition))
                elif found is not None and found.spans:
                    oldest_ns = min(span.sent_ns for span in found.spans)
                    self.seen.heard_s.append(now_s)
                    self.seen.latency_s.append((now_ns - oldest_ns) / 1e9)
                    self.seen.patient.append(found.patient)

    def close(self) -> None:
        """Stop following."""
        self._stop.set()
        self._thread.join()
        self._reader.close()


def start_scorer(cluster: Cluster) -> "subprocess.Popen[bytes]":
    """Start ``rhythmwatch score`` as a user does."""
    return subprocess.Popen(
        [sys.executable, "-m", "rhythmwatch", "--log-level", "ERROR", "score", "--device", "cpu"],
        env={
            **os.environ,
            "OMP_NUM_THREADS": "1",
            "RHYTHMWATCH_BOOTSTRAP": cluster.bootstrap,
            "RHYTHMWATCH_PREFIX": cluster.prefix,
        },
        preexec_fn=die_with_parent,
    )


@contextlib.contextmanager
def scorers(cluster: Cluster, number: int) -> "Iterator[list[subprocess.Popen[bytes]]]":
    """Run scorers, and end those that are left."""
    running = [start_scorer(cluster) for _ in range(number)]
    try:
        yield running
    finally:
        for one in running:
            one.kill()
        for one in running:
            one.wait()


def fresh(cluster: Cluster) -> Cluster:
    """Return the cluster with topics that nobody else uses."""
    own = Cluster(cluster.bootstrap, prefix=f"bench-{uuid.uuid4().hex[:6]}.")
    create_topics(own, TOPICS, partitions=PARTITIONS, replication=3)
    return own


def send(cluster: Cluster, patients: int, chunk_ms: int, *, live: bool) -> None:
    """Send simulated patients: once as fast as it goes, or live until killed."""
    run_replay(
        cluster=cluster,
        sources=simulated_sources(patients, fs=FS),
        stop=threading.Event(),
        speed=1.0 if live else None,
        loop=live,
        chunk_ms=chunk_ms,
    )


def cpu_s(process: "subprocess.Popen[bytes]") -> float:
    """Return the CPU time of a process, in s."""
    stat = Path(f"/proc/{process.pid}/stat").read_text(encoding="ascii", errors="replace")
    words = stat.rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def throughput(cluster: Cluster, number: int, *, patients: int) -> Throughput:
    """Measure how fast scorers judge a backlog of messages of 1 s."""
    own = fresh(cluster)
    spawn = multiprocessing.get_context("spawn")
    sender = spawn.Process(target=send, args=(own, patients, 1000), kwargs={"live": False})
    sender.start()
    sender.join()
    source = simulated_sources(1, fs=FS)[0]
    names = {f"sim-{i + 1}" for i in range(patients)}
    last = source.n_samples - 1
    done: set[str] = set()
    heard = Heard()
    with scorers(own, number) as running, Reader(own, [FINDINGS.name]) as reader:
        first_ms = last_ms = 0
        used_s = 0.0
        deadline = time.monotonic() + 240
        while done != names:
            if time.monotonic() > deadline or any(one.poll() is not None for one in running):
                raise RuntimeError(f"{number} scorers judged only {len(done)} of {patients}")
            for message in reader.poll(0.1):
                found = heard.findings(message)
                if found is None:
                    continue
                if not first_ms:
                    first_ms, used_s = message.timestamp_ms, sum(map(cpu_s, running))
                last_ms = max(last_ms, message.timestamp_ms)
                if found.through_sample >= last:
                    done.add(found.patient)
        used_s = sum(map(cpu_s, running)) - used_s
    patient_s = patients * source.duration_s
    wall_s = (last_ms - first_ms) / 1000
    return Throughput(
        scorers=number,
        patient_s=patient_s,
        wall_s=wall_s,
        times_real_time=patient_s / wall_s,
        scorer_cpu_s=used_s,
        patients_per_core=patient_s / used_s,
    )


def changes(
    cluster: Cluster, *, patients: int, steady_s: float, say: Callable[[str], None]
) -> tuple[float, float, list[Change]]:
    """Measure joining, leaving and killing; return usual p50 and p99 latency and the changes."""
    own = fresh(cluster)
    spawn = multiprocessing.get_context("spawn")
    live = spawn.Process(target=send, args=(own, patients, 250), kwargs={"live": True}, daemon=True)
    with scorers(own, 2) as running:
        listener = Listener(own)
        try:
            wait_for_group(own)
            live.start()
            say("two scorers have joined; waiting until everybody is judged in time")
            settle(listener, patients)
            began = time.monotonic()
            time.sleep(steady_s)
            usual = latencies(listener.seen, began, time.monotonic())
            p50, p99 = (float(np.percentile(usual, q)) for q in (50, 99))
            found = []
            for what in ("joins", "leaves", "killed"):
                say(f"a scorer {what}" if what != "killed" else "a scorer is killed")
                at = time.monotonic()
                moves = len(listener.seen.moved)
                match what:
                    case "joins":
                        running.append(start_scorer(own))
                    case "leaves":
                        running[-1].send_signal(signal.SIGTERM)
                    case _:
                        running[0].kill()
                while len(listener.seen.moved) == moves and time.monotonic() < at + 60:
                    time.sleep(0.1)
                time.sleep(AFTER_S)
                found.append(change(listener.seen, what, at=at, moves=moves, usual_s=p50))
            return p50, p99, found
        finally:
            listener.close()
            if live.is_alive():
                live.kill()
                live.join()


def wait_for_group(cluster: Cluster) -> None:
    """Wait until every partition is watched."""
    deadline = time.monotonic() + 120
    while unwatched(cluster, "score"):
        if time.monotonic() > deadline:
            raise RuntimeError("the scorers have not joined within 2 minutes")
        time.sleep(0.5)


def settle(listener: Listener, patients: int) -> None:
    """Wait until everybody is judged with a latency of less than 1 s."""
    deadline = time.monotonic() + 90
    while True:
        last = dict(zip(listener.seen.patient, listener.seen.latency_s, strict=False))
        if len(last) == patients and max(last.values()) < 1.0:
            return
        if time.monotonic() > deadline:
            worst = max(last.values(), default=float("inf"))
            raise RuntimeError(
                f"{len(last)} of {patients} patients are judged, the slowest {worst:.1f} s late: "
                "fewer --patients fit this machine"
            )
        time.sleep(1.0)


def latencies(seen: Seen, start_s: float, end_s: float) -> list[float]:
    """Return all latencies of a stretch of time."""
    return [
        latency
        for at, latency in zip(seen.heard_s, seen.latency_s, strict=False)
        if start_s <= at < end_s
    ]


def change(seen: Seen, what: What, *, at: float, moves: int, usual_s: float) -> Change:
    """Return what a change cost the patients whose partition was taken over."""
    moved = {partition for _, partition in seen.moved[moves:]}
    longest: dict[str, float] = {}
    for heard_s, latency, patient in zip(seen.heard_s, seen.latency_s, seen.patient, strict=False):
        if heard_s >= at and partition_for(patient, PARTITIONS) in moved:
            longest[patient] = max(longest.get(patient, 0.0), latency - usual_s)
    added = list(longest.values())
    p99 = float(np.percentile(added, 99)) if added else None
    return Change(
        what=what,
        patients=len(added),
        added_p50_s=float(np.median(added)) if added else None,
        added_p99_s=p99,
        goal_s=GOALS_S[what],
        held=None if p99 is None else p99 <= GOALS_S[what],
    )


def table_of(rows: Sequence[Throughput] | Sequence[Change], title: str) -> Table:
    """Return rows as a table, a column a field."""
    table = Table(title=title)
    for name in asdict(rows[0]):
        table.add_column(name.replace("_", " "), justify="right")
    for row in rows:
        values = asdict(row).values()
        table.add_row(*(f"{v:.4g}" if isinstance(v, float) else str(v) for v in values))
    return table


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print tables and JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling", description=__doc__)
    parser.add_argument("--patients", type=int, default=200, help="in real time")
    parser.add_argument("--backlog", type=int, default=400, help="patients of the backlog")
    parser.add_argument("--seconds", type=float, default=20.0, help="without a change, first")
    parser.add_argument("--only", choices=("throughput", "changes"), help="one part")
    parser.add_argument("--json", metavar="FILE", default="-", help="where to; - prints it")
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


if __name__ == "__main__":
    main()

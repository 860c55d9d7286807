"""Through Apache Kafka, in real time: how many patients hold.

Broker, load generator, scorers and the consumer that measures latency are
processes that share this machine's cores; each one's share is measured.
"""

import json
import signal
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from benchmarks.apache.server import STEADY, KafkaServer
from benchmarks.capacity import generator, listener
from benchmarks.capacity.worker import Worker, cpu_of
from stream.errors import BrokerError, StreamError
from stream.health import unwatched
from stream.kafka import Cluster, create_topics
from stream.topics import TOPICS

PARTITIONS = 8
SETTLE_S = 12.0
"""Before anything counts: leads are on trial for 10 s, and the broker's code is compiled."""
GROWS_S = 0.5
"""The median latency of the last third may be so much above that of the first."""
P99_MS = 1000.0
HEARD = 0.999
"""Share of the whole seconds of all patients whose status has to be heard."""
READY_S = 180.0
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveRow:
    """One number of patients, for some time."""

    chunk_ms: int
    patients: int
    held: bool
    why_not: tuple[str, ...]
    p50_ms: float | None
    p99_ms: float | None
    max_ms: float | None
    due_p99_ms: float | None
    """From when the message was due, the generator's lateness included."""
    lag_growth_s: float | None
    """Median latency of the last third less that of the first."""
    heard: float
    """Share of the patients' seconds whose status was heard."""
    seconds: float
    scorers: int
    generator_late_ms: dict[str, float]
    mb_per_s: float
    """Waveforms on their way to the broker, in MB (of a million bytes) a second."""
    cpu: dict[str, float]
    """Cores that each kind of process used."""
    stages: dict[str, float]
    """CPU time of the scorers by stage, in s of CPU time for each second."""


def growth_s(medians_ms: list[float]) -> float | None:
    """Return how much the latency grew, in s: the last third's median less the first third's.

    Examples
    --------
    >>> growth_s([100.0, 110.0, 90.0, 100.0, 2100.0, 2000.0])
    1.945
    """
    third = len(medians_ms) // 3
    if not third:
        return None
    first, last = medians_ms[:third], medians_ms[-third:]
    return round((_median(last) - _median(first)) / 1000, 3)


def _median(values: list[float]) -> float:
    ordered = sorted(values)
    half = len(ordered) // 2
    return (ordered[half] + ordered[-half - 1]) / 2


def problems(
    heard: dict[str, Any], sent: dict[str, Any], *, patients: int, seconds: float
) -> list[str]:
    """Say why a load does not hold; nothing where it does."""
    found = []
    p99, growth = heard["p99_ms"], growth_s(heard["median_ms_by_second"])
    if p99 is None or p99 > P99_MS:
        found.append(f"p99 latency {p99} ms")
    if growth is not None and growth > GROWS_S:
        found.append(f"latency grew by {growth:g} s")
    share = heard["statuses"] / (patients * seconds)
    if share < HEARD:
        found.append(f"only {share:.2%} of the seconds were heard of")
    if sent["undelivered"]:
        found.append(f"{sent['undelivered']} messages were not taken by the broker")
    return found


@dataclass(slots=True)
class Live:
    """Runs loads, one after the other, each on a broker of its own.

    Parameters
    ----------
    data : Path or None
        Recordings; simulated patients without.
    scorers : int
        Scorer processes that share the partitions.
    say : callable
        Hears what is being done.
    """

    data: Path | None
    scorers: int
    say: Say
    _started: list[Worker] = field(default_factory=list)

    def run(self, patients: int, chunk_ms: int, seconds: float) -> LiveRow:
        """Measure one load."""
        with (
            tempfile.TemporaryDirectory(prefix="rhythmwatch-bench-") as folder,
            (Path(folder) / "log").open("w+", encoding="utf-8") as log,
            KafkaServer(java=STEADY) as server,
        ):
            try:
                return self._measure(server, Path(folder), log, patients, chunk_ms, seconds)
            except (RuntimeError, StreamError) as error:
                log.flush()
                said = (Path(folder) / "log").read_text(encoding="utf-8")[-3000:]
                raise RuntimeError(f"{error}\n{said}") from error
            finally:
                for process in reversed(self._started):
                    process.close()
                self._started.clear()

    def _measure(
        self,
        server: KafkaServer,
        folder: Path,
        log: IO[str],
        patients: int,
        chunk_ms: int,
        seconds: float,
    ) -> LiveRow:
        prefix = f"bench-{uuid.uuid4().hex[:8]}."
        cluster = Cluster(server.cluster.bootstrap, prefix=prefix)
        create_topics(cluster, TOPICS, partitions=PARTITIONS)
        self.say(f"  starting {self.scorers} scorer(s), listener, generator")
        profiles = [folder / f"stages-{k}.json" for k in range(self.scorers)]
        scorers = [self._scorer(cluster, profile, log) for profile in profiles]
        listening = self._start(
            "listener",
            listener.command(
                listener.Order(bootstrap=cluster.bootstrap, prefix=prefix, partitions=PARTITIONS)
            ),
            log,
        )
        sending = self._start(
            "generator",
            generator.command(
                generator.Order(
                    bootstrap=cluster.bootstrap,
                    prefix=prefix,
                    partitions=PARTITIONS,
                    patients=patients,
                    chunk_ms=chunk_ms,
                    # what is due in the last second is decided by what comes after it
                    seconds=SETTLE_S + seconds + 3.0,
                    data=str(self.data) if self.data else None,
                )
            ),
            log,
        )
        self._wait_for(cluster, scorers)
        listening.read()
        sending.read()
        start_ns = time.time_ns() + 200_000_000
        from_ns = start_ns + round(SETTLE_S * 1e9)
        listening.say(f"{from_ns} {from_ns + round(seconds * 1e9)}")
        sending.say(str(start_ns))
        kinds = {
            "broker": [server.pid],
            "generator": [sending.process.pid],
            "scorer": [one.process.pid for one in scorers],
            "listener": [listening.process.pid],
        }
        _sleep_until(from_ns)
        self.say(f"  measuring for {seconds:g} s")
        before, began = cpu_of(kinds), time.monotonic()
        for one in scorers:
            one.process.send_signal(signal.SIGUSR1)
        _sleep_until(from_ns + round(seconds * 1e9))
        for one in scorers:
            one.process.send_signal(signal.SIGUSR2)
        after, took_s = cpu_of(kinds), time.monotonic() - began
        sent = json.loads(sending.read())
        time.sleep(2.0)
        listening.end_input()
        heard = json.loads(listening.read())
        why_not = problems(heard, sent, patients=patients, seconds=seconds)
        return LiveRow(
            chunk_ms=chunk_ms,
            patients=patients,
            held=not why_not,
            why_not=tuple(why_not),
            p50_ms=heard["p50_ms"],
            p99_ms=heard["p99_ms"],
            max_ms=heard["max_ms"],
            due_p99_ms=heard["due_p99_ms"],
            lag_growth_s=growth_s(heard["median_ms_by_second"]),
            heard=round(heard["statuses"] / (patients * seconds), 5),
            seconds=seconds,
            scorers=self.scorers,
            generator_late_ms=sent["late_ms"],
            mb_per_s=round(patients * 1000 / chunk_ms * sent["bytes_per_message"] / 1e6, 2),
            cpu={kind: round((after[kind] - before[kind]) / took_s, 3) for kind in kinds},
            stages=_stages(profiles, took_s),
        )

    def _start(self, name: str, command: list[str], log: IO[str], **environment: str) -> Worker:
        process = Worker.start(name, command, log=log, environment=environment)
        self._started.append(process)
        return process

    def _scorer(self, cluster: Cluster, profile: Path, log: IO[str]) -> Worker:
        module = [sys.executable, "-m", "benchmarks.capacity.profiled", str(profile)]
        role = ["score", "--bootstrap", cluster.bootstrap, "--device", "cpu"]
        return self._start("scorer", [*module, *role], log, RHYTHMWATCH_PREFIX=cluster.prefix)

    def _wait_for(self, cluster: Cluster, scorers: list[Worker]) -> None:
        """Wait until every partition has a scorer."""
        deadline = time.monotonic() + READY_S
        while not _watched(cluster):
            for one in scorers:
                if (status := one.process.poll()) is not None:
                    raise RuntimeError(f"a scorer ended with status {status}")
            if time.monotonic() > deadline:
                raise RuntimeError(f"after {READY_S:g} s not every partition has a scorer")
            time.sleep(0.5)


def _watched(cluster: Cluster) -> bool:
    try:
        return not unwatched(cluster, "score")
    except BrokerError:
        return False  # a busy machine answers late


def _stages(profiles: list[Path], took_s: float) -> dict[str, float]:
    total: Counter[str] = Counter()
    for profile in profiles:
        deadline = time.monotonic() + 10.0
        while not profile.exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        if profile.exists():
            total.update(json.loads(profile.read_text(encoding="utf-8")))
    return {stage: round(cpu_s / took_s, 4) for stage, cpu_s in total.most_common()}


def _sleep_until(at_ns: int) -> None:
    time.sleep(max(0.0, (at_ns - time.time_ns()) / 1e9))

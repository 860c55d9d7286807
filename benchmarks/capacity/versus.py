"""Ours and others on the same backlog in Apache Kafka: what each second of a patient costs.

What is compared is patients per core, 1 / (CPU seconds per patient and second), of
the whole process with all its threads: of ours that is the role ``score`` from
Kafka to published findings and states, of the peers what they are. Starting, joining
and the first seconds of signal do not count for anybody.
"""

import json
import statistics
import sys
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

import msgspec

from benchmarks.apache.server import STEADY, KafkaServer
from benchmarks.capacity.backlog import STEP, Backlog
from benchmarks.capacity.feed import FS, Feed, name_of
from benchmarks.capacity.machine import process_cpu_s
from benchmarks.capacity.ratios import Ratio, ratio_of
from benchmarks.capacity.worker import Worker
from benchmarks.peers.names import NAMES, SLOW
from benchmarks.peers.run import Order, Run
from stream.kafka import Cluster
from stream.topics import FINDINGS, WAVEFORMS

LEAD_IN_S = 12.0
"""Windows of 10 s are full then, and our leads are chosen."""
MANY, FEW = 1_000, 20
"""Patients; the few are for peers whose lead-in would not end with many."""
FEW_S = 60.0
GIVE_UP_S = 300.0
Say = Callable[[str], None]


class _Through(msgspec.Struct):
    patient: str = ""
    through_sample: int = -1


@dataclass(slots=True)
class Versus:
    """Measures ours and the peers in turns.

    Parameters
    ----------
    feed : Feed
        What the patients send.
    data : Path or None
        The same, for peers that read it themselves.
    quick : bool
        In each round everybody is started once and runs twice, briefly, of which the mean counts:
        runs of one process are no two measurements. Otherwise once, for longer.
    rounds : int
        How often everybody is asked.
    say : callable
        Hears what is being done.
    """

    feed: Feed
    data: Path | None
    quick: bool
    rounds: int
    say: Say
    names: tuple[str, ...] = NAMES
    _found: dict[str, list[float]] = field(default_factory=dict)

    @property
    def runs(self) -> int:
        """Runs of a process that has been started."""
        return 2 if self.quick else 1

    @property
    def run_s(self) -> float:
        """Signal of many patients in a run, in s."""
        return 10.0 if self.quick else 30.0

    def measure(self, log: IO[str]) -> dict[str, list[float]]:
        """Return patients per core in every round, by name; ours is ``ours``."""
        with KafkaServer(java=STEADY) as server:
            many = self._backlog(server, MANY, self.run_s)
            few = self._backlog(server, FEW, FEW_S)
            for number in range(self.rounds):
                self.say(f"  round {number + 1} of {self.rounds}: ours")
                self._note("ours", self._ours(server, log))
                self._peers(many, few, log)
        return self._found

    def _note(self, name: str, runs: Sequence[float]) -> None:
        self._found.setdefault(name, []).append(statistics.geometric_mean(runs))

    def _backlog(self, server: KafkaServer, patients: int, seconds: float) -> Backlog:
        backlog = self._empty(server, patients)
        backlog.fill(LEAD_IN_S + seconds)
        return backlog

    def _empty(self, server: KafkaServer, patients: int) -> Backlog:
        prefix = f"bench-{uuid.uuid4().hex[:8]}."
        backlog = Backlog(Cluster(server.cluster.bootstrap, prefix=prefix), self.feed, patients)
        backlog.create()
        return backlog

    def _peers(self, many: Backlog, few: Backlog, log: IO[str]) -> None:
        """Let one process run all of them, one after the other: their imports take longest."""
        orders = {name: asdict(self._order(few if name in SLOW else many)) for name in self.names}
        command = [sys.executable, "-m", "benchmarks.peers", json.dumps(orders)]
        worker = Worker.start("the process of the peers", command, log=log)
        try:
            for name in self.names:
                self.say(f"    {name}")
                runs = [Run(**run) for run in json.loads(worker.read())]
                self._note(name, [run.patients_per_core for run in runs])
        finally:
            worker.close()

    def _order(self, backlog: Backlog) -> Order:
        return Order(
            bootstrap=backlog.cluster.bootstrap,
            topic=backlog.cluster.prefix + WAVEFORMS.name,
            lead_in=backlog.patients * round(LEAD_IN_S * FS / STEP),
            messages=backlog.messages,
            message_s=STEP / FS,
            runs=self.runs,
            cpu_s=1.5 if self.quick else 6.0,
            data=str(self.data) if self.data else None,
        )

    def _ours(self, server: KafkaServer, log: IO[str]) -> list[float]:
        """Let a scorer catch up with the lead-in, and then with each run's signal."""
        backlog = self._empty(server, MANY)
        cluster = backlog.cluster
        command = [sys.executable, "-m", "rhythmwatch", "score", "--bootstrap", cluster.bootstrap]
        scorer = Worker.start(
            "scorer",
            [*command, "--device", "cpu"],
            log=log,
            environment={"RHYTHMWATCH_PREFIX": cluster.prefix},
        )
        found = []
        readable = _Readable(cluster, scorer)
        try:
            backlog.fill(LEAD_IN_S)
            readable.wait_for(backlog)
            for _ in range(self.runs):
                before = process_cpu_s(scorer.process.pid)
                backlog.fill(self.run_s)
                readable.wait_for(backlog)
                used = process_cpu_s(scorer.process.pid) - before
                found.append(backlog.patients * self.run_s / used)
        finally:
            readable.close()
            scorer.close()
        return found


class _Readable:
    """Waits until findings of everybody are readable up to the end of a backlog."""

    def __init__(self, cluster: Cluster, scorer: Worker) -> None:
        from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

        self._consumer = Consumer(
            {
                "bootstrap.servers": cluster.bootstrap,
                "group.id": "readable",
                "enable.auto.commit": False,
            }
        )
        topic = cluster.prefix + FINDINGS.name
        self._consumer.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
        self._decode = msgspec.json.Decoder(_Through).decode
        self._through: dict[str, int] = {}
        self._scorer = scorer

    def wait_for(self, backlog: Backlog) -> None:
        """Wait until all samples of ``backlog`` are covered."""
        missing = {name_of(number) for number in range(backlog.patients)}
        missing -= {name for name in missing if self._covers(name, backlog)}
        deadline = time.monotonic() + GIVE_UP_S
        while missing:
            self._take(self._consumer.consume(5000, 0.2))
            missing -= {name for name in missing if self._covers(name, backlog)}
            if (status := self._scorer.process.poll()) is not None:
                raise RuntimeError(f"the scorer ended with status {status}")
            if time.monotonic() > deadline:
                raise RuntimeError(f"{len(missing)} patients were not done in {GIVE_UP_S:g} s")

    def _covers(self, name: str, backlog: Backlog) -> bool:
        return self._through.get(name, -1) >= backlog.end_sample - 1

    def _take(self, messages: Iterable[Any]) -> None:
        for message in messages:
            value = message.value()
            if value and message.error() is None:
                heard = self._decode(value)
                if heard.patient:
                    self._through[heard.patient] = heard.through_sample

    def close(self) -> None:
        """Disconnect."""
        self._consumer.close()


def compared(found: dict[str, list[float]]) -> dict[str, Ratio]:
    """Return ours / each peer."""
    ours = found["ours"]
    return {name: ratio_of(ours, theirs) for name, theirs in found.items() if name != "ours"}

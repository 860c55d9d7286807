"""A cluster of Apache Kafka brokers on one machine, each of which may be killed."""

import os
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks.apache.server import jars
from stream.broker import die_with_parent, free_port
from stream.kafka import Cluster, problem_with

_START_S = 120.0
_ID = "rhythmwatch-bench-logs"


class KafkaCluster:
    """Brokers that are controllers as well, with replication over all of them.

    Parameters
    ----------
    n_brokers : int
        How many; of three, two must have a message before it counts as written.
    heap_mb : int
        Memory of each, in MB.
    """

    def __init__(self, n_brokers: int = 3, *, heap_mb: int = 256) -> None:
        self._heap_mb = heap_mb
        self._directory = tempfile.TemporaryDirectory(prefix="rhythmwatch-cluster-")
        self._root = Path(self._directory.name)
        self.n_brokers = n_brokers
        self._ports = [free_port() for _ in range(n_brokers)]
        self._controllers = [free_port() for _ in range(n_brokers)]
        self.processes: list[subprocess.Popen[bytes]] = []
        self.cluster = Cluster(",".join(f"127.0.0.1:{port}" for port in self._ports))
        (self._root / "log4j2.properties").write_text(
            "rootLogger.level = ERROR\n"
            "appender.out.type = Console\nappender.out.name = out\n"
            "appender.out.layout.type = PatternLayout\n"
            "appender.out.layout.pattern = %d %p %m%n\n"
            "rootLogger.appenderRef.out.ref = out\n",
            encoding="ascii",
        )
        configs = [self._configure(number) for number in range(1, n_brokers + 1)]
        try:
            format_ = ("kafka.tools.StorageTool", "format", "-t", _ID, "-c")
            for formatting in [self._java(config, *format_) for config in configs]:
                formatting.wait()
            self.processes = [self._java(config, "kafka.Kafka") for config in configs]
            self._wait()
        except BaseException:
            self.close()
            raise

    def _configure(self, number: int) -> Path:
        port, controller = self._ports[number - 1], self._controllers[number - 1]
        copies = self.n_brokers
        voters = ",".join(f"{n}@127.0.0.1:{p}" for n, p in enumerate(self._controllers, start=1))
        properties = {
            "process.roles": "broker,controller",
            "node.id": number,
            "controller.quorum.voters": voters,
            "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "log.dirs": self._root / f"logs-{number}",
            "auto.create.topics.enable": "false",
            "min.insync.replicas": max(1, copies - 1),
            "offsets.topic.replication.factor": copies,
            "offsets.topic.num.partitions": 8,
            "transaction.state.log.replication.factor": copies,
            "transaction.state.log.min.isr": max(1, copies - 1),
            "transaction.state.log.num.partitions": 8,
            "group.initial.rebalance.delay.ms": 0,
            "group.min.session.timeout.ms": 1000,
            "broker.session.timeout.ms": 6000,
            "log.cleaner.dedupe.buffer.size": 16777216,
        }
        config = self._root / f"server-{number}.properties"
        lines = (f"{key}={value}\n" for key, value in properties.items())
        config.write_text("".join(lines), encoding="ascii")
        return config

    def _java(self, config: Path, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        with (self._root / f"{config.stem}.log").open("ab") as log:
            return subprocess.Popen(
                [
                    "java",
                    f"-Xmx{self._heap_mb}m",
                    "-XX:TieredStopAtLevel=1",
                    f"-Dlog4j2.configurationFile={self._root / 'log4j2.properties'}",
                    "-cp",
                    f"{jars()}/*",
                    program,
                    *arguments,
                    str(config),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=die_with_parent,
                env={**os.environ, "LOG_DIR": str(self._root)},
            )

    def _wait(self) -> None:
        deadline = time.monotonic() + _START_S
        brokers = [Cluster(f"127.0.0.1:{port}") for port in self._ports]
        for process, broker in zip(self.processes, brokers, strict=True):
            while (problem := problem_with(broker)) is not None:
                if process.poll() is not None or time.monotonic() > deadline:
                    said = "".join(log.read_text()[-1500:] for log in self._root.glob("*.log"))
                    raise RuntimeError(f"the cluster did not start ({problem}):\n{said}")
                time.sleep(0.1)

    def close(self) -> None:
        """Kill all brokers and remove their files."""
        for process in self.processes:
            process.kill()
        for process in self.processes:
            process.wait()
        self._directory.cleanup()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close."""
        self.close()

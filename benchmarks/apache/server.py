"""Apache Kafka for tests and benchmarks: one node, started from the jars that Maven resolves."""

import os
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from stream.broker import die_with_parent, free_port
from stream.kafka import Cluster, problem_with

_HERE = Path(__file__).parent
_LIBS = _HERE / "libs"
_START_S = 60.0
QUICK_TO_START = ("-Xmx512m", "-XX:TieredStopAtLevel=1")
STEADY = ("-Xms1g", "-Xmx1g")
"""What a broker is measured with; as in its own start script, but for the heap's size."""


def jars() -> Path:
    """Return the directory of Kafka's jars; fetch them the first time."""
    if not (_LIBS / "complete").exists():
        goal = "dependency:copy-dependencies"
        subprocess.run(
            ["mvn", "-q", "-B", goal, f"-DoutputDirectory={_LIBS}", "-DincludeScope=runtime"],
            cwd=_HERE,
            check=True,
            timeout=300,
        )
        (_LIBS / "complete").touch()
    return _LIBS


def version() -> str:
    """Return the version that is started, as the list of jars to fetch says."""
    text = (_HERE / "pom.xml").read_text(encoding="utf-8")
    return text.partition("<artifactId>kafka_2.13</artifactId>")[2].split("version>")[1][:-2]


class KafkaServer:
    """One Kafka node (broker and controller) on free ports of 127.0.0.1.

    Parameters
    ----------
    java : sequence of str
        Options of its virtual machine. The usual ones start it soon, at the price of
        code that is compiled less well: right for tests, wrong for measurements.
    """

    def __init__(self, *, java: Sequence[str] = QUICK_TO_START) -> None:
        self._options = tuple(java)
        self._directory = tempfile.TemporaryDirectory(prefix="rhythmwatch-kafka-")
        self.directory = Path(self._directory.name)
        self.port = free_port()
        controller = free_port()
        properties = {
            "process.roles": "broker,controller",
            "node.id": 1,
            "controller.quorum.voters": f"1@127.0.0.1:{controller}",
            "listeners": f"PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{controller}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self.port}",
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "log.dirs": self.directory / "logs",
            "num.partitions": 1,
            "auto.create.topics.enable": "false",
            "offsets.topic.replication.factor": 1,
            "offsets.topic.num.partitions": 8,
            "transaction.state.log.replication.factor": 1,
            "transaction.state.log.min.isr": 1,
            "transaction.state.log.num.partitions": 8,
            "share.coordinator.state.topic.replication.factor": 1,
            "share.coordinator.state.topic.min.isr": 1,
            "group.initial.rebalance.delay.ms": 0,
            "group.min.session.timeout.ms": 1000,
            "broker.session.timeout.ms": 6000,
            "log.cleaner.dedupe.buffer.size": 16777216,
            "log.cleaner.backoff.ms": 500,
            # tests that date their messages long ago must not lose them half a minute on
            "log.initial.task.delay.ms": 3_600_000,
        }
        self._config = self.directory / "server.properties"
        self._config.write_text("".join(f"{key}={value}\n" for key, value in properties.items()))
        (self.directory / "log4j2.properties").write_text(
            "rootLogger.level = WARN\n"
            "appender.out.type = Console\nappender.out.name = out\n"
            "appender.out.layout.type = PatternLayout\n"
            "appender.out.layout.pattern = %d %p %m%n\n"
            "rootLogger.appenderRef.out.ref = out\n"
        )
        self._log = (self.directory / "kafka.log").open("ab")
        self._process: subprocess.Popen[bytes] | None = None
        self.cluster = Cluster(f"127.0.0.1:{self.port}")
        self._java("kafka.tools.StorageTool", "format", "-t", "rhythmwatch-test-logs", "-c").wait()
        self.start()

    def _java(self, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [
                "java",
                *self._options,
                f"-Dlog4j2.configurationFile={self.directory / 'log4j2.properties'}",
                "-cp",
                f"{jars()}/*",
                program,
                *arguments,
                str(self._config),
            ],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            preexec_fn=die_with_parent,
            env={**os.environ, "LOG_DIR": str(self.directory)},
        )

    @property
    def pid(self) -> int:
        """Its process; 0 while it is stopped."""
        return self._process.pid if self._process is not None else 0

    def start(self) -> None:
        """Start it and wait until it answers."""
        self._process = self._java("kafka.Kafka")
        deadline = time.monotonic() + _START_S
        while (problem := problem_with(self.cluster)) is not None:
            if self._process.poll() is not None or time.monotonic() > deadline:
                said = (self.directory / "kafka.log").read_text(errors="replace")[-4000:]
                self.stop()
                raise RuntimeError(f"Apache Kafka did not start ({problem}):\n{said}")
            time.sleep(0.05)

    def stop(self) -> None:
        """Kill it; its log stays for another start."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def close(self) -> None:
        """Kill it and remove its files."""
        self.stop()
        self._log.close()
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

"""Latency, by a consumer of ``ecg.findings`` in a process of its own.

    python -m benchmarks.capacity.listener '{"bootstrap": ..., ...}'

Latency of a finding: from the sending of the message that held its
``decided_sample`` until a consumer can read the finding. It says ``ready`` when
it follows the topic, and prints its figures when its input ends.
"""

import json
import select
import sys
import time
from array import array
from dataclasses import asdict, dataclass, field
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from stream.topics import FINDINGS

LONGEST_MS = 60_000
"""Longer latencies count as this."""


class _Decided(msgspec.Struct):
    decided_sample: int


class _Span(msgspec.Struct):
    first_sample: int
    n_samples: int
    source_ns: int
    sent_ns: int


class Heard(msgspec.Struct):
    """What of a findings message tells its latency; a marker of a new epoch has none of it."""

    fs: float = 0.0
    patient: str = ""
    spans: list[_Span] = []  # msgspec copies it
    beats: list[_Decided] = []
    windows: list[_Decided] = []
    statuses: list[_Decided] = []


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What the listener is asked to do."""

    bootstrap: str
    prefix: str
    partitions: int


def span_of(heard: Heard, decided_sample: int) -> _Span | None:
    """Return the message that held a sample, None where it is not among those named."""
    for span in reversed(heard.spans):
        if span.first_sample <= decided_sample < span.first_sample + span.n_samples:
            return span
    return None


def quantile_ms(histogram: NDArray[np.int64], share: float) -> float | None:
    """Return a quantile of latencies counted by whole ms; None where nothing was counted.

    Examples
    --------
    >>> quantile_ms(np.array([0, 98, 1, 1]), 0.99)
    2.0
    """
    upto = np.cumsum(histogram)
    if not upto[-1]:
        return None
    return float(np.searchsorted(upto, share * upto[-1]))


@dataclass(slots=True)
class Tally:
    """Latencies of the seconds that count."""

    from_ns: int = 2**63 - 1
    until_ns: int = 2**63 - 1
    sent: NDArray[np.int64] = field(default_factory=lambda: np.zeros(LONGEST_MS + 1, np.int64))
    """How many had a latency of so many ms."""
    due: NDArray[np.int64] = field(default_factory=lambda: np.zeros(LONGEST_MS + 1, np.int64))
    """The same from when the message was due."""
    statuses: int = 0
    unplaced: int = 0
    """Findings whose message was not among the spans."""
    seconds: "dict[int, array[int]]" = field(default_factory=dict)
    """Latencies in ms by the second in which the message was due."""
    patients: set[str] = field(default_factory=set)

    def add(self, heard: Heard, now_ns: int) -> None:
        """Count a message read at ``now_ns``."""
        for finding in (*heard.beats, *heard.windows):
            self._count(heard, finding, now_ns)
        for finding in heard.statuses:
            if self._count(heard, finding, now_ns):
                self.statuses += 1
                self.patients.add(heard.patient)

    def _count(self, heard: Heard, finding: _Decided, now_ns: int) -> bool:
        span = span_of(heard, finding.decided_sample)
        if span is None:
            self.unplaced += 1
            return False
        due_ns = span.source_ns + round(span.n_samples / heard.fs * 1e9)
        if not self.from_ns <= due_ns < self.until_ns:
            return False
        ms = min((now_ns - span.sent_ns) // 1_000_000, LONGEST_MS)
        self.sent[ms] += 1
        self.due[min((now_ns - due_ns) // 1_000_000, LONGEST_MS)] += 1
        second = (due_ns - self.from_ns) // 1_000_000_000
        self.seconds.setdefault(second, array("H")).append(ms)
        return True

    def report(self) -> dict[str, Any]:
        """Return the figures."""
        return {
            "findings": int(self.sent.sum()),
            "statuses": self.statuses,
            "unplaced": self.unplaced,
            "patients": len(self.patients),
            "p50_ms": quantile_ms(self.sent, 0.5),
            "p99_ms": quantile_ms(self.sent, 0.99),
            "due_p99_ms": quantile_ms(self.due, 0.99),
            "max_ms": quantile_ms(self.sent, 1.0),
            "median_ms_by_second": [
                float(np.median(self.seconds[second])) for second in sorted(self.seconds)
            ],
        }


def listen(order: Order) -> dict[str, Any]:
    """Follow the topic until the input ends."""
    from confluent_kafka import OFFSET_END, Consumer, TopicPartition

    consumer = Consumer(
        {
            "bootstrap.servers": order.bootstrap,
            "group.id": "latency",
            "enable.auto.commit": False,
            "fetch.wait.max.ms": 20,
        }
    )
    topic = order.prefix + FINDINGS.name
    consumer.assign([TopicPartition(topic, p, OFFSET_END) for p in range(order.partitions)])
    consumer.consume(1, 1.0)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    decode = msgspec.json.Decoder(Heard).decode
    tally = Tally()
    looked = 0.0
    while True:
        messages = consumer.consume(2000, 0.02)
        now_ns = time.time_ns()
        for message in messages:
            if message.error() is None and (value := message.value()):
                tally.add(decode(value), now_ns)
        if time.monotonic() - looked < 0.1:
            continue
        looked = time.monotonic()
        if select.select([sys.stdin], [], [], 0)[0]:
            line = sys.stdin.readline()
            if not line:
                break
            tally.from_ns, tally.until_ns = (int(word) for word in line.split())
    consumer.close()
    return tally.report()


def command(order: Order) -> list[str]:
    """Return how to start it."""
    return [sys.executable, "-m", "benchmarks.capacity.listener", json.dumps(asdict(order))]


def main() -> None:
    """Do what the first argument says."""
    json.dump(listen(Order(**json.loads(sys.argv[1]))), sys.stdout)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()

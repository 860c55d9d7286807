"""When each patient's findings are heard, and how long after the waveforms were sent."""

import threading
import time
from dataclasses import dataclass, field

from stream.kafka import Cluster, Reader
from stream.messages import EPOCH_KEY
from stream.topics import FINDINGS
from stream.watermark import Heard


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

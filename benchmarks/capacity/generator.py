"""The load: patients who send without ever waiting, as a process of its own.

    python -m benchmarks.capacity.generator '{"bootstrap": ..., ...}'

It says ``ready`` when every message is prepared, starts at the line it is given
(a time in ns UTC), and at its end prints what it sent and how late. The schedule
is open: patient i of n sends chunk k at start + (k + i/n) chunks, whether or not
anybody keeps up. A message's ``sent_ns`` is when it was handed to the client; its
source time is such that the chunk ended when it should have been sent.
"""

import json
import struct
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.capacity.feed import FS, STREAM, Feed, Tape, name_of, open_feed
from stream.kafka import partition_for
from stream.messages import Signal, Waveform
from stream.topics import WAVEFORMS
from stream.wire import encode_waveform

_SLOT_S = 0.005
"""It sleeps so long at most between two looks at the clock."""
_MARKS = (2**63 - 1, 2**63 - 2, 2**63 - 3)
"""Stand for first sample, source and sent time until their places in the message are known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What the generator is asked to do."""

    bootstrap: str
    prefix: str
    partitions: int
    patients: int
    chunk_ms: int
    seconds: float
    data: str | None = None


class Template:
    """The message of one tape, in which only numbers and samples change.

    MessagePack writes small numbers shorter; the longest form is also valid, and
    leaves every number where it is.
    """

    def __init__(self, patient: str, tape: Tape, step: int) -> None:
        signals = tuple(
            Signal(name=lead, kind="ecg", unit="mV", gain=gain, baseline=baseline)
            for lead, gain, baseline in zip(tape.leads, tape.gain, tape.baseline, strict=True)
        )
        samples = bytes(step * 2 * len(signals))
        whole = encode_waveform(
            Waveform(
                patient=patient,
                stream=STREAM,
                first_sample=_MARKS[0],
                fs=FS,
                source_ns=_MARKS[1],
                sent_ns=_MARKS[2],
                signals=signals,
                samples=samples,
            )
        )
        self._body = bytearray(whole)
        self._at = [whole.index(struct.pack(">Q", mark)) for mark in _MARKS]
        self._splice_at = whole.index(b"discontinuity") + len(b"discontinuity")
        self._samples_at = len(whole) - len(samples)

    def fill(
        self, samples: memoryview, first_sample: int, source_ns: int, sent_ns: int, *, splice: bool
    ) -> bytes:
        """Return the message that carries this."""
        body = self._body
        first_at, source_at, sent_at = self._at
        struct.pack_into(">Q", body, first_at, first_sample)
        struct.pack_into(">Q", body, source_at, source_ns)
        struct.pack_into(">Q", body, sent_at, sent_ns)
        body[self._splice_at] = 0xC3 if splice else 0xC2
        body[self._samples_at :] = samples
        return bytes(body)


class Patient:
    """One patient: knows the next message."""

    def __init__(self, number: int, feed: Feed, step: int) -> None:
        name, tape = name_of(number), feed.tape(number)
        self.key = name.encode()
        self._template = Template(name, tape, step)
        self._head = [("patient", self.key), ("stream", STREAM.encode())]
        whole = len(tape.samples) // step * step
        self._samples = memoryview(tape.samples[:whole].tobytes())
        self._row = 2 * tape.samples.shape[1]
        self._n = whole
        self._step = step
        self._at = feed.phase(number, step)
        self._first = 0

    def next(self, source_ns: int, sent_ns: int) -> tuple[bytes, list[tuple[str, bytes]]]:
        """Return the next message's value and headers."""
        start = self._at * self._row
        value = self._template.fill(
            self._samples[start : start + self._step * self._row],
            self._first,
            source_ns,
            sent_ns,
            splice=self._at == 0 and self._first > 0,
        )
        headers = [*self._head, ("first_sample", b"%d" % self._first)]
        self._first += self._step
        self._at = (self._at + self._step) % self._n
        return value, headers


def patients_of(feed: Feed, n: int, step: int) -> list[Patient]:
    """Return ``n`` patients; those of one tape share its samples."""
    shared: dict[int, memoryview] = {}
    found = []
    for number in range(n):
        patient = Patient(number, feed, step)
        key = number % len(feed.tapes)
        patient._samples = shared.setdefault(key, patient._samples)
        found.append(patient)
    return found


def lateness_ms(late_s: NDArray[np.float64], counts: NDArray[np.int64]) -> dict[str, float]:
    """Return quantiles over messages of how late they were, in ms.

    Parameters
    ----------
    late_s : ndarray of float, shape (n_turns,)
        Lateness of the oldest message of each turn, in s.
    counts : ndarray of int, shape (n_turns,)
        Messages of each turn.

    Examples
    --------
    >>> lateness_ms(np.array([0.001, 0.1]), np.array([99, 1]))
    {'p50': 1.0, 'p99': 1.0, 'max': 100.0}
    """
    order = np.argsort(late_s)
    upto = np.cumsum(counts[order])
    at = [int(np.searchsorted(upto, share * upto[-1])) for share in (0.5, 0.99, 1.0)]
    p50, p99, worst = (round(float(late_s[order[k]]) * 1000, 1) for k in at)
    return {"p50": p50, "p99": p99, "max": worst}


def send(order: Order, feed: Feed) -> dict[str, Any]:
    """Prepare, wait for the start, send on schedule, and return what happened."""
    from confluent_kafka import Producer

    failed: list[str] = []
    producer = Producer(
        {
            "bootstrap.servers": order.bootstrap,
            "acks": "1",
            "linger.ms": 5,
            "queue.buffering.max.messages": 2_000_000,
            "queue.buffering.max.kbytes": 2_000_000,
            "delivery.report.only.error": True,
            "on_delivery": lambda error, _message: failed.append(str(error)),
        }
    )
    step = round(order.chunk_ms / 1000 * FS)
    n, chunk_ns = order.patients, round(step / FS * 1e9)
    patients = patients_of(feed, n, step)
    places = [partition_for(name_of(number), order.partitions) for number in range(n)]
    topic = order.prefix + WAVEFORMS.name
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    start_ns = int(sys.stdin.readline())
    total = round(order.seconds * 1e9 / chunk_ns * n)
    late: list[float] = []
    counts: list[int] = []
    sent = 0
    while sent < total:
        now_ns = time.time_ns()
        due = min(total, max(0, (now_ns - start_ns) * n // chunk_ns))
        if due == sent:
            next_ns = start_ns + (sent + 1) * chunk_ns // n
            time.sleep(min(_SLOT_S, max(0.0, (next_ns - now_ns) / 1e9)))
            producer.poll(0)
            continue
        late.append((now_ns - start_ns - sent * chunk_ns / n) / 1e9)
        counts.append(due - sent)
        for turn in range(sent, due):
            number = turn % n
            scheduled_ns = start_ns + turn * chunk_ns // n
            value, headers = patients[number].next(scheduled_ns - chunk_ns, time.time_ns())
            producer.produce(
                topic,
                value=value,
                key=patients[number].key,
                partition=places[number],
                headers=headers,
            )
        sent = due
        producer.poll(0)
        time.sleep(_SLOT_S)
    left = producer.flush(30)
    return {
        "sent": sent,
        "undelivered": left + len(failed),
        "late_ms": lateness_ms(np.array(late), np.array(counts)),
        "bytes_per_message": len(value),
        **({"error": failed[0]} if failed else {}),
    }


def command(order: Order) -> list[str]:
    """Return how to start it."""
    return [sys.executable, "-m", "benchmarks.capacity.generator", json.dumps(asdict(order))]


def main() -> None:
    """Do what the first argument says."""
    order = Order(**json.loads(sys.argv[1]))
    feed = open_feed(Path(order.data) if order.data else None)
    json.dump(send(order, feed), sys.stdout)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()

"""Waveform messages made for tests, and what a reader hears of their findings."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ecg.chunk import Chunk
from ecg.finding import Finding, Findings
from stream.chunks import chunk_of
from stream.kafka import Cluster, Incoming, Producer, Reader
from stream.messages import Signal, Waveform
from stream.topics import FINDINGS, WAVEFORMS
from stream.watermark import Heard
from stream.wire import encode_waveform, headers_of, pack_samples

FS = 250.0
SIGNALS = (Signal(name="II", kind="ecg", unit="mV", gain=200.0, baseline=0),)
START_NS = 1_700_000_000_000_000_000


def noise(seconds: float, *, seed: int = 0) -> NDArray[np.int16]:
    """Return random samples: whoever loses one has another checksum."""
    generator = np.random.default_rng(seed)
    return generator.integers(-400, 400, (round(seconds * FS), 1)).astype(np.int16)


def waveform(
    patient: str,
    samples: NDArray[np.int16],
    *,
    first_sample: int = 0,
    stream: str = "s1",
    fs: float = FS,
    signals: Sequence[Signal] = SIGNALS,
    sent_ns: int = START_NS,
) -> Waveform:
    """Return one waveform message."""
    return Waveform(
        patient=patient,
        stream=stream,
        first_sample=first_sample,
        fs=fs,
        source_ns=START_NS + round(first_sample / fs * 1e9),
        sent_ns=sent_ns,
        signals=tuple(signals),
        samples=pack_samples(samples, signals),
    )


def cut(
    patient: str,
    samples: NDArray[np.int16],
    *,
    chunk: int = 63,
    stream: str = "s1",
    fs: float = FS,
    signals: Sequence[Signal] = SIGNALS,
) -> Iterator[Waveform]:
    """Yield samples as messages of ``chunk`` samples."""
    for first in range(0, len(samples), chunk):
        yield waveform(
            patient,
            samples[first : first + chunk],
            first_sample=first,
            stream=stream,
            fs=fs,
            signals=signals,
        )


def send(producer: Producer, message: Waveform) -> None:
    """Send a waveform as a source does."""
    producer.send(
        WAVEFORMS.name,
        message.patient,
        encode_waveform(message),
        headers=headers_of(message),
        # dated now by the client: what is older than a day the broker would delete
    )


def chunks(messages: Sequence[Waveform]) -> list[Chunk]:
    """Return what the monitor is given of messages."""
    return [chunk_of(message) for message in messages]


@dataclass(slots=True)
class Listener:
    """Hears the findings topic by the rule, and keeps everything for comparison."""

    cluster: Cluster
    found: dict[tuple[str, str], list[Finding]] = field(default_factory=dict)
    through: dict[tuple[str, str], int] = field(default_factory=dict)
    raw: list[Incoming] = field(default_factory=list)
    _heard: Heard = field(default_factory=Heard)

    def listen_until(
        self,
        ends: dict[tuple[str, str], int],
        *,
        also: Callable[[], bool] = lambda: True,
        give_up_s: float = 60.0,
    ) -> None:
        """Hear until each patient and stream has been judged up to a sample, and more is true."""
        deadline = time.monotonic() + give_up_s
        with Reader(self.cluster, [FINDINGS.name]) as reader:
            while any(self.through.get(k, -1) < end for k, end in ends.items()) or not also():
                assert time.monotonic() < deadline, f"heard {self.through}, waited for {ends}"
                for message in reader.poll(0.1):
                    self.hear(message)

    def hear(self, message: Incoming) -> None:
        """Take one message in."""
        self.raw.append(message)
        heard = self._heard.findings(message)
        if heard is None:
            return
        key = (heard.patient, heard.stream)
        assert heard.after_sample == self.through.get(key, -1), f"{message}: a hole in {key}"
        self.through[key] = heard.through_sample
        self.found.setdefault(key, []).extend(heard.findings().in_order())


def all_findings(found: Sequence[Findings]) -> dict[tuple[str, str], list[Finding]]:
    """Return findings by patient and stream, in the order in which they are heard."""
    by_key: dict[tuple[str, str], list[Finding]] = {}
    for one in found:
        by_key.setdefault((one.patient, one.stream), []).extend(one.in_order())
    return by_key

"""Bytes that patients put into Kafka: simulated ones go through the monitor, and are weighed."""

from dataclasses import dataclass

from benchmarks.sizing.site import Site
from ecg.checkpoint import load
from ecg.monitor import Monitor
from ecg.simulator import Simulator
from stream.messages import FindingsMessage, ScoreState, Signal, Waveform
from stream.wire import encode, encode_waveform, headers_of, pack_samples

STATE_EVERY_S = 30.0
"""How often ``score`` writes a patient's state."""
ENVELOPE_BYTES = 20
"""What Kafka adds to key, value and headers of a message in a batch of many."""
WEIGHED_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Weight:
    """Bytes that one patient puts into Kafka in a second, one copy."""

    waveforms: float
    findings: float
    states: float
    messages: float
    """Messages a second."""

    @property
    def whole(self) -> float:
        """All of it."""
        return self.waveforms + self.findings + self.states


def weigh(site: Site, *, seconds: float = WEIGHED_S) -> Weight:
    """Send simulated patients through the monitor, and weigh all messages."""
    patients, step = 4, round(site.fs * site.chunk_ms / 1000)
    monitor = Monitor(load(device="cpu"))
    signals = tuple(
        Signal(name=name, kind="ecg", unit="mV", gain=1000.0, baseline=0) for name in site.leads
    )
    sources = [
        Simulator(fs=site.fs, leads=site.leads, seed=seed, then="loop").chunks(
            f"patient-{seed}", "20260101T000000.000000Z-abcdef", duration_s=step / site.fs
        )
        for seed in range(patients)
    ]
    waveforms = findings = messages = 0
    for _ in range(round(seconds * 1000 / site.chunk_ms)):
        chunks = [next(source) for source in sources]
        for chunk in chunks:
            message = Waveform(
                patient=chunk.patient,
                stream=chunk.stream,
                first_sample=chunk.first_sample,
                fs=chunk.fs,
                source_ns=1_700_000_000_000_000_000,
                sent_ns=1_700_000_000_000_000_000,
                signals=signals,
                samples=pack_samples(chunk.samples, signals),
            )
            headers = sum(len(key) + len(value) + 2 for key, value in headers_of(message))
            waveforms += len(encode_waveform(message)) + headers + _around(chunk.patient)
        for found in monitor.advance(chunks):
            message_ = FindingsMessage.of(found, epoch=1)
            findings += len(encode(message_)) + _around(found.patient)
            messages += 1
        messages += len(chunks)
    state = ScoreState(
        patient="patient-0",
        epoch=1,
        inputs={"ecg.waveforms": 10**6},
        streams=("20260101T000000.000000Z-abcdef",),
        end_sample=10**6,
        state=monitor.export("patient-0"),
    )
    heard = patients * seconds
    return Weight(
        waveforms=waveforms / heard,
        findings=findings / heard,
        states=(len(encode(state)) + _around("patient-0")) / STATE_EVERY_S,
        messages=messages / heard,
    )


def _around(key: str) -> int:
    return len(key) + ENVELOPE_BYTES

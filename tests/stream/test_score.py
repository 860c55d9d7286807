"""From waveform messages to chunks."""

import numpy as np
import pytest

from ecg import kernel
from ecg.errors import ChunkError
from ecg.monitor import Monitor
from ecg.warm import warm_up
from stream.chunks import chunk_of
from stream.messages import Signal
from stream.wire import decode_waveform, encode_waveform
from tests.waveforms import chunks, cut, noise, waveform


def lead(name: str, *, unit: str = "mV", kind: str = "ecg") -> Signal:
    return Signal(name=name, kind=kind, unit=unit, gain=200.0, baseline=3)  # type: ignore[arg-type]  # literals


def test_only_ecg_leads_are_judged() -> None:
    samples = np.hstack([noise(1, seed=n) for n in range(3)])
    signals = [lead("II"), lead("PLETH", unit="NU", kind="ppg"), lead("V1")]
    chunk = chunk_of(waveform("p1", samples, first_sample=7, signals=signals))
    assert chunk.leads == ("II", "V1")
    assert np.array_equal(chunk.samples, samples[:, [0, 2]])
    assert (chunk.first_sample, chunk.baseline) == (7, (3, 3))


@pytest.mark.parametrize(
    ("unit", "gain"), [("mV", 200.0), ("MV", 200.0), ("uV", 200e3), ("µV", 200e3), ("V", 0.2)]
)
def test_gain_is_said_in_adu_per_millivolt(unit: str, gain: float) -> None:
    assert chunk_of(waveform("p1", noise(1), signals=[lead("II", unit=unit)])).gain == (gain,)


def test_units_that_are_no_voltage_are_refused() -> None:
    with pytest.raises(ChunkError, match="lead II must be mV, uV or V, got 'ohm'"):
        chunk_of(waveform("p1", noise(1), signals=[lead("II", unit="ohm")]))
    with pytest.raises(ChunkError, match="kind ecg, got only ppg"):
        chunk_of(waveform("p1", noise(1), signals=[lead("PLETH", kind="ppg")]))


def test_messages_that_are_too_long_are_refused() -> None:
    with pytest.raises(ChunkError, match="at most 10 s of signal, got 2501 samples at 250 Hz"):
        chunk_of(waveform("p1", noise(10.004)))


def test_first_patient_waits_for_no_compiler_after_the_warm_up() -> None:
    warm_up()
    compiled = list(kernel.advance.signatures)  # type: ignore[attr-defined]  # compiled
    samples = np.hstack([noise(12, seed=n) for n in range(2)])
    messages = cut("p1", samples, chunk=1500, signals=[lead("II"), lead("V1")])
    read = [decode_waveform(encode_waveform(message)) for message in messages]
    Monitor().advance(chunks(read))
    assert kernel.advance.signatures == compiled  # type: ignore[attr-defined]  # likewise

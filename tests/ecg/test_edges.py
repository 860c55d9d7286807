"""No beat is found where a lead comes off, goes missing or comes back."""

import numpy as np
import pytest
from msgspec.structs import replace

from ecg.chunk import Chunk
from ecg.monitor import Monitor
from ecg.script import Artefact, Step
from ecg.simulator import Simulator
from tests.ecg.engine import beats, cut, said, watch


def script(artefact: Artefact, leads: tuple[str, ...] | None = None) -> tuple[Step, ...]:
    return (
        Step(duration_s=12, rate_bpm=75),
        Step(duration_s=6, artefact=artefact, artefact_leads=leads),
        Step(duration_s=10, rate_bpm=75),
    )


def played(simulator: Simulator) -> Chunk:
    n = round(simulator.script_s * simulator.fs)
    return next(iter(simulator.chunks("P1", "s1", chunk_samples=n)))


def unmatched(found: list[int], truth: list[int], fs: float) -> list[float]:
    """Return the times, in s, of those that have no counterpart within 150 ms."""
    return [s / fs for s in found if min(abs(s - t) for t in truth) > 0.15 * fs]


@pytest.mark.parametrize("fs", [128.0, 250.0, 360.0])
@pytest.mark.parametrize("rail_mv", [10.0, 5.0, -4.0])
def test_no_beat_is_found_where_a_lead_goes_to_the_rail_and_comes_back(
    fs: float, rail_mv: float
) -> None:
    for seed in range(3):
        simulator = Simulator(script("lead_off"), fs=fs, seed=seed)
        whole = played(simulator)
        samples = np.where(whole.samples == 10_000, round(rail_mv * 1000), whole.samples)
        found = beats(Monitor().advance([replace(whole, samples=samples.astype(np.int16))]))
        truth = [b.sample for b in simulator.truth().beats]
        seen = [b.sample for b in simulator.truth().beats if b.visible and b.sample < 26 * fs]
        assert unmatched([b.sample for b in found], truth, fs) == []
        assert unmatched(seen, [b.sample for b in found], fs) == []
        assert not [b for b in found if 12.1 * fs < b.sample < 17.9 * fs]


@pytest.mark.parametrize("fs", [128.0, 250.0, 360.0])
def test_no_beat_is_found_where_samples_are_missing_and_come_back(fs: float) -> None:
    for seed in range(3):
        simulator = Simulator(script("missing"), fs=fs, seed=seed)
        found = [b.sample for b in beats(Monitor().advance([played(simulator)]))]
        truth = [b.sample for b in simulator.truth().beats]
        assert unmatched(found, truth, fs) == []
        assert not [s for s in found if 12.1 * fs < s < 17.9 * fs]


def test_the_other_lead_keeps_its_beats_when_one_comes_off() -> None:
    simulator = Simulator(script("lead_off", ("II",)), fs=250.0, seed=1)
    found = [b.sample for b in beats(Monitor().advance([played(simulator)]))]
    truth = [b.sample for b in simulator.truth().beats]
    assert unmatched(found, truth, 250.0) == []
    assert unmatched([t for t in truth if t < 26 * 250], found, 250.0) == []


def test_paced_beats_are_found_at_their_qrs_whatever_the_spike() -> None:
    simulator = Simulator((Step(duration_s=20, paced=True),), fs=500.0, seed=1)
    found = [b.sample for b in beats(Monitor().advance([played(simulator)]))]
    truth = [b.sample for b in simulator.truth().beats]
    assert unmatched(found, truth, 500.0) == []
    assert unmatched([t for t in truth if t < 18 * 500], found, 500.0) == []


def test_a_jump_is_bridged_the_same_whatever_the_chunks() -> None:
    whole = played(Simulator(script("lead_off"), fs=250.0, seed=2))
    assert said(watch(Monitor(), cut(whole, 97))) == said(Monitor().advance([whole]))

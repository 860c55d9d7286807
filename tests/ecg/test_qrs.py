from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace
from numpy.typing import NDArray

from ecg.annotation import read_annotations
from ecg.monitor import Monitor
from ecg.script import Step
from ecg.simulator import Simulator, write_wfdb

FS = 250.0


@pytest.mark.parametrize("rate_bpm", [150, 180, 195, 206])
def test_every_beat_of_a_ventricular_tachycardia_is_found_however_fast(
    tmp_path: Path, rate_bpm: int
) -> None:
    # the longer the detector has known the sinus beats, the stranger it finds others
    script = [Step(duration_s=30), Step(duration_s=12, rhythm="vt", rate_bpm=rate_bpm)]
    write_wfdb(tmp_path, "vt", Simulator(script, fs=FS, seed=1))
    beats, classes = read_annotations(tmp_path / "vt").beats()
    found = _found(Simulator(script, fs=FS, seed=1))
    fast = beats[(np.array(classes) == "V") & (beats < 41 * FS)]
    assert len(fast) > 25
    assert np.abs(fast[:, None] - found).min(axis=1).max() <= 0.15 * FS
    assert len(found) <= len(beats)


def test_a_fibrillating_heart_does_not_look_as_if_it_stood_still() -> None:
    script = [Step(duration_s=12), Step(duration_s=20, rhythm="vf")]
    found = _found(Simulator(script, fs=FS, seed=3))
    assert np.diff(found, append=round(32 * FS)).max() < 3 * FS


def test_noise_in_one_lead_makes_no_beats() -> None:
    simulator = Simulator([Step(duration_s=40)], fs=FS, leads=("II", "V1"), seed=2)
    clean = next(iter(simulator.chunks("p1", "s1", chunk_samples=10_000)))
    samples = clean.samples.copy()
    noise = np.random.default_rng(5).normal(size=len(samples) - 5_000) * 0.3 * clean.gain[1]
    samples[5_000:, 1] += noise.astype(np.int16)
    found = [beat.sample for h in Monitor().advance([clean]) for beat in h.beats]
    disturbed = [
        beat.sample
        for h in Monitor().advance([replace(clean, samples=samples)])
        for beat in h.beats
    ]
    assert len(found) > 40
    assert len(disturbed) == pytest.approx(len(found), abs=1)


def _found(simulator: Simulator) -> NDArray[np.int64]:
    monitor = Monitor()
    chunks = simulator.chunks("p1", "s1", chunk_samples=6000)
    heard = [findings for chunk in chunks for findings in monitor.advance([chunk])]
    return np.array([beat.sample for findings in heard for beat in findings.beats])

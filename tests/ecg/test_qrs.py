from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from ecg.annotation import read_annotations
from ecg.monitor import Monitor
from ecg.script import Step
from ecg.simulator import Simulator, write_wfdb

FS = 250.0


@pytest.mark.parametrize("rate_bpm", [150, 195, 206])
def test_every_beat_of_a_ventricular_tachycardia_is_found_however_fast(
    tmp_path: Path, rate_bpm: int
) -> None:
    script = [Step(duration_s=12), Step(duration_s=12, rhythm="vt", rate_bpm=rate_bpm)]
    write_wfdb(tmp_path, "vt", Simulator(script, fs=FS, seed=1))
    beats, classes = read_annotations(tmp_path / "vt").beats()
    found = _found(Simulator(script, fs=FS, seed=1))
    fast = beats[(np.array(classes) == "V") & (beats < 23 * FS)]
    assert len(fast) > 25
    assert np.abs(fast[:, None] - found).min(axis=1).max() <= 0.15 * FS
    assert len(found) <= len(beats)


def _found(simulator: Simulator) -> NDArray[np.int64]:
    monitor = Monitor()
    chunks = simulator.chunks("p1", "s1", chunk_samples=6000)
    heard = [findings for chunk in chunks for findings in monitor.advance([chunk])]
    return np.array([beat.sample for findings in heard for beat in findings.beats])

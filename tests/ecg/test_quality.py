"""What is called unfit, and what must never be."""

import numpy as np
import pytest
from msgspec.structs import replace
from scipy import signal

from ecg.chunk import Chunk
from ecg.monitor import Monitor
from ecg.script import Rhythm, Step
from tests.ecg.engine import beats, cut, recorded, said, statuses, watch

FS = 250


def with_motion(sd_mv: float) -> Chunk:
    """Return 40 s of sinus rhythm, with electrodes that move from 15 s to 30 s."""
    whole = recorded("P1", fs=FS, script=(Step(duration_s=40, rate_bpm=75),))
    rng = np.random.default_rng(3)
    band = signal.butter(1, [0.7, 6], "bandpass", fs=FS, output="sos")
    motion = signal.sosfilt(band, rng.normal(size=whole.samples.shape), axis=0)
    motion *= sd_mv * 1000 / motion.std()
    motion[: 15 * FS] = motion[30 * FS :] = 0
    return replace(whole, samples=(whole.samples + motion).astype(np.int16))


def test_electrode_motion_that_drowns_the_qrs_is_noisy_and_only_it() -> None:
    found = {s.sample // FS: s.reason for s in statuses(Monitor().advance([with_motion(1.0)]))}
    assert {found[second] for second in range(1, 16)} == {None}
    assert [found[second] for second in range(20, 30)].count("noisy") >= 8
    assert {found[second] for second in range(34, 40)} == {None}


def test_a_little_motion_is_no_reason_to_judge_nothing() -> None:
    assert {s.reason for s in statuses(Monitor().advance([with_motion(0.1)]))} == {None}


@pytest.mark.parametrize("rhythm", ["vt", "vf", "asystole"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_no_rhythm_is_called_a_fault_of_the_signal(rhythm: Rhythm, seed: int) -> None:
    script = (
        Step(duration_s=15, rate_bpm=75, pvc_per_min=10),
        Step(duration_s=20, rhythm=rhythm, rate_bpm=160),
        Step(duration_s=10, rate_bpm=90),
    )
    found = statuses(Monitor().advance([recorded("P1", fs=FS, seed=seed, script=script)]))
    assert {s.reason for s in found} == {None}


@pytest.mark.parametrize("offset_mv", [-6.0, 6.0])
def test_a_signal_far_from_zero_is_as_fit_as_any(offset_mv: float) -> None:
    whole = recorded("P1", fs=FS, script=(Step(duration_s=20), Step(duration_s=5)))
    baseline = tuple(round(-offset_mv * g) for g in whole.gain)
    found = statuses(Monitor().advance([replace(whole, baseline=baseline)]))
    assert {s.reason for s in found} == {None}


def test_quality_does_not_depend_on_the_chunks() -> None:
    whole = with_motion(1.0)
    assert said(watch(Monitor(), cut(whole, 97))) == said(Monitor().advance([whole]))


@pytest.mark.parametrize("by", [0.5, 4.0, 10.0])
def test_beats_are_found_and_fit_where_the_gain_is_wrong(by: float) -> None:
    whole = recorded("P1", fs=FS, script=(Step(duration_s=40, rate_bpm=75, pvc_per_min=10),))
    amplified = replace(whole, gain=tuple(g / by for g in whole.gain))
    there, found = Monitor().advance([whole]), Monitor().advance([amplified])
    # the first seconds show how large the QRS is
    late = [b.sample for b in beats(there) if b.sample > 5 * FS]
    assert len(late) > 40
    assert [b.sample for b in beats(found) if b.sample > 5 * FS] == late
    assert {s.reason for s in statuses(found) if s.sample > 8 * FS} == {None}

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from scipy.signal import welch

from ecg.annotation import read_annotations
from ecg.chunk import MISSING
from ecg.electrodes import GAIN, RAIL_MV
from ecg.errors import LeadError, RateError, ScriptError
from ecg.reader import read_record
from ecg.script import DEMO_SCRIPT, Step
from ecg.simulator import Simulator, Then, write_wfdb

SHORT = (
    Step(duration_s=3.1, rate_bpm=90, pvc_per_min=30),
    Step(duration_s=2, artefact="noise"),
    Step(duration_s=2, rhythm="vf"),
    Step(duration_s=1.5, artefact="missing"),
    Step(duration_s=2, rhythm="vt", rate_bpm=170),
)


@given(sizes=st.lists(st.integers(1, 700), min_size=1, max_size=12))
@hypothesis_settings(deadline=None, max_examples=25)
def test_samples_do_not_depend_on_how_they_are_asked_for(sizes: list[int]) -> None:
    whole = Simulator(SHORT, seed=5).take(sum(sizes))
    parts = Simulator(SHORT, seed=5)
    assert np.array_equal(np.concatenate([parts.take(n) for n in sizes]), whole)


def test_chunks_carry_the_samples_with_their_positions() -> None:
    simulator = Simulator(SHORT, seed=5)
    chunks = list(simulator.chunks("p", "s", duration_s=0.25))
    whole = Simulator(SHORT, seed=5).take(10_000)
    assert len(whole) == 2650
    assert np.array_equal(np.concatenate([c.samples for c in chunks]), whole)
    assert [c.first_sample for c in chunks] == list(range(0, 2650, 62))
    assert chunks[0].gain == (GAIN, GAIN)


def test_seeds_give_different_samples_and_the_same_seed_the_same() -> None:
    one, again, other = (Simulator(SHORT, seed=s).take(2000) for s in (1, 1, 2))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("fs", [128.0, 250.0, 360.0, 500.0])
@pytest.mark.parametrize("kind", ["N", "V", "Q"])
def test_true_beats_stand_on_their_r_peaks(fs: float, kind: str) -> None:
    script = {
        "N": [Step(duration_s=30, rate_bpm=60)],
        "V": [Step(duration_s=10, rhythm="vt", rate_bpm=150)],
        "Q": [Step(duration_s=30, rate_bpm=60, paced=True)],
    }[kind]
    simulator = Simulator(script, fs=fs, leads=("II",), seed=2)
    lead = simulator.take(10**6)[:, 0] / GAIN
    beats = simulator.truth().beats
    assert {beat.beat_class for beat in beats} == {kind}
    reach = round(0.03 * fs)
    for beat in beats[1:-1]:
        near = np.abs(lead[beat.sample - reach : beat.sample + reach + 1])
        assert abs(int(np.argmax(near)) - reach) <= max(2, 0.006 * fs)
        assert near.max() > 0.7


def test_beats_come_at_the_rate_of_the_script_when_it_ramps() -> None:
    simulator = Simulator([Step(duration_s=120, rate_bpm=60, to_bpm=120)], seed=3)
    simulator.take(10**6)
    samples = np.array([beat.sample for beat in simulator.truth().beats])
    rates = 60 * 250 / np.diff(samples)
    assert rates[:10].mean() == pytest.approx(61.5, abs=2)
    assert rates[-10:].mean() == pytest.approx(118, abs=3)


def test_premature_beats_come_early_and_as_often_as_asked() -> None:
    script = [Step(duration_s=120, rate_bpm=75, pvc_per_min=6, pac_per_min=4)]
    simulator = Simulator(script, seed=4)
    simulator.take(10**6)
    beats = simulator.truth().beats
    classes = [beat.beat_class for beat in beats]
    assert classes.count("V") in (11, 12)
    assert classes.count("S") in (7, 8)
    rr = np.diff([beat.sample for beat in beats]) / 250
    early = [rr[i - 1] for i, c in enumerate(classes) if c in "SV"]
    assert max(early) < 0.6 < 0.7 < np.median(rr)


def test_episodes_are_where_the_script_puts_them() -> None:
    simulator = Simulator(seed=0)
    simulator.take(10**6)
    truth = simulator.truth()
    assert [(e.kind, e.onset, e.end) for e in truth.episodes] == [
        ("noise", 36 * 250, 44 * 250),
        ("lead_off", 51 * 250, 59 * 250),
        ("vt", 70 * 250, 78 * 250),
        ("vf", 88 * 250, 99 * 250),
        ("asystole", 107 * 250, 115 * 250),
    ]
    for kind, classes in (("vt", {"V"}), ("vf", set()), ("asystole", set())):
        episode = next(e for e in truth.episodes if e.kind == kind)
        within = [b for b in truth.beats if episode.onset <= b.sample < episode.end]
        assert {beat.beat_class for beat in within} == classes
    hidden = [b.sample / 250 for b in truth.beats if not b.visible]
    assert min(hidden) >= 36
    assert max(hidden) < 59


def test_demo_begins_with_35_s_of_clean_sinus_and_shows_all_within_two_minutes() -> None:
    kinds = {step.artefact or step.rhythm for step in DEMO_SCRIPT}
    assert kinds == {"sinus", "noise", "lead_off", "vt", "vf", "asystole"}
    assert DEMO_SCRIPT[0].rhythm == "sinus"
    assert DEMO_SCRIPT[0].duration_s >= 35
    simulator = Simulator()
    assert simulator.script_s == 150
    simulator.take(120 * 250)
    assert len(simulator.truth().episodes) == 5


def test_fibrillation_swings_at_4_to_7_hz_without_beats() -> None:
    simulator = Simulator([Step(duration_s=60, rhythm="vf")], seed=1)
    lead = simulator.take(10**6)[250:, 0] / GAIN
    hz, power = welch(lead, fs=250, nperseg=1000)
    assert 4 <= hz[np.argmax(power)] <= 7
    assert power[(hz > 3.5) & (hz < 7.5)].sum() > 0.85 * power[hz > 0.5].sum()
    assert 0.2 < lead.std() < 0.8
    assert simulator.truth().beats == ()


def test_asystole_is_flat_but_for_wander_and_a_little_noise() -> None:
    script = [Step(duration_s=2), Step(duration_s=6, rhythm="asystole")]
    lead = Simulator(script).take(10**6)[3 * 250 :, 0] / GAIN
    assert np.abs(lead).max() < 0.25
    assert 0.004 < np.diff(lead).std() < 0.02


@pytest.mark.parametrize(
    ("artefact", "value"),
    [("lead_off", RAIL_MV * GAIN), ("flat", 0), ("missing", MISSING)],
)
def test_artefact_hits_only_the_leads_it_names(artefact: str, value: float) -> None:
    step = Step(duration_s=2, artefact=artefact, artefact_leads=("V1",))  # type: ignore[arg-type]  # parametrised
    simulator = Simulator([Step(duration_s=1), step, Step(duration_s=1)])
    samples = simulator.take(1000)
    assert (samples[250:750, 1] == value).all()
    assert (samples[250:750, 0] != value).mean() > 0.9
    assert not (samples[:250] == value).all(axis=0).any()
    assert all(beat.visible for beat in simulator.truth().beats)


def test_spike_precedes_each_paced_beat() -> None:
    simulator = Simulator([Step(duration_s=10, rate_bpm=60, paced=True)], seed=1)
    steps = np.abs(np.diff(simulator.take(2500)[:, 0] / GAIN))
    for beat in simulator.truth().beats[1:-1]:
        before = steps[beat.sample - 20 : beat.sample - 5]
        assert before.max() > 2.0


@pytest.mark.parametrize(("then", "length"), [("end", 500), ("sinus", 2000), ("loop", 2000)])
def test_what_comes_after_the_script_is_as_asked(then: Then, length: int) -> None:
    script = [Step(duration_s=1), Step(duration_s=1, rhythm="asystole")]
    simulator = Simulator(script, then=then)
    assert len(simulator.take(2000)) == length
    episodes = {"end": 1, "sinus": 1, "loop": 4}[then]
    assert len(simulator.truth().episodes) == episodes
    assert len(simulator.take(1)) == (0 if then == "end" else 1)


def test_saved_patient_reads_back_with_its_truth(tmp_path: Path) -> None:
    script = [Step(duration_s=5, pvc_per_min=20), Step(duration_s=4, rhythm="vf")]
    script += [Step(duration_s=1, artefact="missing"), Step(duration_s=3)]
    truth = write_wfdb(tmp_path, "sim", Simulator(script, fs=360, seed=9))
    record = read_record(tmp_path / "sim")
    assert np.array_equal(record.samples, Simulator(script, fs=360, seed=9).take(10**6))
    assert record.gain == (GAIN, GAIN)
    found = read_annotations(tmp_path / "sim", n_samples=record.n_samples)
    samples, classes = found.beats()
    visible = [beat for beat in truth.beats if beat.visible]
    assert samples.tolist() == [beat.sample for beat in visible]
    assert classes.tolist() == [beat.beat_class for beat in visible]
    assert [(s.rhythm, s.first_sample, s.end_sample) for s in found.rhythms] == [
        ("N", 0, 1800),
        ("VFIB", 1800, 3240),
        ("N", 3240, 4680),
    ]


def test_impossible_scripts_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ScriptError, match="at least one step"):
        Simulator([])
    with pytest.raises(ScriptError, match="positive duration"):
        Step(duration_s=0)
    with pytest.raises(ScriptError, match="15 to 300/min, got 400"):
        Step(duration_s=1, rate_bpm=400)
    with pytest.raises(LeadError, match=r"got \['X'\]"):
        Simulator(leads=("X",))
    with pytest.raises(RateError, match="got 50 Hz"):
        Simulator(fs=50)
    with pytest.raises(ScriptError, match="then='end'"):
        write_wfdb(tmp_path, "sim", Simulator(then="loop"))

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ecg.annotation import RhythmStretch, read_annotations
from ecg.errors import RecordError
from ecg.features import LIKENESS
from ecg.script import Step
from ecg.simulator import Simulator, write_wfdb
from tests.training.observed import names, sequence
from training.dataset import observe_record
from training.of_rhythm import (
    fibrillation_records,
    in_rhythms,
    observe_fibrillation,
    observe_tachycardia,
)


def test_beats_of_the_usual_shape_are_n_when_only_fibrillation_is_known(tmp_path: Path) -> None:
    script = [Step(duration_s=60, pvc_per_min=12)]
    write_wfdb(tmp_path, "af", Simulator(script, fs=300, seed=1))
    marked, told = observe_record(tmp_path / "af"), observe_fibrillation(tmp_path / "af")
    assert np.array_equal(marked.samples, told.samples)
    assert set(names(told.targets)) == {"N", "-"}
    settled = slice(10, None)  # the template has to be learnt
    truth = np.array(names(marked.targets))[settled]
    kept = np.array(names(told.targets))[settled] == "N"
    assert not kept[truth == "V"].any()
    assert kept[truth == "N"].mean() > 0.8


def test_fibrillation_records_are_those_of_the_list(tmp_path: Path) -> None:
    (tmp_path / "REFERENCE.csv").write_text("A1,A\nA2,N\nA3,A\n", encoding="ascii")
    assert fibrillation_records(tmp_path) == ["A1", "A3"]
    with pytest.raises(RecordError, match="which records are atrial fibrillation"):
        fibrillation_records(tmp_path / "elsewhere")


def test_a_rhythm_says_what_beats_well_inside_it_are() -> None:
    beats = sequence("made/0", seed=1)
    contexts = np.zeros_like(beats.contexts)
    contexts[::2, LIKENESS] = 0.9
    beats = replace(beats, samples=np.arange(len(beats)) * 250, contexts=contexts)
    stretches = [
        RhythmStretch(rhythm=name, first_sample=first * 250, end_sample=end * 250)
        for name, first, end in (("N", 0, 4), ("VT", 4, 8), ("NOISE", 8, 10), ("VFIB", 10, 12))
    ]
    said = names(in_rhythms(beats, stretches, fs=250.0))
    # a mark may be a beat off, and what is odd in a sinus rhythm may be anything
    assert said[:12] == ["-", "-", "N", "-", "-", "V", "V", "V", "-", "-", "-", "-"]
    assert set(said[12:]) == {"-"}


def test_beats_of_a_tachycardia_that_do_not_keep_time_have_no_label() -> None:
    beats = sequence("made/0", seed=1)
    samples = np.arange(len(beats)) * 100
    samples[10] += 30
    vt = RhythmStretch(rhythm="VT", first_sample=0, end_sample=20 * 100)
    said = names(in_rhythms(replace(beats, samples=samples), [vt], fs=250.0))
    # nor have its neighbours, an interval of which is as odd
    assert said[8:13] == ["V", "-", "-", "-", "V"]


def test_beats_of_a_tachycardia_are_v_however_long_it_lasts(tmp_path: Path) -> None:
    script = [
        Step(duration_s=40, rate_bpm=70),
        Step(duration_s=60, rhythm="vt", rate_bpm=150),
        Step(duration_s=20, rate_bpm=70),
    ]
    write_wfdb(tmp_path, "vt", Simulator(script, fs=250, seed=1))
    told = observe_tachycardia(tmp_path / "vt")
    (marked,) = (s for s in read_annotations(tmp_path / "vt").rhythms if s.rhythm == "VT")
    inside = (told.samples > marked.first_sample + 100) & (told.samples < marked.end_sample - 100)
    assert inside.sum() > 130
    said = names(told.targets[inside])
    assert set(said) <= {"V", "-"}
    assert said.count("V") > 120
    assert set(names(told.targets[told.samples < marked.first_sample])) <= {"N", "-"}

"""The whole of a training run, on a few simulated patients."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from ecg.checkpoint import load, read_card
from ecg.errors import RecordError
from ecg.model import OUTPUTS, RhythmLSTM
from ecg.script import Step
from ecg.simulator import Simulator, write_wfdb
from tests.training.observed import SETTINGS, SIZE, noises, sequence, written
from training import train as module
from training.dataset import NORMAL, UNLABELLED
from training.distil import student_of, temperature_of
from training.lesson import Lesson, carry_out
from training.records import opinion_records, training_paths
from training.rhythm_model import Taught
from training.store import observe, write_beats
from training.train import train


def test_what_ships_is_made_of_all_seeds_and_a_second_run_has_the_same_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "mitdb"
    folder.mkdir()
    for k in range(3):
        script = [Step(duration_s=20, pvc_per_min=12)]
        write_wfdb(folder, f"p{k}", Simulator(script, fs=250, seed=k))
    (tmp_path / "vfdb").mkdir()
    write_wfdb(tmp_path / "vfdb", "v", Simulator([Step(duration_s=20)], fs=250, seed=9))
    noises(tmp_path)
    monkeypatch.setattr(module, "training_paths", lambda *_: [folder / f"p{k}" for k in range(3)])
    rhythm = Taught(model=RhythmLSTM(4), card={"records": []})
    monkeypatch.setattr(module, "rhythm_records", lambda *_: [])
    monkeypatch.setattr(module, "teach", lambda *_, **__: rhythm)
    monkeypatch.setattr(module, "observe", partial(observe, processes=0))
    monkeypatch.setattr(module, "carry_out", partial(carry_out, processes=0))
    monkeypatch.setattr(module, "write_curves", lambda *_, **__: None)
    ran = [
        train(
            tmp_path,
            out=tmp_path / work / "out.safetensors",
            work=tmp_path / work,
            databases=("mitdb", "vfdb", "nstdb"),
            settings=SETTINGS,
            seeds=2,
            seeds_to=tmp_path / work / "seeds",
            ship="student",
        )
        for work in ("first", "second")
    ]
    assert ran[0].version == ran[1].version
    assert [path.name for path in ran[0].seeds] == ["seed-0.safetensors", "seed-1.safetensors"]
    assert load(ran[0].seeds[1], device="cpu").version != ran[0].version
    card = read_card(ran[0].weights)
    assert card["size"]["members"] == 1
    assert read_card(ran[0].seeds[0])["size"]["members"] == SETTINGS.members
    assert card["made_of"] == {"seeds": [0, 1], "rule": "one student of all members"}
    assert card["databases"] == ["mitdb", "vfdb", "nstdb"]


def test_a_database_that_is_absent_is_named_with_what_helps(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"rhythmwatch records download mitdb$"):
        training_paths(tmp_path, ("mitdb", "svdb"))
    (tmp_path / "mitdb").mkdir()
    with pytest.raises(RecordError, match=r"download svdb \(train can do without it"):
        training_paths(tmp_path, ("mitdb", "svdb"))


def test_a_student_hears_of_no_database_that_was_not_asked_for(tmp_path: Path) -> None:
    for database, name in (("vfdb", "418"), ("vfdb", "419"), ("challenge2015", "v1")):
        (tmp_path / database).mkdir(exist_ok=True)
        (tmp_path / database / f"{name}.hea").touch()
    vfdb = (tmp_path / "vfdb" / "418", "unmarked")
    assert opinion_records(tmp_path, ("mitdb", "svdb")) == []
    assert opinion_records(tmp_path, ("mitdb", "vfdb")) == [vfdb]
    bedside = (tmp_path / "challenge2015" / "v1", "unmarked")
    assert opinion_records(tmp_path, ("challenge2015", "vfdb")) == [vfdb, bedside]


def test_a_student_learns_what_its_teachers_think_of_beats_that_nobody_named(
    tmp_path: Path,
) -> None:
    files = written(tmp_path, 2)
    unlabelled = [tmp_path / "observed" / "other" / f"{k}-0.npy" for k in range(3)]
    for k, file in enumerate(unlabelled):
        known = sequence(f"other/{k}", seed=20 + k)
        write_beats(file, replace(known, targets=np.full(80, UNLABELLED, np.int64)))
    settings = replace(SETTINGS, epochs=30, learning_rate=1e-2, dropout=0.0)
    teacher = Lesson(taught=tuple(files), examined=tuple(files), settings=settings, size=SIZE)
    (taught,) = carry_out([teacher], tmp_path, processes=0)
    student = replace(
        student_of([teacher], files[:1], unlabelled, settings, size=SIZE), examined=tuple(files)
    )
    (learnt,) = carry_out([student], tmp_path, processes=0)
    agreed = [
        (a.argmax(axis=1) == b.argmax(axis=1)).mean()
        for a, b in zip(learnt.logits, taught.logits, strict=True)
    ]
    assert min(agreed) > 0.9


def test_a_student_does_not_hear_of_v_in_normal_rhythm(tmp_path: Path) -> None:
    files = written(tmp_path, 2)
    settings = replace(SETTINGS, epochs=30, learning_rate=1e-2, dropout=0.0)
    teacher = Lesson(taught=tuple(files), examined=tuple(files), settings=settings, size=SIZE)
    (taught,) = carry_out([teacher], tmp_path, processes=0)
    assert {logits.argmax(axis=1).max() for logits in taught.logits} == {OUTPUTS.index("V")}
    normal = tmp_path / "observed" / "normal" / "0-0.npy"
    write_beats(normal, replace(sequence("normal/0", seed=0), targets=np.full(80, NORMAL)))
    student = replace(
        student_of([teacher], [normal], [], settings, size=SIZE), examined=tuple(files)
    )
    (learnt,) = carry_out([student], tmp_path, processes=0)
    assert {name for logits in learnt.logits for name in logits.argmax(axis=1)} == {0}


def test_a_student_is_made_as_sure_as_strangers_are() -> None:
    logits = np.random.default_rng(0).normal(0, 2, (5000, 6)).astype(np.float32)
    assert temperature_of([3 * logits], [[logits], [logits]], [1.0, 1.0]) == pytest.approx(
        3.0, rel=0.01
    )

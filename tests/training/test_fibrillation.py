"""What teaches the LSTM that tells atrial fibrillation, and what it then says of others."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ecg import fibrillation_weights
from ecg.fibrillation import LEAST_BEATS
from ecg.script import Step
from ecg.simulator import Simulator, write_wfdb
from ecg.state import COMPARISONS
from training.comparisons import Rhythm, compared, made_up, rhythm_of
from training.constants import python_of
from training.dataset import UNLABELLED, observe_record, observe_unmarked
from training.fibrillation import by_strangers, fit, probabilities, table_of
from training.store import write_beats


def test_a_few_made_up_people_teach_what_fibrillation_is() -> None:
    model = fit(made_up(30, seed=1), steps=150)
    said = [float(np.median(probabilities(model, one)[50:])) for one in made_up(9, seed=2)]
    assert min(said[2::3]) > max(said[0::3] + said[1::3])
    names: dict[str, Any] = {}
    exec(python_of("Weights.", model.constants()), names)  # noqa: S102  # just written
    for name in ("IN", "IN_BIAS", "GATES", "GATES_BIAS", "OUT", "BIAS"):
        assert np.shape(names[name]) == np.shape(getattr(fibrillation_weights, name))


def test_nothing_can_be_learnt_of_people_who_are_all_alike() -> None:
    with pytest.raises(ValueError, match="and some without"):
        fit(made_up(30, seed=1)[2::3])


def test_strangers_are_judged_by_who_does_not_know_them_and_counted() -> None:
    people = [
        Rhythm(record=f"challenge2017/A{k}", heard=one.heard)
        for k, one in enumerate(made_up(9, seed=1))
    ]
    named = {f"A{k}": "NOA"[k % 3] for k in range(9)}
    said = by_strangers(people, folds=3, steps=2)
    assert [len(p) for p in said] == [len(one.heard[0][1]) for one in people]
    said = [np.full(len(p), float(k % 3 == 2)) for k, p in enumerate(said)]
    beats = 3 * (len(people[0].heard[0][1]) - LEAST_BEATS)
    assert f"| challenge2017, atrial fibrillation | 3 | {beats} | 100.0 |" in table_of(
        people, said, named
    )
    assert f"| challenge2017, normal rhythm | 3 | {beats} | 0.0 |" in table_of(people, said, named)


def test_a_gap_begins_anew() -> None:
    times_s = np.array([0.0, 0.8, 1.6, 2.4, 9.0, 9.8, 10.7])
    found = compared(times_s, np.ones(7, np.float32))
    assert found.shape == (7, COMPARISONS)
    assert found.any(axis=1).tolist() == [False, False, True, True, False, False, True]


@pytest.mark.parametrize(
    ("database", "named", "known"),
    [
        ("challenge2017", "A", 1),
        ("challenge2017", "~", UNLABELLED),
        ("svdb", "", 0),
        ("mitdb", "", 0),
    ],
)
def test_records_are_labelled_as_their_database_does(
    tmp_path: Path, database: str, named: str, known: int
) -> None:
    folder = tmp_path / database
    folder.mkdir()
    write_wfdb(folder, "r", Simulator([Step(duration_s=40, rate_bpm=80)], seed=4))
    (folder / "REFERENCE.csv").write_text(f"r,{named}\n", encoding="ascii")
    file = tmp_path / "observed" / database / "r-0.npy"
    observe = observe_unmarked if database == "challenge2017" else observe_record
    write_beats(file, observe(folder / "r"))
    rhythm = rhythm_of(folder / "r", file)
    assert rhythm.record == f"{database}/r"
    assert (rhythm.heard[0][1] == known).all()
    assert len(rhythm.heard) == 4

"""What is kept of fits, that they go on after a kill, and that they can be repeated."""

import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.training.observed import SETTINGS, SIZE, written
from training import lesson as module
from training.errors import ProcessDiedError
from training.fit import fit
from training.lesson import Lesson, carry_out
from training.processes import Tell, run_apart

LESSON = Lesson(taught=(), examined=(), settings=replace(SETTINGS, epochs=3, seed=7), size=SIZE)


def weights_of(lesson: Lesson, work: Path) -> dict[str, torch.Tensor]:
    (learnt,) = carry_out([lesson], work, processes=0)
    return dict(learnt.model.state_dict())


def killed_after_the_first_epoch(task: tuple[Lesson, Path], _: Tell) -> None:
    """Die without a word as soon as an epoch is kept."""
    module._learn(task, lambda _: os.kill(os.getpid(), signal.SIGKILL))


def test_a_fit_that_was_killed_ends_with_the_bits_of_one_that_was_not(tmp_path: Path) -> None:
    files = tuple(written(tmp_path, 4))
    lesson = replace(LESSON, taught=files[:3], examined=files[3:])
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    with pytest.raises(ProcessDiedError, match="ended by signal 9 before its work was done"):
        run_apart(killed_after_the_first_epoch, [(lesson, killed)])
    assert [file.name for file in (killed / "lessons").iterdir()] == [
        f"{lesson.key()}.checkpoint.pt"
    ]
    told: list[int] = []
    (resumed,) = carry_out(
        [lesson], killed, processes=0, progress=lambda _, epoch: told.append(epoch.number)
    )
    assert told == [1, 2, 3]
    # a second run from the start: the same bits again
    expected = weights_of(lesson, whole)
    assert expected.keys() == resumed.model.state_dict().keys()
    for name, tensor in resumed.model.state_dict().items():
        assert torch.equal(tensor, expected[name]), name


def test_a_lesson_is_carried_out_once_unless_started_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = tuple(written(tmp_path, 2))
    lesson = replace(LESSON, taught=files, settings=replace(SETTINGS, epochs=1))
    weights_of(lesson, tmp_path)
    fits: list[object] = []

    def counted(*told: Any, **how: Any) -> Any:
        fits.append(told)
        return fit(*told, **how)

    monkeypatch.setattr("training.lesson.fit", counted)
    weights_of(lesson, tmp_path)
    assert not fits
    carry_out([lesson], tmp_path, processes=0, fresh=True)
    assert len(fits) == 1


def test_lessons_that_are_the_same_are_carried_out_once(tmp_path: Path) -> None:
    files = tuple(written(tmp_path, 2))
    one = replace(LESSON, taught=files)
    other = replace(one, settings=replace(one.settings, seed=8))
    told: list[tuple[int, int]] = []
    first, between, last = carry_out(
        [one, other, replace(one)],
        tmp_path,
        processes=0,
        progress=lambda k, epoch: told.append((k, epoch.number)),
    )
    assert sorted(told) == [(k, number) for k in range(3) for number in (1, 2, 3)]
    # each epoch of the two alike was fitted once
    assert told.index((0, 2)) - told.index((2, 1)) == 1
    weights = [learnt.model.state_dict() for learnt in (first, between, last)]
    assert all(torch.equal(weights[0][name], weights[2][name]) for name in weights[0])
    assert not all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_the_key_changes_with_what_decides_the_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lesson = replace(LESSON, taught=(tmp_path / "observed" / "made" / "0-0.npy",))
    others = [
        replace(lesson, settings=replace(lesson.settings, seed=8)),
        replace(lesson, taught=(tmp_path / "observed" / "made" / "0-1.npy",)),
        replace(lesson, size=replace(SIZE, hidden=9)),
        replace(lesson, teachers=(LESSON,)),
    ]
    assert len({one.key() for one in (lesson, *others)}) == 5
    moved = replace(lesson, taught=(Path("/elsewhere/observed/made/0-0.npy"),))
    here = moved.key()
    assert moved.key() == replace(moved).key()
    monkeypatch.setattr("training.lesson.choose_device", lambda _: torch.device("cuda"))
    assert lesson.key() not in {one.key() for one in others}
    assert replace(moved).key() != here

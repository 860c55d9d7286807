from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.training.observed import SETTINGS, SIZE, sequence, written
from training.ensemble import assemble, deal, members_of
from training.fit import Epoch, fit, judge_sequence
from training.lesson import carry_out
from training.store import record_of


def test_members_judge_the_patients_whom_they_do_not_know(tmp_path: Path) -> None:
    files = written(tmp_path, 5)
    sequences = [sequence(f"made/{k}", seed=k) for k in range(5)]
    heard: list[tuple[int, int]] = []
    learnt = carry_out(
        members_of(files, SETTINGS, size=SIZE),
        tmp_path,
        processes=0,
        progress=lambda k, epoch: heard.append((k, epoch.number)),
    )
    assert sorted(heard) == [(0, 1), (0, 2), (1, 1), (1, 2)]
    fitted = assemble(files, learnt)
    parts = deal([s.record for s in sequences], 2)
    for member in range(2):
        known = [s for s, part in zip(sequences, parts, strict=True) if part != member]
        # the same fit in this process: nothing but the seed and the known patients matters
        alone, _ = fit(known, [], replace(SETTINGS, seed=member), size=SIZE)
        for s, part, logits in zip(sequences, parts, fitted.logits, strict=True):
            if part == member:
                assert np.array_equal(judge_sequence(alone, s).numpy(), logits)


def test_noisy_copies_teach_those_alone_who_may_know_the_patient(tmp_path: Path) -> None:
    files, copies = written(tmp_path, 5), written(tmp_path / "noisy", 5)
    members = members_of(files, SETTINGS, size=SIZE, copies=copies)
    for member in members:
        known = {record_of(file) for file in member.taught}
        assert len(member.taught) == 2 * len(known)
        assert not known & {record_of(file) for file in member.examined}
        assert set(member.examined) <= set(files)


def test_fit_learns_what_there_is_and_tells_every_epoch() -> None:
    sequences = [sequence(f"made/{k}", seed=k) for k in range(5)]
    told: list[Epoch] = []
    settings = replace(SETTINGS, epochs=40, learning_rate=1e-2, dropout=0.0)
    _, epochs = fit(sequences[:4], sequences[4:], settings, size=SIZE, progress=told.append)
    assert told == epochs
    assert epochs[-1].loss < epochs[0].loss
    assert epochs[-1].f1["V"] > 0.9


def test_everybody_is_dealt_and_a_persons_records_stay_together() -> None:
    parts = deal([*(f"mitdb/{k}" for k in range(201, 210)), "svdb/201"], 4)
    assert set(parts) == {0, 1, 2, 3}
    assert parts[0] == parts[1]  # 201 and 202 are one person
    assert parts[-1] != parts[0]  # of another database, another person


def test_too_few_persons_are_refused() -> None:
    with pytest.raises(ValueError, match="2 members need as many persons to leave out, got 1"):
        members_of([Path("made/1-0.npy")], SETTINGS)

"""The models at work: padded batches whose rows are the same bits, whatever else is in them."""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from ecg.features import CHANNELS, N_CONTEXT
from ecg.judge import BATCHES, Judge
from ecg.model import OUTPUTS, PlainLSTM
from ecg.rhythm import N_DESCRIPTORS
from ecg.state import WINDOW
from tests.ecg.engine import judge

RNG = np.random.default_rng(0)
N = max(BATCHES) + 40
WINDOWS = RNG.normal(size=(N, CHANNELS, WINDOW)).astype(np.float32)
CONTEXTS = RNG.normal(size=(N, N_CONTEXT)).astype(np.float32)


@pytest.mark.parametrize("n", [1, 7, 31, 32, 33, 129, 255, 321, 608, 1000, N])
def test_a_beat_has_the_same_bits_in_batches_of_every_size(n: int) -> None:
    at_work = judge()
    whole = np.zeros((N, 2, at_work.hidden), np.float32)
    all_at_once = at_work.judge_beats(np.arange(N), WINDOWS, CONTEXTS, whole)
    memory = np.zeros_like(whole)
    rows = np.arange(n)
    few = at_work.judge_beats(rows, WINDOWS[:n], CONTEXTS[:n], memory)
    assert np.array_equal(few, all_at_once[:n])
    assert np.array_equal(memory[:n], whole[:n])
    assert not memory[n:].any()


def test_measured_batches_change_no_bits() -> None:
    rows = np.arange(N)
    at_work = judge()
    memory = np.zeros((N, 2, at_work.hidden), np.float32)
    before = at_work.judge_beats(rows, WINDOWS, CONTEXTS, memory)
    at_work.choose_batches()
    again = np.zeros_like(memory)
    assert np.array_equal(at_work.judge_beats(rows, WINDOWS, CONTEXTS, again), before)
    assert np.array_equal(again, memory)


def test_batches_are_measured_on_one_thread_as_they_are_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    at_work = judge()
    threads: list[int] = []
    judge_beats = Judge.judge_beats

    def look(self: Judge, *what: NDArray[Any]) -> NDArray[np.float32]:
        threads.append(torch.get_num_threads())
        return judge_beats(self, *what)

    monkeypatch.setattr(Judge, "judge_beats", look)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        at_work.choose_batches()
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert set(threads) == {1}


def test_a_size_whose_rows_differ_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    at_work = judge()
    judge_beats = Judge.judge_beats

    def differ(self: Judge, slots: NDArray[np.int64], *rest: NDArray[Any]) -> NDArray[np.float32]:
        found = judge_beats(self, slots, *rest)
        return found + np.float32(len(slots) in (64, 512))

    monkeypatch.setattr(Judge, "judge_beats", differ)
    at_work.choose_batches()
    sizes = {at_work._size(n) for n in BATCHES}
    assert sizes == set(BATCHES) - {64, 512}


def test_beats_of_one_patient_are_judged_one_after_the_other() -> None:
    at_work = judge()
    together = np.zeros((2, 2, at_work.hidden), np.float32)
    slots = np.array([0, 1, 0, 0, 1])
    at_once = at_work.judge_beats(slots, WINDOWS[:5], CONTEXTS[:5], together)
    apart = np.zeros_like(together)
    one_by_one = [
        at_work.judge_beats(slots[k : k + 1], WINDOWS[k : k + 1], CONTEXTS[k : k + 1], apart)[0]
        for k in range(5)
    ]
    assert np.array_equal(at_once, np.array(one_by_one))
    assert np.array_equal(together, apart)


def test_rhythm_and_beats_keep_memories_apart() -> None:
    at_work = judge()
    memory = np.zeros((1, 2, at_work.hidden), np.float32)
    at_work.judge_seconds(
        np.array([0]), RNG.normal(size=(1, N_DESCRIPTORS)).astype(np.float32), memory
    )
    changed = np.flatnonzero(memory.any(axis=(0, 1)))
    at_work.judge_beats(np.array([0]), WINDOWS[:1], CONTEXTS[:1], memory)
    grown = np.flatnonzero(memory.any(axis=(0, 1)))
    assert 0 < len(changed) < len(grown) == at_work.hidden


def test_probabilities_of_a_beat_add_up_to_one() -> None:
    at_work = judge()
    memory = np.zeros((3, 2, at_work.hidden), np.float32)
    p = at_work.judge_beats(np.arange(3), WINDOWS[:3], CONTEXTS[:3], memory)
    assert p.shape == (3, len(OUTPUTS))
    assert p.sum(axis=1) == pytest.approx(1.0, abs=1e-5)


def test_the_plain_lstm_classifies_windows_of_samples() -> None:
    torch.manual_seed(0)
    model = PlainLSTM(input_dim=2, hidden_dim=8, layer_dim=2, output_dim=5)
    assert model(torch.zeros(3, 90, 2)).shape == (3, 5)

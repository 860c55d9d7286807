"""One call of the monitor: what waits in it for whom, and what it costs the model."""

import numpy as np
import pytest
from msgspec.structs import replace
from numpy.typing import NDArray

from ecg.chunk import Chunk
from ecg.judge import Judge
from ecg.monitor import Monitor
from tests.ecg.engine import beats, cut, judge, part, recorded, said, watch


def _ends(how: str, chunk: Chunk) -> Chunk:
    """Return ``chunk`` as it is when the signal before it has ended."""
    if how == "splice":
        return replace(chunk, discontinuity=True)
    if how == "long gap":
        return replace(chunk, first_sample=chunk.first_sample + 61 * 360)
    return replace(chunk, stream="another")


@pytest.mark.parametrize("how", ["splice", "long gap", "another stream"])
def test_what_ends_for_many_in_one_call_is_judged_as_it_is_alone(how: str) -> None:
    people = [recorded(f"P{k}", seed=k) for k in range(6)]
    signals = []
    for k, person in enumerate(people):
        chunks = cut(part(person, 0, 7200), 90)
        signals.append([*chunks[: 40 + k % 2], _ends(how, chunks[40 + k % 2])])
    together = Monitor(judge())
    found = [
        f for at in range(42) for f in together.advance([s[at] for s in signals if at < len(s)])
    ]
    for person, chunks in zip(people, signals, strict=True):
        assert said(found, person.patient) == said(watch(Monitor(judge()), chunks))


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that gets the number of beats of each call of the model."""
    found: list[int] = []
    judge_beats = Judge.judge_beats

    def count(
        self: Judge, slots: NDArray[np.int64], *rest: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        found.append(len(slots))
        return judge_beats(self, slots, *rest)

    monkeypatch.setattr(Judge, "judge_beats", count)
    return found


def test_beats_that_splices_leave_are_judged_in_one_batch(batches: list[int]) -> None:
    people = [recorded(f"P{k}", seed=k) for k in range(40)]
    monitor = Monitor(judge())
    monitor.advance([part(person, 0, 3600) for person in people])
    batches.clear()
    spliced = [replace(part(person, 3600, 3690), discontinuity=True) for person in people]
    left = len(beats(monitor.advance(spliced)))
    assert left >= len(people) // 2
    assert batches == [left]


def test_patients_whose_leads_are_on_trial_are_judged_in_one_batch(batches: list[int]) -> None:
    monitor = Monitor(judge())
    monitor.advance([_unnamed(f"P{k}", seed=k, end=3240) for k in range(8)])
    assert len(batches) == 1
    assert batches[0] > 40


def _unnamed(patient: str, *, seed: int, end: int) -> Chunk:
    """Return three leads of which nobody knows the names, from the start."""
    chunk = part(recorded(patient, seed=seed), 0, end)
    samples = np.column_stack([chunk.samples, chunk.samples[:, 0]])
    names = ("ECG1", "ECG2", "ECG3")
    three = {"gain": (*chunk.gain, chunk.gain[0]), "baseline": (*chunk.baseline, chunk.baseline[0])}
    return replace(chunk, leads=names, samples=samples, **three)

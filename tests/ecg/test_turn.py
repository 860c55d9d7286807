"""One call of the monitor: where chunks go on, what waits for whom, and what is judged together."""

import numpy as np
import pytest
from msgspec.structs import replace
from numpy.typing import NDArray

from ecg.chunk import MISSING, Chunk
from ecg.errors import ChunkError
from ecg.finding import Gap
from ecg.judge import Judge
from ecg.monitor import Monitor
from ecg.script import Step
from tests.ecg.engine import beats, cut, judge, part, recorded, said, statuses, watch


@pytest.fixture(scope="module")
def whole() -> Chunk:
    return recorded("P1")


def test_chunks_of_one_patient_in_one_call_are_taken_in_their_order(whole: Chunk) -> None:
    chunks = cut(part(whole, 0, 7200), 90)
    # a gap, a splice and a repeat among them
    chunks[20] = replace(chunks[20], discontinuity=True)
    chunks[40:41] = [chunks[39], chunks[3]]
    others = [replace(chunk, patient="P2") for chunk in chunks]
    together = Monitor(judge()).advance(
        [c for pair in zip(chunks, others, strict=True) for c in pair]
    )
    assert said(together, "P1") == said(watch(Monitor(judge()), chunks))
    assert [f.patient for f in together] == ["P1", "P2"]


def test_a_gap_becomes_missing_samples_and_a_finding(whole: Chunk) -> None:
    monitor = Monitor(judge())
    found = watch(monitor, [part(whole, 0, 1800), part(whole, 3960, 7200)])
    gaps = [g for f in found for g in f.gaps]
    assert gaps == [Gap(first_sample=1800, end_sample=3960, decided_sample=3960, reset=False)]
    by_second = {s.sample // 360: s for s in statuses(found)}
    assert by_second[8].reason == "missing"
    assert not [b for b in beats(found) if 1900 < b.sample < 3900]
    assert by_second[19].fit


def test_a_gap_is_as_if_the_missing_samples_had_come(whole: Chunk) -> None:
    samples = part(whole, 0, 7200).samples.copy()
    samples[1800:3960] = MISSING
    sent = said(Monitor(judge()).advance([replace(whole, samples=samples)]))
    lost = said(watch(Monitor(judge()), [part(whole, 0, 1800), part(whole, 3960, 7200)]))
    assert [f for f in lost if not isinstance(f, Gap)] == sent


def test_a_gap_over_a_minute_starts_the_signal_anew() -> None:
    script = (Step(duration_s=40),)
    whole = recorded("P1", script=script)
    later = replace(whole, first_sample=whole.n_samples + 360 * 3600)
    monitor = Monitor(judge())
    found = watch(monitor, [whole, part(later, 0, 360 * 20)])
    assert [g.reset for f in found for g in f.gaps] == [True]
    after = [s for s in statuses(found) if s.sample > later.first_sample]
    assert len(after) == 19
    assert all(s.warm_up for s in after)
    alone = watch(Monitor(judge()), [part(later, 0, 360 * 20)])
    assert beats(found)[-10:] == beats(alone)[-10:]


@pytest.mark.parametrize(("seconds", "repeated"), [(5, False), (12, True)])
def test_the_warm_up_is_repeated_after_a_gap_over_10_s(seconds: int, repeated: bool) -> None:
    whole = recorded("P1", script=(Step(duration_s=70),))
    found = watch(
        Monitor(judge()),
        [part(whole, 0, 40 * 360), part(whole, (40 + seconds) * 360, 60 * 360)],
    )
    by_second = {s.sample // 360: s.warm_up for s in statuses(found)}
    assert by_second[29]
    assert not by_second[31]
    assert by_second[58] is repeated


def test_repeats_and_overlaps_change_nothing(whole: Chunk) -> None:
    short = part(whole, 0, 7200)
    doubled = [
        chunk
        for k in range(0, 7200, 360)
        for chunk in (part(short, max(k - 100, 0), k + 360), part(short, k, k + 360))
    ]
    monitor = Monitor(judge())
    assert said(watch(monitor, doubled)) == said(Monitor(judge()).advance([short]))
    assert monitor.advance([part(short, 0, 360)]) == []


def test_no_rr_interval_crosses_a_splice() -> None:
    whole = recorded("P1", script=(Step(duration_s=15, rate_bpm=80),))
    n = whole.n_samples
    again = replace(whole, first_sample=n, discontinuity=True)
    everything = watch(Monitor(judge()), [whole, again])
    found = beats(everything)
    first = next(b for b in found if b.sample >= n)
    assert first.rr_s is None
    assert [b.sample - n for b in found if b.sample >= n][:10] == [
        b.sample for b in found if b.sample < n
    ][:10]
    assert [b.decided_sample for b in found] == sorted(b.decided_sample for b in found)
    # the beats that waited are judged where their signal ends, and the end is said after them
    order = [f for f in said(everything) if isinstance(f, Gap) or f in found]
    (place,) = (k for k, f in enumerate(order) if isinstance(f, Gap))
    assert order[place] == Gap(first_sample=n, end_sample=n, decided_sample=n, reset=False)
    assert order[:place] == [b for b in found if b.sample < n]
    assert order[place - 1].decided_sample == n


def test_a_new_stream_starts_the_patient_anew(whole: Chunk) -> None:
    monitor = Monitor(judge())
    monitor.advance([part(whole, 0, 9000)])
    anew = replace(part(whole, 0, 7200), stream="s2")
    assert said(monitor.advance([anew])) == said(Monitor(judge()).advance([anew]))


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


@pytest.mark.parametrize("together", [True, False], ids=["in one call", "one by one"])
def test_a_gain_that_changes_changes_nothing_else(whole: Chunk, together: bool) -> None:
    chunks = cut(whole, 90)
    scaled = [
        replace(
            chunk,
            samples=(chunk.samples // 2 + 100).astype(np.int16),
            gain=tuple(gain / 2 for gain in chunk.gain),
            baseline=tuple(baseline // 2 + 100 for baseline in chunk.baseline),
        )
        for chunk in chunks[len(chunks) // 2 :]
    ]
    monitor, expected = Monitor(), watch(Monitor(), chunks)
    sent = [*chunks[: len(chunks) // 2], *scaled]
    found = monitor.advance(sent) if together else watch(monitor, sent)
    assert [b.sample for b in beats(found)] == [b.sample for b in beats(expected)]


@pytest.mark.parametrize("first_sample", [-1, 2**53, 2**63 - 10, 2**64])
def test_a_sample_number_that_has_no_exact_place_is_refused(
    whole: Chunk, first_sample: int
) -> None:
    with pytest.raises(ChunkError, match="first_sample must be 0 or more and below"):
        replace(whole, first_sample=first_sample)

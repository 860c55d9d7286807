"""Leads whose names say nothing are tried for 10 s, and the best are judged from then on."""

import numpy as np
import pytest
from msgspec.structs import replace

from ecg.chunk import MISSING, Chunk
from ecg.errors import StateError
from ecg.finding import Beat, Gap
from ecg.monitor import Monitor
from ecg.script import Step
from ecg.trial import MAX_TRIED
from tests.ecg.engine import beats, cut, judge, part, recorded, said, statuses, watch

FS = 250
SCRIPT = (Step(duration_s=24, rate_bpm=75, pvc_per_min=6),)
NOISY, OFF = 0, 1
CHOSEN = "by quality over the first 10 s: C, D"


def four(patient: str = "P1", *, names: tuple[str, ...] = ("A", "B", "C", "D")) -> Chunk:
    """Return a noisy lead, one that is off, and two good ones."""
    whole = recorded(patient, fs=FS, script=SCRIPT)
    noise = np.random.default_rng(1).normal(0, 700, whole.n_samples).astype(np.int16)
    good = whole.samples
    columns = [good[:, 0] + noise, np.full_like(good[:, 0], 9500), good[:, 0], good[:, 1]]
    return replace(
        whole, leads=names, samples=np.stack(columns, axis=1), gain=(1000.0,) * 4, baseline=(0,) * 4
    )


def test_the_best_leads_by_quality_are_judged_after_10_s_and_that_is_said() -> None:
    found = Monitor(judge()).advance([four()])
    before = [s for s in statuses(found) if s.sample <= 10 * FS]
    after = [s for s in statuses(found) if s.sample > 10 * FS]
    assert (len(before), len(after)) == (10, 13)
    assert {s.lead_choice for s in before} == {"in the order of the source: A, B"}
    assert {tuple(q.lead for q in s.leads) for s in before} == {("A", "B")}
    assert {s.lead_choice for s in after} == {CHOSEN}
    assert {tuple((q.lead, q.fit) for q in s.leads) for s in after} == {(("C", True), ("D", True))}
    assert {b.lead for b in beats(found) if b.decided_sample > 11 * FS} == {"C"}
    assert all(b.sample < b.decided_sample for b in beats(found))
    order = [b.decided_sample for b in beats(found)]
    assert order == sorted(order)


def test_new_leads_start_the_signal_anew() -> None:
    whole = four()
    found = beats(Monitor(judge()).advance([whole]))
    first = next(b for b in found if b.lead == "C")
    assert first.rr_s is None
    # as if the two had been all there is, from that sample on
    good = replace(
        whole, leads=("C", "D"), samples=whole.samples[:, 2:], gain=(1000.0,) * 2, baseline=(0,) * 2
    )
    start = next(s for s in range(10 * FS, 11 * FS) if beats_from(good, s) == beats_of(found, "C"))
    assert start - 10 * FS < 0.2 * FS


def beats_from(whole: Chunk, start: int) -> list[tuple[int, int, float | None]]:
    """Return place, decision and score of the beats of a recording that begins at ``start``."""
    found = beats(Monitor(judge()).advance([part(whole, start, whole.n_samples)]))
    return [(b.sample, b.decided_sample, b.score) for b in found]


def beats_of(found: list[Beat], lead: str) -> list[tuple[int, int, float | None]]:
    """Return the same of the beats that a lead has placed."""
    return [(b.sample, b.decided_sample, b.score) for b in found if b.lead == lead]


@pytest.mark.parametrize("size", [7, 250, 2512, 5000])
def test_the_choice_does_not_depend_on_the_chunks(size: int) -> None:
    whole = four()
    assert said(watch(Monitor(judge()), cut(whole, size))) == said(
        Monitor(judge()).advance([whole])
    )


def test_others_are_judged_as_without_a_trial_beside_them() -> None:
    other, whole = recorded("Q", fs=FS, script=SCRIPT), four()
    monitor = Monitor(judge())
    found = []
    for pair in zip(cut(other, 300), cut(whole, 300), strict=True):
        found += monitor.advance(pair)
    assert said(found, "Q") == said(Monitor(judge()).advance([other]))
    assert said(found, "P1") == said(Monitor(judge()).advance([whole]))


@pytest.mark.parametrize("at", [1, 1111, 2500, 2520, 2600])
def test_a_trial_goes_on_as_if_never_interrupted_when_restored(at: int) -> None:
    whole = four()
    first, second = Monitor(judge()), Monitor(judge())
    found = first.advance([part(whole, 0, at)])
    exported = first.export("P1")
    second.restore("P1", exported)
    assert second.export("P1") == exported
    found += second.advance([part(whole, at, whole.n_samples)])
    assert said(found) == said(Monitor(judge()).advance([whole]))


def test_the_state_is_small_again_after_the_trial_and_bounded_in_it() -> None:
    whole = four()
    many = replace(
        whole,
        leads=tuple(f"X{k}" for k in range(40)),
        samples=np.tile(whole.samples, (1, 10)),
        gain=(1000.0,) * 40,
        baseline=(0,) * 40,
    )
    monitor = Monitor(judge())
    monitor.advance([part(many, 0, 500)])
    assert len(monitor.export("P1")) <= 16_000 * (1 + MAX_TRIED // 2)
    monitor.advance([part(many, 500, many.n_samples)])
    assert len(monitor.export("P1")) <= 16_000


def test_damaged_state_of_a_trial_is_refused() -> None:
    monitor = Monitor(judge())
    monitor.advance([part(four(), 0, 500)])
    state = monitor.export("P1")
    for bad in (state[:-1], state[: len(state) // 2]):
        with pytest.raises(StateError):
            Monitor(judge()).restore("P1", bad)


def test_a_gap_within_the_trial_is_as_if_the_missing_samples_had_come() -> None:
    whole = four()
    samples = whole.samples.copy()
    samples[2000:3000] = MISSING
    sent = said(Monitor(judge()).advance([replace(whole, samples=samples)]))
    lost = said(watch(Monitor(judge()), [part(whole, 0, 2000), part(whole, 3000, 6000)]))
    (gap,) = (f for f in lost if f not in sent)
    assert gap == Gap(first_sample=2000, end_sample=3000, decided_sample=3000, reset=False)
    assert [f for f in lost if f in sent] == sent


def test_other_leads_are_said_to_be_another_signal_after_what_waited_of_the_first() -> None:
    found = said(Monitor(judge()).advance([four()]))
    place = next(k for k, f in enumerate(found) if isinstance(f, Gap))
    gap = found[place]
    assert isinstance(gap, Gap)
    assert (gap.first_sample, gap.reset) == (gap.end_sample, True)
    assert {b.lead for b in found[:place] if isinstance(b, Beat)} == {"A"}
    assert {b.lead for b in found[place:] if isinstance(b, Beat)} == {"C"}
    # leads that stay are the same signal
    stay = said(Monitor(judge()).advance([four(names=("A", "B", "V5", "II"))]))
    assert not [f for f in stay if isinstance(f, Gap)]


def test_a_trial_begins_again_when_nothing_could_be_judged() -> None:
    whole = four()
    samples = whole.samples.copy()
    samples[: 10 * FS] = 9500
    found = statuses(Monitor(judge()).advance([replace(whole, samples=samples)]))
    choices = {s.sample // FS: s.lead_choice for s in found}
    assert choices[19] == "in the order of the source: A, B"
    assert choices[22] == CHOSEN


@pytest.mark.parametrize(
    ("names", "before", "after"),
    [
        (("A", "B", "V5", "II"), "by name: II, V5", "by name: II, V5"),
        (("A", "B", "C", "II"), "by name: II; in the order of the source: A",
         "by name: II; by quality over the first 10 s: C"),
        (("A", "II", "C", "D"), "by name: II; in the order of the source: A", CHOSEN),
    ],
)  # fmt: skip
def test_names_go_before_quality_unless_the_lead_shows_nothing(
    names: tuple[str, ...], before: str, after: str
) -> None:
    found = statuses(Monitor(judge()).advance([four(names=names)]))
    assert (found[0].lead_choice, found[-1].lead_choice) == (before, after)


def test_leads_asked_for_need_no_trial() -> None:
    found = statuses(Monitor(judge(), leads=["B", "D"]).advance([four()]))
    assert {s.lead_choice for s in found} == {"as asked for"}


def test_a_splice_within_the_trial_does_not_end_it() -> None:
    whole = four()
    again = replace(part(whole, 1000, 5000), discontinuity=True)
    found = statuses(watch(Monitor(judge()), [part(whole, 0, 1000), again]))
    assert next(s.sample for s in found if s.lead_choice == CHOSEN) == 11 * FS

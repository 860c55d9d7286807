"""What holds of every patient, whatever happens and however the findings arrive."""

from collections import defaultdict
from itertools import pairwise
from typing import Literal

from hypothesis import given, settings
from hypothesis import strategies as st

from ecg.alarm import Action, AlarmEvent, Limits
from ecg.alarm_cycle import PatientAlarms
from ecg.finding import BeatClass, Findings, Unfit
from tests.story import FS, START_NS, Story, cut

REASONS: tuple[Unfit, ...] = ("missing", "lead_off", "flat", "clipped", "noisy")
SECONDS = 100


@st.composite
def stories(draw: st.DrawFn) -> Findings:
    """A patient whose rhythm changes every few seconds, on signal that comes and goes."""
    beats: list[tuple[float, BeatClass | None]] = []
    at = 0.5
    while at < SECONDS:
        rate = draw(st.sampled_from((30, 45, 60, 75, 110, 130, 150, 190, 250)))
        classes = draw(st.sampled_from(("N", "V", "S", "VN", "VVN", "VVVVN", "VVVF", "?V")))
        length = draw(st.sampled_from((1.0, 3.0, 8.0, 20.0)))
        end, n = at + length, 0
        if draw(st.integers(0, 4)) == 0:
            at = end  # nothing beats
        while at < min(end, SECONDS):
            letter = classes[n % len(classes)]
            beats.append((at, _CLASSES[letter]))
            at, n = at + 60 / rate, n + 1
    vf = draw(st.lists(_stretches, max_size=2))
    unfit = draw(st.lists(st.tuples(_stretches, st.sampled_from(REASONS)), max_size=3))
    some = draw(st.lists(st.tuples(_stretches, st.sampled_from(REASONS)), max_size=2))
    return Story(
        seconds=SECONDS,
        beats=beats,
        vf=[s for stretch in vf for s in stretch],
        unfit={s: reason for stretch, reason in unfit for s in stretch},
        unfit_lead={s: reason for stretch, reason in some for s in stretch},
        warm_up_s=draw(st.sampled_from((0, 30))),
        no_model=draw(_stretches) if draw(st.booleans()) else (),
    ).whole()


_CLASSES: dict[str, BeatClass | None] = {"N": "N", "S": "S", "V": "V", "F": "F", "?": None}
_stretches = st.builds(
    lambda start, length: range(start, min(start + length, SECONDS)),
    st.integers(4, SECONDS - 5),
    st.integers(1, 40),
)
_cuts = st.lists(st.integers(1, round(SECONDS * FS)), max_size=30)
Step = Findings | Action | int


@st.composite
def lives(draw: st.DrawFn) -> list[Step]:
    """Findings with actions and ticks in between, and perhaps a second stream."""
    findings = draw(stories())
    steps: list[Step] = []
    for n, part in enumerate(cut(findings, draw(_cuts))):
        steps.append(part)
        now = START_NS + round(part.through_sample / FS * 1e9)
        if draw(st.integers(0, 3)) == 0:
            steps += [now, now + 7 * 10**9]
        if draw(st.integers(0, 3)) == 0:
            steps.append(_action(draw(st.sampled_from(_KINDS)), n, now))
    if draw(st.booleans()):
        other = Story(
            seconds=30, beats=[(t, "N") for t in range(1, draw(st.integers(3, 30)))], stream="s2"
        )
        steps.append(other.whole())
    return steps


Kind = Literal["acknowledge", "silence", "limits", "standby", "resume", "discharge"]
_KINDS: tuple[Kind, ...] = ("acknowledge", "silence", "limits", "standby", "resume", "discharge")


def _action(kind: Kind, n: int, now: int) -> Action:
    return Action(
        action_id=f"a{n}",
        patient="p1",
        kind=kind,
        author="nurse",
        at_ns=now,
        until_ns=now + 5 * 10**9,
        limits=Limits(hr_high=135.0),
    )


def live(alarms: PatientAlarms, step: Step) -> list[AlarmEvent]:
    if isinstance(step, Findings):
        return alarms.fold(step)
    return alarms.apply(step) if isinstance(step, Action) else alarms.tick(step)


@settings(max_examples=40, deadline=None)
@given(findings=stories(), cuts=_cuts)
def test_the_same_findings_give_the_same_events_however_they_are_grouped(
    findings: Findings, cuts: list[int]
) -> None:
    whole, parts = PatientAlarms("p1"), PatientAlarms("p1")
    events = whole.fold(findings)
    assert [e for part in cut(findings, cuts) for e in parts.fold(part)] == events
    assert parts.export() == whole.export()
    assert parts.minutes() == whole.minutes()


@settings(max_examples=40, deadline=None)
@given(steps=lives(), at=st.sets(st.integers(0, 60)))
def test_export_and_restore_anywhere_change_nothing(steps: list[Step], at: set[int]) -> None:
    steady, moved = PatientAlarms("p1"), PatientAlarms("p1")
    for n, step in enumerate(steps):
        if n in at:
            moved = PatientAlarms.restore(moved.export())
        assert live(moved, step) == live(steady, step)
        assert moved.minutes() == steady.minutes()
    assert moved.export() == steady.export()
    assert len(steady.export()) < 16_000


@settings(max_examples=40, deadline=None)
@given(steps=lives())
def test_repeated_findings_and_actions_say_nothing_twice(steps: list[Step]) -> None:
    alarms = PatientAlarms("p1")
    for step in steps:
        live(alarms, step)
        if not isinstance(step, int):
            assert live(alarms, step) == []


@settings(max_examples=100, deadline=None)
@given(steps=lives())
def test_every_alarm_has_one_unbroken_life(steps: list[Step]) -> None:
    alarms = PatientAlarms("p1")
    lives_: dict[str, list[AlarmEvent]] = defaultdict(list)
    for step in steps:
        for event in live(alarms, step):
            lives_[event.alarm_id].append(event)
    active = {alarm.alarm_id for alarm in alarms.active()}
    for alarm_id, life in lives_.items():
        assert [e.sequence for e in life] == list(range(1, len(life) + 1))
        assert life[0].event == "raised"
        assert [e.event for e in life].count("raised") == 1
        assert "ended" not in [e.event for e in life[:-1]]
        assert (life[-1].event == "ended") == (alarm_id not in active)
        assert all(e.sample >= e.onset_sample for e in life)
        assert all(e.detected_ns >= e.onset_ns for e in life if e.event == "raised")
        assert len({(e.onset_sample, e.onset_ns, e.code, e.stream) for e in life}) == 1
        _lethal_only_ends_by_somebody(life)
        _updates_are_bounded(life)


def _lethal_only_ends_by_somebody(life: list[AlarmEvent]) -> None:
    lethal = ("asystole", "vf", "vt", "extreme_tachy", "extreme_brady")
    if life[-1].event != "ended" or life[0].code not in lethal:
        return
    reason = life[-1].reason or ""
    continued = reason.startswith(("discharged by", "continued as alarm"))
    assert continued or any(e.event == "acknowledged" for e in life)


def _updates_are_bounded(life: list[AlarmEvent]) -> None:
    values = [e for e in life if e.event == "updated" and e.reason is None]
    for before, after in pairwise(values):
        grown = before.priority != after.priority
        assert grown or after.sample - before.sample >= 5 * FS


@settings(max_examples=40, deadline=None)
@given(findings=stories())
def test_only_one_physiological_alarm_of_a_chain_holds_at_a_time(findings: Findings) -> None:
    alarms = PatientAlarms("p1")
    for part in cut(findings, range(0, round(SECONDS * FS), 125)):
        alarms.fold(part)
        holding = {alarm.key for alarm in alarms.active() if alarm.holds}
        assert len(holding & {"hr_high", "hr_low", "pause"}) <= 1
        assert len(holding & {"nsvt", "v_run", "v_pair", "vent_rhythm"}) <= 1
        if holding & {"asystole", "vf", "vt"}:
            assert not holding & {"v_per_min", "hr_high", "hr_low", "v_pair", "nsvt"}

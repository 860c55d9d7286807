"""What the alarm rules say of a story, and what nurses do."""

from typing import Literal

from ecg.alarm import Action, AlarmEvent, Limits
from ecg.alarm_cycle import PatientAlarms
from tests.story import FS, START_NS, Story, cut, regular

S = 10**9
VT = Story(
    seconds=90,
    beats=[
        *regular(75, end=30),
        *regular(180, start=30.2, end=40, beat_class="V"),
        *regular(75, start=41, end=90),
    ],
)
_numbers = iter(range(10**6))


def told(story: Story, *, limits: Limits | None = None) -> list[AlarmEvent]:
    return PatientAlarms(story.patient, limits=limits).fold(story.whole())


def raised(story: Story, *, limits: Limits | None = None) -> dict[str, AlarmEvent]:
    return {e.code: e for e in told(story, limits=limits) if e.event == "raised"}


def action(
    kind: Literal["acknowledge", "silence", "limits", "standby", "resume", "discharge"],
    *,
    alarm_id: str | None = None,
    until_ns: int | None = None,
    limits: Limits | None = None,
    action_id: str | None = None,
) -> Action:
    return Action(
        action_id=action_id or f"a{next(_numbers)}",
        patient="p1",
        kind=kind,
        author="nurse",
        at_ns=START_NS + 35 * S,
        alarm_id=alarm_id,
        until_ns=until_ns,
        limits=limits,
    )


def until(story: Story, second: float) -> tuple[PatientAlarms, list[AlarmEvent]]:
    """Fold a story up to a second; return the alarms and what they said."""
    alarms = PatientAlarms("p1")
    return alarms, alarms.fold(cut(story.whole(), [round(second * FS)])[0])


def kinds(events: list[AlarmEvent]) -> list[tuple[str, str]]:
    return [(e.code, e.event) for e in events]

"""What is said of an alarm: the events in which its life is told."""

from dataclasses import dataclass

from ecg.alarm import AlarmEvent, Transition
from ecg.alarm_state import NO_STREAM, Alarm, State
from ecg.criteria import CRITERIA


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """Where and when something happens, and by whom."""

    sample: int
    ns: int
    author: str | None = None
    action_id: str | None = None


def event_of(
    state: State,
    alarm: Alarm,
    transition: Transition,
    at: Moment,
    *,
    reason: str | None = None,
) -> AlarmEvent:
    """Return the next event of an alarm."""
    alarm.sequence += 1
    alarm.said = at.sample
    return describe(state, alarm, transition, at, reason=reason)


def describe(
    state: State,
    alarm: Alarm,
    transition: Transition,
    at: Moment,
    *,
    reason: str | None = None,
) -> AlarmEvent:
    """Return an event that tells how an alarm stands, without counting it."""
    criterion = CRITERIA[alarm.key]
    return AlarmEvent(
        alarm_id=alarm.alarm_id,
        sequence=alarm.sequence,
        event=transition,
        patient=state.patient,
        stream=alarm.stream,
        code=criterion.code,
        kind=criterion.kind,
        priority=alarm.priority,
        text=alarm.text if reason is None else f"{alarm.text} ({reason})",
        onset_sample=alarm.onset,
        sample=at.sample if alarm.stream == (state.stream or NO_STREAM) else alarm.onset,
        onset_ns=alarm.onset_ns,
        detected_ns=at.ns,
        holds=alarm.holds,
        latched=criterion.latches and not alarm.holds and not alarm.acknowledged,
        acknowledged=alarm.acknowledged,
        value=alarm.value,
        limit=alarm.limit,
        unit=alarm.unit,
        probability=alarm.probability,
        leads=alarm.leads,
        model=alarm.model,
        author=at.author,
        action_id=at.action_id,
        silenced_until_ns=state.silenced_until_ns,
        reason=reason,
    )

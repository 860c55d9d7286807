"""What somebody at a screen may ask for, and what it changes."""

from collections.abc import Callable, Iterator

from ecg.alarm import Action, AlarmEvent, Limits
from ecg.alarm_event import Moment, event_of
from ecg.alarm_state import SILENCE_AT_MOST_NS, Alarm, State
from ecg.errors import ActionError
from ecg.settle import end, end_all, over

ACTIONS_KEPT = 64
"""Ids of applied actions that are remembered."""


def apply(state: State, action: Action) -> list[AlarmEvent]:
    """Apply what somebody asked for, once by its id, and return what changes.

    Raises
    ------
    ActionError
        If it is for another patient, or names an alarm that is not active, or lacks what it
        needs. Nothing changes then.
    """
    if action.patient != state.patient:
        raise ActionError(f"action for {action.patient} given to {state.patient}")
    if action.action_id in state.actions:
        return []
    at = Moment(
        sample=max(state.through, 0),
        ns=action.at_ns,
        author=action.author,
        action_id=action.action_id,
    )
    events = _STEPS[action.kind](state, action, at)
    state.actions.append(action.action_id)
    del state.actions[:-ACTIONS_KEPT]
    return events


def _named(state: State, action: Action) -> Iterator[Alarm]:
    alarms = state.active()
    if action.alarm_id is None:
        yield from alarms
        return
    named = [alarm for alarm in alarms if alarm.alarm_id == action.alarm_id]
    if not named:
        raise ActionError(
            f"{action.kind} must name an active alarm of {action.patient}, but "
            f"{action.alarm_id} is not one (it may have ended meanwhile)"
        )
    yield from named


def _acknowledge(state: State, action: Action, at: Moment) -> list[AlarmEvent]:
    events: list[AlarmEvent] = []
    for alarm in list(_named(state, action)):
        if alarm.acknowledged:
            continue
        alarm.acknowledged = True
        events.append(event_of(state, alarm, "acknowledged", at))
        if not alarm.holds:
            events.append(end(state, alarm, at, None))
    return events


def _silence(state: State, action: Action, at: Moment) -> list[AlarmEvent]:
    until = action.until_ns
    if until is None or not 0 < until - action.at_ns <= SILENCE_AT_MOST_NS:
        raise ActionError(
            "silence must end after it begins and within "
            f"{SILENCE_AT_MOST_NS // 10**9} s (until_ns), got {until}"
        )
    named = list(_named(state, action))
    state.silenced_until_ns = until
    state.silenced_by = action.author
    return [event_of(state, alarm, "silenced", at) for alarm in named]


def _set_limits(state: State, action: Action, at: Moment) -> list[AlarmEvent]:
    if action.limits is None:
        raise ActionError("an action of kind limits must carry limits")
    state.limits = action.limits
    state.limits_author = action.author
    if state.conditions is None:
        return []
    events: list[AlarmEvent] = []
    for key in state.conditions.no_longer_over(action.limits):
        del state.conditions.holding[key]
        alarm = state.alarms.get(key)
        if alarm is not None and alarm.holds:
            events += over(state, alarm, at, f"limits changed by {action.author}")
    return events


def _begin_standby(state: State, action: Action, at: Moment) -> list[AlarmEvent]:
    state.standby = True
    if state.conditions is not None:
        state.conditions.holding.pop("no_data", None)
    return end_all(state, f"standby by {action.author}", at)


def _resume(state: State, action: Action, at: Moment) -> list[AlarmEvent]:
    state.standby = False
    state.heard = True
    return []


def _discharge(state: State, action: Action, at: Moment) -> list[AlarmEvent]:
    events = end_all(state, f"discharged by {action.author}", at, lethal_too=True)
    state.discharged = True
    state.conditions = None
    state.trends = None
    state.silenced_until_ns = state.silenced_by = None
    # what was set for this stay is not to hold in the next
    state.limits, state.limits_author, state.standby = Limits(), None, False
    return events


_STEPS: dict[str, Callable[[State, Action, Moment], list[AlarmEvent]]] = {
    "acknowledge": _acknowledge,
    "silence": _silence,
    "limits": _set_limits,
    "standby": _begin_standby,
    "resume": _resume,
    "discharge": _discharge,
}

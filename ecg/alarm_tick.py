"""What only the clock can tell: that nothing comes, and that an audio pause is over."""

from ecg.alarm import AlarmEvent
from ecg.alarm_event import Moment, event_of
from ecg.alarm_state import SILENCE_AT_MOST_NS, State
from ecg.conditions import Condition
from ecg.criteria import BEGUN_S, CRITERIA, NO_DATA_FIRST_S, NO_DATA_S
from ecg.settle import raise_alarm


def tick(state: State, now_ns: int) -> list[AlarmEvent]:
    """Look at the clock, and return what changes."""
    at = Moment(sample=max(state.through, 0), ns=now_ns)
    return _pause_over(state, at) + _no_data(state, at)


def _pause_over(state: State, at: Moment) -> list[AlarmEvent]:
    if state.silenced_until_ns is None:
        return []
    # a screen's clock may be a day ahead
    state.silenced_until_ns = min(state.silenced_until_ns, at.ns + SILENCE_AT_MOST_NS)
    if at.ns < state.silenced_until_ns:
        return []
    state.silenced_until_ns = state.silenced_by = None
    return [
        event_of(state, alarm, "updated", at, reason="audio pause over") for alarm in state.active()
    ]


def _no_data(state: State, at: Moment) -> list[AlarmEvent]:
    if state.heard or state.heard_ns is None or at.ns < state.heard_ns:
        state.heard = False
        state.heard_ns = at.ns
        return []
    begun = state.conditions is not None and state.through >= BEGUN_S * state.conditions.fs
    silent = at.ns - state.heard_ns >= (NO_DATA_S if begun else NO_DATA_FIRST_S) * 1e9
    if not silent or state.standby or state.discharged or _said(state):
        return []
    condition = Condition(
        key="no_data",
        onset=at.sample,
        until=2**53,
        text=CRITERIA["no_data"].words,
        priority=CRITERIA["no_data"].priority,
    )
    if state.conditions is not None:
        state.conditions.holding["no_data"] = condition
    return raise_alarm(state, condition, at, by_clock=True)


def _said(state: State) -> bool:
    alarm = state.alarms.get("no_data")
    return alarm is not None and alarm.holds

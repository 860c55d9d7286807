"""What is announced of all that holds: the head of each chain, and no flood of updates."""

from ecg.alarm_event import Moment
from ecg.alarm_state import Alarm, State
from ecg.conditions import Condition, Conditions
from ecg.criteria import CRITERIA, SERIOUSNESS

UPDATE_EVERY_S = 5.0
"""At most one update of an alarm in this time, in s of ECG."""
GROWTH = 0.2
"""A value must change by this share of itself to be worth an update: few in a long episode."""


def heads_of(state: State, now: int, conditions: Conditions) -> list[str]:
    """Return the conditions to be announced: the most serious of each chain."""
    holding = conditions.holding
    if not holding or state.standby:
        return []
    heads: list[str] = []
    chains: set[str] = set()
    for key in sorted(holding, key=SERIOUSNESS.__getitem__):
        criterion = CRITERIA[key]
        alarm = state.alarms.get(key)
        if conditions.sight.get(key) == "unseen" and not (alarm is not None and alarm.holds):
            continue  # what nobody sees may go on, but does not begin
        if criterion.kind == "physiological":
            if conditions.warm_up and not criterion.early:
                continue
            if not conditions.fit and key not in state.alarms:
                continue
            if "lethal" in chains:
                continue
        if criterion.chain != "notice" and criterion.chain in chains:
            if not (key.endswith(".some") and _only_some(heads)):
                continue
        if key in state.alarms or not _shielded(state, key, now, fs=conditions.fs):
            chains.add(criterion.chain)
            heads.append(key)
    return heads


def _shielded(state: State, key: str, now: int, *, fs: float) -> bool:
    """Tell whether the same yellow alarm was announced just now."""
    raised = state.last_raised.get(key)
    return raised is not None and now - raised < CRITERIA[key].shield_s * fs


def _only_some(heads: list[str]) -> bool:
    """Tell whether the technical conditions announced so far leave another lead to judge by."""
    return all(h.endswith(".some") for h in heads if CRITERIA[h].chain == "technical")


def head_over(key: str, heads: list[str]) -> str | None:
    """Return the announced condition to which ``key`` gives way, if there is one."""
    criterion = CRITERIA[key]
    for head in heads:
        chain = CRITERIA[head].chain
        if chain == criterion.chain != "notice":
            return head
        if chain == "lethal" and criterion.kind == "physiological":
            return head
    return None


def worth_saying(alarm: Alarm, condition: Condition, at: Moment, *, fs: float) -> bool:
    """Tell whether an alarm has changed so much that somebody should hear."""
    if condition.priority != alarm.priority or condition.limit != alarm.limit:
        return True
    if at.sample - alarm.said < UPDATE_EVERY_S * fs:
        return False
    if condition.leads != alarm.leads and CRITERIA[alarm.key].kind == "technical":
        return True
    if condition.count >= 2 * max(alarm.count, 1) and alarm.count:
        return True
    if condition.value is None or alarm.value is None:
        return condition.value is not alarm.value
    change = abs(condition.value - alarm.value)
    return change >= max(CRITERIA[alarm.key].step, GROWTH * abs(alarm.value))


def why_over(key: str, conditions: Conditions) -> str | None:
    """Return why a condition counts as over, if it is not that it has passed."""
    if CRITERIA[key].kind == "physiological" and not conditions.fit:
        return f"not judged: signal {conditions.reason or 'unknown'}"
    if conditions.sight.get(key) == "unseen":
        return "not judged: signal interrupted"
    return None

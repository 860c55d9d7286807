"""From findings to alarm events: each finding changes what holds, and the alarms follow it.

Read from the top: ``fold`` takes findings one by one, ``settle`` compares the alarms with the
conditions that hold, and ``raise_alarm``, ``over`` and ``end`` are the steps of an alarm's life.
"""

from ecg.advance import advance
from ecg.alarm import PRIORITIES, AlarmEvent, alarm_id_of
from ecg.alarm_event import Moment, event_of
from ecg.alarm_state import NO_STREAM, Alarm, State
from ecg.announce import head_over, heads_of, why_over, worth_saying
from ecg.conditions import Condition, Conditions
from ecg.criteria import CLOCK_JUMP_HOLD_S, CRITERIA
from ecg.errors import FindingsError
from ecg.finding import Findings, Span
from ecg.timeline import Timeline
from ecg.trend import Minute, Trends

UNSTATED_S = 3.0
"""Signal that goes on for so long without a status says nothing, be it in one stream or in many: a
source that begins anew at every turn is never judged, and as good as silent."""
STREAMS_KEPT = 8
"""Ids of streams that ended and are remembered, so that no message revives them."""


def fold(state: State, findings: Findings) -> tuple[list[AlarmEvent], list[Minute]]:
    """Take findings and return what changes, and the minutes that are complete with them.

    What was folded before is passed over.

    Raises
    ------
    FindingsError
        If they are of another patient or an older stream, or carry no time.
    """
    if findings.patient != state.patient:
        raise FindingsError(f"findings of {findings.patient} given to {state.patient}")
    if findings.stream in state.past_streams:
        raise FindingsError(
            f"stream {findings.stream} of {state.patient} has ended: the newest is {state.stream}"
        )
    events: list[AlarmEvent] = []
    minutes: list[Minute] = []
    if findings.stream != state.stream:
        if not findings.spans:
            raise FindingsError("the first findings of a stream must carry spans with its time")
        if state.trends is not None:
            minutes += state.trends.close()
        events += _begin_stream(state, findings)
    if state.discharged or findings.through_sample <= state.through:
        return events, minutes
    if state.conditions is None:  # discharged meanwhile, and admitted again
        _watch(state, findings)
    conditions, timeline, trends = state.conditions, state.timeline, state.trends
    if conditions is None or timeline is None or trends is None:
        raise FindingsError(f"stream {findings.stream} was never begun")
    spans = list(findings.spans)
    for finding in findings.in_order():
        now = finding.decided_sample
        if now <= state.through:
            continue
        while spans and spans[0].first_sample <= now:
            _note(spans.pop(0), conditions, timeline)
        advance(conditions, finding, state.limits)
        events += settle(state, Moment(sample=now, ns=timeline.time_ns(now)), conditions)
        minutes += trends.advance(finding, timeline.time_ns)
    for span in spans:
        _note(span, conditions, timeline)
    state.through = findings.through_sample
    if state.through - conditions.stated <= UNSTATED_S * conditions.fs:
        state.heard = True
    return events, minutes


def settle(state: State, at: Moment, conditions: Conditions) -> list[AlarmEvent]:
    """Bring the alarms in line with the conditions that hold."""
    holding = conditions.holding
    heads = heads_of(state, at.sample, conditions)
    events: list[AlarmEvent] = []
    for key in heads:
        alarm = state.alarms.get(key)
        if alarm is None or alarm.stream != state.stream:
            events += raise_alarm(state, holding[key], at)
        elif not alarm.holds:
            alarm.holds = True
            _take(alarm, holding[key])
            events.append(event_of(state, alarm, "updated", at, reason="holds again"))
        elif worth_saying(alarm, holding[key], at, fs=conditions.fs):
            _take(alarm, holding[key])
            events.append(event_of(state, alarm, "updated", at))
    for key, alarm in list(state.alarms.items()):
        if key in heads or alarm.stream != (state.stream or NO_STREAM) or not alarm.holds:
            continue
        if key not in holding:
            reason = why_over(key, conditions)
            if reason is not None:
                state.last_raised.pop(key, None)  # nobody knows that it passed: no shield
            events += over(state, alarm, at, reason)
        elif not CRITERIA[key].latches:
            head = head_over(key, heads)
            if head is not None:
                events += over(state, alarm, at, f"gives way to {CRITERIA[head].words}")
    return events


def raise_alarm(
    state: State, condition: Condition, at: Moment, *, by_clock: bool = False
) -> list[AlarmEvent]:
    """Raise an alarm; one of the same kind from an older stream goes on in it.

    One that only the clock can tell, ``by_clock``, may come again though no sample has come since
    the last: its id has the time in it.
    """
    key, stream = condition.key, state.stream or NO_STREAM
    onset = min(condition.onset, at.sample)
    newest = state.last_onset.get(key)
    if newest is not None and onset <= newest:  # it was announced, gave way, and is back
        if at.sample <= newest and not by_clock:
            return []
        onset = at.sample
    state.last_onset[key] = onset
    state.last_raised[key] = at.sample
    earlier = state.alarms.pop(key, None)
    onset_ns = state.timeline.time_ns(onset) if state.timeline else at.ns
    alarm = Alarm(
        alarm_id=alarm_id_of(
            patient=state.patient,
            stream=stream,
            condition=f"{key}@{at.ns}" if by_clock else key,
            onset_sample=onset,
        ),
        key=key,
        stream=stream,
        sequence=0,
        onset=onset,
        onset_ns=min(onset_ns, at.ns),
        holds=True,
        acknowledged=False,
        text=condition.text,
        priority=condition.priority,
        value=condition.value,
        limit=condition.limit,
        unit=condition.unit,
        count=condition.count,
        probability=condition.probability,
        leads=condition.leads,
        model=state.conditions.model if state.conditions else None,
        said=at.sample,
    )
    state.alarms[key] = alarm
    events = [event_of(state, alarm, "raised", at)]
    if earlier is not None:
        reason = f"continued as alarm {alarm.alarm_id}"
        events.append(event_of(state, earlier, "ended", at, reason=reason))
    return events


def over(state: State, alarm: Alarm, at: Moment, reason: str | None) -> list[AlarmEvent]:
    """Take note that a condition no longer holds: the alarm ends, or latches."""
    if CRITERIA[alarm.key].latches and not alarm.acknowledged:
        if not alarm.holds:
            return []
        alarm.holds = False
        return [event_of(state, alarm, "condition_ended", at, reason=reason)]
    return [end(state, alarm, at, reason)]


def end(state: State, alarm: Alarm, at: Moment, reason: str | None) -> AlarmEvent:
    """End an alarm, whether it latches or not."""
    alarm.holds = False
    if state.alarms.get(alarm.key) is alarm:
        del state.alarms[alarm.key]
    return event_of(state, alarm, "ended", at, reason=reason)


def end_all(state: State, reason: str, at: Moment, *, lethal_too: bool = False) -> list[AlarmEvent]:
    """Say that no condition holds any more; the lethal ones latch unless they end, too."""
    events: list[AlarmEvent] = []
    for alarm in state.active():
        if lethal_too:
            events.append(end(state, alarm, at, reason))
        else:
            events += over(state, alarm, at, reason)
    return events


def _take(alarm: Alarm, condition: Condition) -> None:
    if PRIORITIES.index(condition.priority) < PRIORITIES.index(alarm.priority):
        alarm.acknowledged = False  # what somebody has seen was less serious
    alarm.text, alarm.priority = condition.text, condition.priority
    alarm.value, alarm.limit = condition.value, condition.limit
    alarm.count, alarm.probability = condition.count, condition.probability
    alarm.leads = condition.leads


def _begin_stream(state: State, findings: Findings) -> list[AlarmEvent]:
    at = Moment(sample=max(state.through, 0), ns=findings.spans[0].source_ns)
    silent = state.alarms.get("no_data")
    if silent is not None and silent.holds:
        state.heard_ns = None  # it ends; streams that all end before a status raise it anew in time
    events = end_all(state, "a new stream began", at) if state.stream is not None else []
    if state.stream is None:
        events += end_all(state, "data came", at)
    else:
        state.past_streams.append(state.stream)
        del state.past_streams[:-STREAMS_KEPT]
    unstated_s = 0.0
    if state.conditions is not None:
        unstated_s = (state.through - state.conditions.stated) / state.conditions.fs
    state.stream = findings.stream
    state.discharged = False
    state.through = -1
    state.timeline = Timeline(fs=findings.fs)
    state.last_onset.clear()
    state.last_raised.clear()
    _watch(state, findings, unstated_s)
    return events


def _watch(state: State, findings: Findings, unstated_s: float = 0.0) -> None:
    """Begin to watch a stream; what went before it without a status counts as if it were in it."""
    stated = findings.after_sample - round(unstated_s * findings.fs)
    state.conditions = Conditions(fs=findings.fs, stated=stated)
    state.trends = Trends(stream=findings.stream, fs=findings.fs)


def _note(span: Span, conditions: Conditions, timeline: Timeline) -> None:
    jump_s = timeline.note(span)
    if jump_s:
        conditions.hold(
            "clock_jump",
            onset=span.first_sample,
            now=span.first_sample,
            text=f"{CRITERIA['clock_jump'].words} {jump_s:+.0f} s",
            value=round(jump_s, 1),
            unit="s",
            hold_s=CLOCK_JUMP_HOLD_S,
        )

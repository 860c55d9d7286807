"""The life of a patient's alarms: findings, actions and ticks in, alarm events out.

Pure: no clock and no topic. Physiological alarms depend on sample numbers alone; only *no data*
and the end of an audio pause look at the time that ``tick`` is given.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import msgspec

from ecg.alarm import Action, AlarmEvent, Limits, Priority, Transition, alarm_id_of
from ecg.conditions import Condition, Conditions
from ecg.criteria import (
    BEGUN_S,
    CLOCK_JUMP_HOLD_S,
    CRITERIA,
    NO_DATA_FIRST_S,
    NO_DATA_S,
    SERIOUSNESS,
    Criterion,
)
from ecg.errors import ActionError, FindingsError, StateError
from ecg.finding import Findings, Span
from ecg.timeline import Timeline
from ecg.trend import Minute, Trends

LAYOUT = 1
"""Version of the exported state."""
UPDATE_EVERY_S = 5.0
"""At most one update of an alarm in this time, in s of ECG."""
GROWTH = 0.2
"""A value must change by this share of itself to be worth an update: few in a long episode."""
ACTIONS_KEPT = 64
"""Ids of applied actions that are remembered."""
STREAMS_KEPT = 8
"""Ids of streams that ended and are remembered, so that no message revives them."""
SILENCE_AT_MOST_NS = 3600 * 10**9
"""The longest audio pause."""
NO_STREAM = "none"
"""Stream of the alarms of a patient who never sent anything."""


@dataclass(slots=True, kw_only=True)
class Alarm:
    """One alarm that has been raised and has not ended."""

    alarm_id: str
    key: str
    stream: str
    sequence: int
    onset: int
    onset_ns: int
    holds: bool
    acknowledged: bool
    text: str
    priority: Priority
    value: float | None
    limit: float | None
    unit: str | None
    count: int
    probability: float | None
    leads: tuple[str, ...]
    model: str | None
    said: int
    """Sample of its newest event."""


@dataclass(slots=True, kw_only=True)
class _State:
    """Everything that is known of the patient's alarms."""

    layout: int = LAYOUT
    patient: str
    limits: Limits = field(default_factory=Limits)
    limits_author: str | None = None
    standby: bool = False
    discharged: bool = False
    stream: str | None = None
    past_streams: list[str] = field(default_factory=list)
    through: int = -1
    conditions: Conditions | None = None
    timeline: Timeline | None = None
    trends: Trends | None = None
    alarms: dict[str, Alarm] = field(default_factory=dict)
    """By condition key."""
    last_onset: dict[str, int] = field(default_factory=dict)
    """Newest onset of each key in this stream: no two alarms share one."""
    last_raised: dict[str, int] = field(default_factory=dict)
    silenced_until_ns: int | None = None
    silenced_by: str | None = None
    actions: list[str] = field(default_factory=list)
    heard: bool = True
    """Findings have come since the last tick."""
    heard_ns: int | None = None


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(_State)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Moment:
    """Where and when something happens, and by whom."""

    sample: int
    ns: int
    author: str | None = None
    action_id: str | None = None


class PatientAlarms:
    """The alarms of one patient.

    Parameters
    ----------
    patient : str
        Whose.
    limits : Limits
        What counts as too much or too little.
    standby : bool
        True while nobody is to be alarmed.

    Examples
    --------
    >>> alarms = PatientAlarms("p1")
    >>> alarms.tick(0), [event.text for event in alarms.tick(15_000_000_000)]
    ([], ['NO DATA'])
    """

    def __init__(
        self, patient: str, *, limits: Limits | None = None, standby: bool = False
    ) -> None:
        self._state = _State(patient=patient, limits=limits or Limits(), standby=standby)
        self._minutes: list[Minute] = []

    # what is known

    @property
    def patient(self) -> str:
        """Whose alarms these are."""
        return self._state.patient

    @property
    def stream(self) -> str | None:
        """The newest stream; None before the first findings."""
        return self._state.stream

    @property
    def through_sample(self) -> int:
        """How far the newest stream has been folded; -1 before its first findings."""
        return self._state.through

    @property
    def limits(self) -> Limits:
        """The limits in force."""
        return self._state.limits

    @property
    def standby(self) -> bool:
        """True while nobody is to be alarmed."""
        return self._state.standby

    @property
    def discharged(self) -> bool:
        """True when the patient has gone."""
        return self._state.discharged

    def active(self) -> tuple[Alarm, ...]:
        """Return the alarms that have not ended, the most serious first."""
        alarms = self._state.alarms
        return tuple(alarms[key] for key in sorted(alarms, key=SERIOUSNESS.__getitem__))

    @property
    def silenced_until_ns(self) -> int | None:
        """Until when the patient's sounds are paused; it may be over."""
        return self._state.silenced_until_ns

    def standing(self) -> tuple[AlarmEvent, ...]:
        """Return what the newest event of each active alarm left standing, for who missed it.

        Who caused that event is not part of the state, so ``author`` is None.
        """
        return tuple(
            self._describe(alarm, "updated", _Moment(sample=alarm.said, ns=alarm.onset_ns))
            for alarm in self.active()
        )

    def export(self) -> bytes:
        """Return the exact state, as JSON."""
        return _encoder.encode(self._state)

    @classmethod
    def restore(cls, state: bytes) -> "PatientAlarms":
        """Take a patient over from exported state.

        Raises
        ------
        StateError
            If the bytes are not such a state of this layout.
        """
        try:
            known = _decoder.decode(state)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise StateError(f"not the alarm state of a patient: {error}") from error
        if known.layout != LAYOUT:
            raise StateError(f"alarm state must have layout {LAYOUT}, got {known.layout}")
        self = cls(known.patient)
        self._state = known
        return self

    def taken_over(self) -> None:
        """Say that nobody listened for a while, so silence until now does not count as no data."""
        self._state.heard = True

    def minutes(self) -> list[Minute]:
        """Return, once, the minutes that the last folds completed."""
        minutes, self._minutes = self._minutes, []
        return minutes

    # findings

    def fold(self, findings: Findings) -> list[AlarmEvent]:
        """Take findings and return what changes; what was folded before is passed over.

        Raises
        ------
        FindingsError
            If they are of another patient or an older stream, or carry no time.
        """
        state = self._state
        if findings.patient != state.patient:
            raise FindingsError(f"findings of {findings.patient} given to {state.patient}")
        if findings.stream in state.past_streams:
            raise FindingsError(
                f"stream {findings.stream} of {state.patient} has ended: the newest is "
                f"{state.stream}"
            )
        events: list[AlarmEvent] = []
        if findings.stream != state.stream:
            if not findings.spans:
                raise FindingsError("the first findings of a stream must carry spans with its time")
            events += self._new_stream(findings)
        if state.discharged or findings.through_sample <= state.through:
            return events
        conditions, timeline, trends = state.conditions, state.timeline, state.trends
        if conditions is None or timeline is None or trends is None:
            raise FindingsError(f"stream {findings.stream} was never begun")
        state.heard = True
        spans = list(findings.spans)
        for finding in findings.in_order():
            now = finding.decided_sample
            if now <= state.through:
                continue
            while spans and spans[0].first_sample <= now:
                self._note(spans.pop(0), conditions, timeline)
            conditions.advance(finding, state.limits)
            events += self._settle(_Moment(sample=now, ns=timeline.time_ns(now)), conditions)
            self._minutes += trends.advance(finding, timeline.time_ns)
        for span in spans:
            self._note(span, conditions, timeline)
        state.through = findings.through_sample
        return events

    def _note(self, span: Span, conditions: Conditions, timeline: Timeline) -> None:
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

    def _new_stream(self, findings: Findings) -> list[AlarmEvent]:
        state = self._state
        at = _Moment(sample=max(state.through, 0), ns=findings.spans[0].source_ns)
        events = self._end_all("a new stream began", at) if state.stream is not None else []
        if state.stream is None:
            events += self._end_all("data came", at)
        else:
            state.past_streams.append(state.stream)
            del state.past_streams[:-STREAMS_KEPT]
        state.stream = findings.stream
        state.discharged = False
        state.through = -1
        state.conditions = Conditions(fs=findings.fs)
        state.timeline = Timeline(fs=findings.fs)
        state.trends = Trends(stream=findings.stream, fs=findings.fs)
        state.last_onset.clear()
        state.last_raised.clear()
        return events

    # the life cycle

    def _settle(self, at: _Moment, conditions: Conditions) -> list[AlarmEvent]:
        """Bring the alarms in line with the conditions that hold."""
        state = self._state
        holding = conditions.holding
        heads = self._heads(at.sample, conditions)
        events: list[AlarmEvent] = []
        for key in heads:
            alarm = state.alarms.get(key)
            if alarm is None or alarm.stream != state.stream:
                events += self._raise(holding[key], at, conditions)
            elif not alarm.holds:
                alarm.holds = True
                self._take(alarm, holding[key])
                events.append(self._event(alarm, "updated", at, reason="holds again"))
            elif self._worth_saying(alarm, holding[key], at):
                self._take(alarm, holding[key])
                events.append(self._event(alarm, "updated", at))
        for key, alarm in list(state.alarms.items()):
            if key in heads or alarm.stream != (state.stream or NO_STREAM) or not alarm.holds:
                continue
            if key not in holding:
                events += self._over(alarm, at, self._why_over(CRITERIA[key], conditions))
            elif not CRITERIA[key].latches:
                head = _head_over(key, heads)
                if head is not None:
                    events += self._over(alarm, at, f"gives way to {CRITERIA[head].words}")
        return events

    def _heads(self, now: int, conditions: Conditions) -> list[str]:
        """Return the conditions to be announced: the most serious of each chain."""
        holding = conditions.holding
        if not holding or self._state.standby:
            return []
        heads: list[str] = []
        chains: set[str] = set()
        for key in sorted(holding, key=SERIOUSNESS.__getitem__):
            criterion = CRITERIA[key]
            if criterion.kind == "physiological":
                if conditions.warm_up and not criterion.early:
                    continue
                if not conditions.fit and key not in self._state.alarms:
                    continue
                if "lethal" in chains:
                    continue
            if criterion.chain != "notice" and criterion.chain in chains:
                if not (key.endswith(".some") and _only_some(heads)):
                    continue
            if key in self._state.alarms or not self._shielded(key, now):
                chains.add(criterion.chain)
                heads.append(key)
        return heads

    def _shielded(self, key: str, now: int) -> bool:
        """Tell whether the same yellow alarm was announced just now."""
        raised = self._state.last_raised.get(key)
        conditions = self._state.conditions
        if raised is None or conditions is None:
            return False
        return now - raised < CRITERIA[key].shield_s * conditions.fs

    def _worth_saying(self, alarm: Alarm, condition: Condition, at: _Moment) -> bool:
        """Tell whether an alarm has changed so much that somebody should hear."""
        if condition.priority != alarm.priority:
            return True
        fs = self._state.conditions.fs if self._state.conditions else 1.0
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

    def _why_over(self, criterion: Criterion, conditions: Conditions) -> str | None:
        if criterion.kind == "physiological" and not conditions.fit:
            return f"not judged: signal {conditions.reason or 'unknown'}"
        return None

    def _raise(
        self, condition: Condition, at: _Moment, conditions: Conditions | None
    ) -> list[AlarmEvent]:
        """Raise an alarm; one of the same kind from an older stream goes on in it."""
        state = self._state
        key, stream = condition.key, state.stream or NO_STREAM
        onset = min(condition.onset, at.sample)
        newest = state.last_onset.get(key)
        if newest is not None and onset <= newest:  # it was announced, gave way, and is back
            if at.sample <= newest:
                return []
            onset = at.sample
        state.last_onset[key] = onset
        state.last_raised[key] = at.sample
        earlier = state.alarms.pop(key, None)
        onset_ns = state.timeline.time_ns(onset) if state.timeline else at.ns
        alarm = Alarm(
            alarm_id=alarm_id_of(
                patient=state.patient, stream=stream, condition=key, onset_sample=onset
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
            model=conditions.model if conditions else None,
            said=at.sample,
        )
        state.alarms[key] = alarm
        events = [self._event(alarm, "raised", at)]
        if earlier is not None:
            reason = f"continued as alarm {alarm.alarm_id}"
            events.append(self._event(earlier, "ended", at, reason=reason))
        return events

    def _over(self, alarm: Alarm, at: _Moment, reason: str | None) -> list[AlarmEvent]:
        """Take note that a condition no longer holds: the alarm ends, or latches."""
        if CRITERIA[alarm.key].latches and not alarm.acknowledged:
            if not alarm.holds:
                return []
            alarm.holds = False
            return [self._event(alarm, "condition_ended", at, reason=reason)]
        return [self._end(alarm, at, reason)]

    def _end(self, alarm: Alarm, at: _Moment, reason: str | None) -> AlarmEvent:
        alarm.holds = False
        if self._state.alarms.get(alarm.key) is alarm:
            del self._state.alarms[alarm.key]
        return self._event(alarm, "ended", at, reason=reason)

    def _end_all(self, reason: str, at: _Moment, *, lethal_too: bool = False) -> list[AlarmEvent]:
        events: list[AlarmEvent] = []
        for alarm in self.active():
            if lethal_too:
                events.append(self._end(alarm, at, reason))
            else:
                events += self._over(alarm, at, reason)
        return events

    def _take(self, alarm: Alarm, condition: Condition) -> None:
        alarm.text, alarm.priority = condition.text, condition.priority
        alarm.value, alarm.limit = condition.value, condition.limit
        alarm.count, alarm.probability = condition.count, condition.probability
        alarm.leads = condition.leads

    def _event(
        self, alarm: Alarm, transition: Transition, at: _Moment, *, reason: str | None = None
    ) -> AlarmEvent:
        alarm.sequence += 1
        alarm.said = at.sample
        return self._describe(alarm, transition, at, reason=reason)

    def _describe(
        self, alarm: Alarm, transition: Transition, at: _Moment, *, reason: str | None = None
    ) -> AlarmEvent:
        state, criterion = self._state, CRITERIA[alarm.key]
        silenced = state.silenced_until_ns
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
            silenced_until_ns=silenced,
            reason=reason,
        )

    # actions

    def apply(self, action: Action) -> list[AlarmEvent]:
        """Apply what somebody asked for, once by its id, and return what changes.

        Raises
        ------
        ActionError
            If it is for another patient, or names an alarm that is not active, or lacks what it
            needs. Nothing changes then.
        """
        state = self._state
        if action.patient != state.patient:
            raise ActionError(f"action for {action.patient} given to {state.patient}")
        if action.action_id in state.actions:
            return []
        at = _Moment(
            sample=max(state.through, 0),
            ns=action.at_ns,
            author=action.author,
            action_id=action.action_id,
        )
        steps: dict[str, Callable[[Action, _Moment], list[AlarmEvent]]] = {
            "acknowledge": self._acknowledge,
            "silence": self._silence,
            "limits": self._set_limits,
            "standby": self._begin_standby,
            "resume": self._resume,
            "discharge": self._discharge,
        }
        events = steps[action.kind](action, at)
        state.actions.append(action.action_id)
        del state.actions[:-ACTIONS_KEPT]
        return events

    def _named(self, action: Action) -> Iterator[Alarm]:
        alarms = self.active()
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

    def _acknowledge(self, action: Action, at: _Moment) -> list[AlarmEvent]:
        events: list[AlarmEvent] = []
        for alarm in list(self._named(action)):
            if alarm.acknowledged:
                continue
            alarm.acknowledged = True
            events.append(self._event(alarm, "acknowledged", at))
            if not alarm.holds:
                events.append(self._end(alarm, at, None))
        return events

    def _silence(self, action: Action, at: _Moment) -> list[AlarmEvent]:
        until = action.until_ns
        if until is None or not 0 < until - action.at_ns <= SILENCE_AT_MOST_NS:
            raise ActionError(
                "silence must end after it begins and within "
                f"{SILENCE_AT_MOST_NS // 10**9} s (until_ns), got {until}"
            )
        named = list(self._named(action))
        self._state.silenced_until_ns = until
        self._state.silenced_by = action.author
        return [self._event(alarm, "silenced", at) for alarm in named]

    def _set_limits(self, action: Action, at: _Moment) -> list[AlarmEvent]:
        if action.limits is None:
            raise ActionError("an action of kind limits must carry limits")
        state = self._state
        state.limits = action.limits
        state.limits_author = action.author
        if state.conditions is None:
            return []
        events: list[AlarmEvent] = []
        for key in state.conditions.no_longer_over(action.limits):
            del state.conditions.holding[key]
            alarm = state.alarms.get(key)
            if alarm is not None and alarm.holds:
                events += self._over(alarm, at, f"limits changed by {action.author}")
        return events

    def _begin_standby(self, action: Action, at: _Moment) -> list[AlarmEvent]:
        self._state.standby = True
        if self._state.conditions is not None:
            self._state.conditions.holding.pop("no_data", None)
        return self._end_all(f"standby by {action.author}", at)

    def _resume(self, action: Action, at: _Moment) -> list[AlarmEvent]:
        self._state.standby = False
        self._state.heard = True
        return []

    def _discharge(self, action: Action, at: _Moment) -> list[AlarmEvent]:
        events = self._end_all(f"discharged by {action.author}", at, lethal_too=True)
        self._state.discharged = True
        self._state.conditions = None
        self._state.trends = None
        self._state.silenced_until_ns = self._state.silenced_by = None
        return events

    # the clock

    def tick(self, now_ns: int) -> list[AlarmEvent]:
        """Look at the clock: no data, the end of an audio pause."""
        state = self._state
        at = _Moment(sample=max(state.through, 0), ns=now_ns)
        events: list[AlarmEvent] = []
        if state.silenced_until_ns is not None and now_ns >= state.silenced_until_ns:
            state.silenced_until_ns = state.silenced_by = None
            for alarm in self.active():
                events.append(self._event(alarm, "updated", at, reason="audio pause over"))
        if state.heard or state.heard_ns is None or now_ns < state.heard_ns:
            state.heard = False
            state.heard_ns = now_ns
            return events
        begun = state.conditions is not None and state.through >= BEGUN_S * state.conditions.fs
        silent = now_ns - state.heard_ns >= (NO_DATA_S if begun else NO_DATA_FIRST_S) * 1e9
        if not silent or state.standby or state.discharged or self._has_no_data():
            return events
        condition = Condition(
            key="no_data",
            onset=at.sample,
            until=2**53,
            text=CRITERIA["no_data"].words,
            priority=CRITERIA["no_data"].priority,
        )
        if state.conditions is not None:
            state.conditions.holding["no_data"] = condition
        return events + self._raise(condition, at, state.conditions)

    def _has_no_data(self) -> bool:
        alarm = self._state.alarms.get("no_data")
        return alarm is not None and alarm.holds


def _head_over(key: str, heads: list[str]) -> str | None:
    """Return the announced condition to which ``key`` gives way, if there is one."""
    criterion = CRITERIA[key]
    for head in heads:
        chain = CRITERIA[head].chain
        if chain == criterion.chain != "notice":
            return head
        if chain == "lethal" and criterion.kind == "physiological":
            return head
    return None


def _only_some(heads: list[str]) -> bool:
    """Tell whether the technical conditions announced so far leave another lead to judge by."""
    return all(h.endswith(".some") for h in heads if CRITERIA[h].chain == "technical")

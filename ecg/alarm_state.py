"""What is known of a patient's alarms, to the last byte: exported, restored, changed elsewhere."""

from dataclasses import dataclass, field

import msgspec

from ecg.alarm import Limits, Priority
from ecg.conditions import Conditions
from ecg.criteria import SERIOUSNESS
from ecg.errors import StateError
from ecg.timeline import Timeline
from ecg.trend import Trends

LAYOUT = 1
"""Version of the exported state."""
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
class State:
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

    def active(self) -> tuple[Alarm, ...]:
        """Return the alarms that have not ended, the most serious first."""
        return tuple(self.alarms[key] for key in sorted(self.alarms, key=SERIOUSNESS.__getitem__))


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(State)


def export(state: State) -> bytes:
    """Return the exact state, as JSON."""
    return _encoder.encode(state)


def restored(exported: bytes) -> State:
    """Return the state that was exported.

    Raises
    ------
    StateError
        If the bytes are not such a state of this layout.
    """
    try:
        state = _decoder.decode(exported)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise StateError(f"not the alarm state of a patient: {error}") from error
    if state.layout != LAYOUT:
        raise StateError(f"alarm state must have layout {LAYOUT}, got {state.layout}")
    return state

"""Alarms of one patient: what they are called, and what can be said about them."""

from dataclasses import dataclass
from typing import Literal

Code = Literal[
    "asystole",
    "vf",
    "vt",
    "extreme_tachy",
    "extreme_brady",
    "nsvt",
    "vent_rhythm",
    "v_run",
    "v_pair",
    "v_per_min",
    "pause",
    "hr_high",
    "hr_low",
    "lead_off",
    "flat",
    "clipped",
    "noisy",
    "no_data",
    "clock_jump",
]
Priority = Literal["high", "medium", "low"]
Kind = Literal["physiological", "technical"]
Transition = Literal["raised", "updated", "acknowledged", "silenced", "condition_ended", "ended"]
"""``condition_ended`` is what a latched alarm says when it no longer holds but nobody has
acknowledged it; ``ended`` is its last event."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmEvent:
    """One transition of one alarm; ``alarm_id`` and ``sequence`` name it for ever.

    ``alarm_id`` is a function of patient, stream, code and onset sample.
    """

    alarm_id: str
    sequence: int
    event: Transition
    patient: str
    stream: str
    code: Code
    kind: Kind
    priority: Priority
    text: str
    """What a clinician reads, with value and limit: ``HR 134>120``."""
    onset_sample: int
    """Where the condition began."""
    sample: int
    """Where this transition happened."""
    onset_ns: int
    detected_ns: int
    """Wall-clock times of the two samples, ns UTC."""
    holds: bool
    """The condition holds now."""
    latched: bool
    """It no longer holds, but nobody has acknowledged it."""
    acknowledged: bool
    value: float | None = None
    limit: float | None = None
    unit: str | None = None
    probability: float | None = None
    leads: tuple[str, ...] = ()
    model: str | None = None
    author: str | None = None
    """Who acknowledged or silenced."""
    reason: str | None = None
    """Why it ended or changed, where the event alone does not say it."""

    @property
    def event_id(self) -> str:
        """The id of this transition in Kafka, CloudEvents and webhooks."""
        return f"{self.alarm_id}.{self.sequence}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits of one patient, in 1/min unless named otherwise."""

    hr_high: float = 120.0
    hr_low: float = 50.0
    v_per_min: float = 10.0
    asystole_s: float = 4.0
    pause_s: float = 2.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """What somebody at a screen asks for; applied once, by ``action_id``."""

    action_id: str
    patient: str
    kind: Literal["acknowledge", "silence", "limits", "standby", "resume", "discharge"]
    author: str
    at_ns: int
    alarm_id: str | None = None
    until_ns: int | None = None
    limits: Limits | None = None

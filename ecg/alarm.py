"""Alarms of one patient: what they are called, and what can be said about them."""

import hashlib
from dataclasses import dataclass
from typing import Annotated, Literal

from msgspec import Meta

from ecg.finding import Time

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
    "no_model",
    "clock_jump",
]
Priority = Literal["high", "medium", "low"]
PRIORITIES: tuple[Priority, ...] = ("high", "medium", "low")
"""The most serious first."""
Kind = Literal["physiological", "technical"]
Transition = Literal["raised", "updated", "acknowledged", "silenced", "condition_ended", "ended"]
"""``condition_ended`` is what a latched alarm says when it no longer holds but nobody has
acknowledged it; ``ended`` is its last event. ``reason`` tells an alarm that ended because the
condition is over (None) from one that is no longer judged or gives way to a more serious one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmEvent:
    """One transition of one alarm; ``alarm_id`` and ``sequence`` name it for ever.

    ``alarm_id`` is a function of patient, stream, condition and onset sample; of the time as well
    where only the clock tells that nothing comes.
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
    """Wall-clock time of ``onset_sample``, ns UTC."""
    detected_ns: int
    """When this transition happened, ns UTC: the time of ``sample``, of the action, or of the
    clock that found no data."""
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
    action_id: str | None = None
    """The action that brought this transition about, if one did."""
    silenced_until_ns: int | None = None
    """The patient's audio pause, if one is on."""
    reason: str | None = None
    """Why it ended or changed, where the event alone does not say it."""
    late_s: float | None = None
    """How long after ``detected_ns`` it was published, in s, where that is more than 10 s: then it
    tells of the past. Said by who publishes it; the alarms themselves know no clock."""

    @property
    def event_id(self) -> str:
        """The id of this transition in Kafka, CloudEvents and webhooks."""
        return f"{self.alarm_id}.{self.sequence}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits of one patient, in 1/min unless named otherwise.

    Lethal alarms cannot be switched off: every limit has a range that keeps them meaningful.

    Raises
    ------
    ValueError
        If a limit is outside its range, or low is not below high.
    """

    hr_high: float = 120.0
    hr_low: float = 50.0
    v_per_min: float = 10.0
    asystole_s: float = 4.0
    pause_s: float = 2.5

    def __post_init__(self) -> None:
        """Check the ranges."""
        for name, (least, most) in _RANGES.items():
            value = getattr(self, name)
            if not least <= value <= most:
                raise ValueError(f"{name} must be from {least:g} to {most:g}, got {value:g}")
        if self.hr_low >= self.hr_high:
            raise ValueError(
                f"hr_low must be below hr_high, got {self.hr_low:g} and {self.hr_high:g}"
            )


_RANGES = {
    "hr_high": (40.0, 300.0),
    "hr_low": (15.0, 200.0),
    "v_per_min": (1.0, 99.0),
    "asystole_s": (3.0, 10.0),
    "pause_s": (1.5, 3.0),
}
"""Least and greatest value of each limit; the range of asystole_s is the one monitors offer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """What somebody at a screen asks for; applied once, by ``action_id``.

    ``alarm_id`` None means all alarms of the patient. A silence needs ``until_ns``, limits need
    ``limits``.
    """

    action_id: Annotated[str, Meta(max_length=128)]
    patient: str
    kind: Literal["acknowledge", "silence", "limits", "standby", "resume", "discharge"]
    author: Annotated[str, Meta(max_length=200)]
    at_ns: Time
    alarm_id: Annotated[str, Meta(max_length=64)] | None = None
    until_ns: Time | None = None
    limits: Limits | None = None


def alarm_id_of(*, patient: str, stream: str, condition: str, onset_sample: int) -> str:
    """Return the id of an alarm: the same on every machine, at every repeat.

    Examples
    --------
    >>> alarm_id_of(patient="p1", stream="s1", condition="vt", onset_sample=3600)
    '7e41b170f847ecda393d'
    """
    name = "\0".join((patient, stream, condition, str(onset_sample)))
    return hashlib.sha256(name.encode()).hexdigest()[:20]

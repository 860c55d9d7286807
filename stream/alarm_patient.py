"""The patients of the role ``alarm``: what is known of each, and what is to be written of them."""

import logging
import time
from dataclasses import dataclass, field

import msgspec

from ecg.alarm import AlarmEvent
from ecg.alarm_cycle import PatientAlarms
from ecg.errors import StateError
from ecg.trend import Minute
from stream.alarm_output import heard
from stream.ledger import Ledger
from stream.messages import AlarmState, PatientMessage
from stream.takeover import Taken
from stream.topics import ALARMS, TRENDS
from stream.watermark import Heard

logger = logging.getLogger(__name__)

ENTER_AFTER_S = 2.0
"""An unknown patient is entered in the registry this long after the first findings: the source's
own entry, with bed and label, may be on its way."""


@dataclass(slots=True)
class Patient:
    """One patient: the alarms, and what is to be written of them."""

    alarms: PatientAlarms
    registry: PatientMessage | None = None
    covered: dict[str, int] = field(default_factory=dict)
    """For each input the first offset that the restored state does not cover."""
    enter_s: float | None = None
    """When the patient is to be entered in the registry, if nobody does before; monotonic."""
    heard_s: float = field(default_factory=time.monotonic)
    events: list[AlarmEvent] = field(default_factory=list)
    minutes: list[Minute] = field(default_factory=list)
    enter: bool = False
    """The registry's entry is to be written."""
    dirty: bool = False
    """Changed in a way that reading the findings again would not bring back."""

    def enter_later(self) -> None:
        """Let the patient be entered in the registry, unless somebody does before."""
        self.enter_s = time.monotonic() + ENTER_AFTER_S

    def enter_as(self, action_id: str) -> None:
        """Note that the registry's entry is to be written with what is in force now."""
        self.registry = msgspec.structs.replace(
            self.registry or PatientMessage(patient=self.alarms.patient),
            limits=self.alarms.limits,
            standby=self.alarms.standby,
            discharged=self.alarms.discharged,
            action_id=action_id,
        )
        self.enter = self.dirty = True
        self.enter_s = None


@dataclass(slots=True)
class Partition:
    """One partition that is ours, and its patients."""

    number: int
    epoch: int
    ledger: Ledger
    tail: Heard
    """What of the outputs was heard before; published by nobody again."""
    findings: Heard = field(default_factory=Heard)
    patients: dict[str, Patient] = field(default_factory=dict)

    def forget(self, name: str) -> None:
        """Keep nothing of a patient."""
        self.ledger.forget(name)
        self.findings.forget(name)
        self.tail.forget(name)
        del self.patients[name]


def restored(taken: Taken[AlarmState], *, state_every_s: float) -> Partition:
    """Return a partition as its last owner left it."""
    part = Partition(
        number=taken.partition,
        epoch=taken.epoch,
        ledger=Ledger(taken, every_s=state_every_s),
        tail=heard(taken.tail),
    )
    for name, state in taken.states.items():
        try:
            alarms = PatientAlarms.restore(state.state)
        except StateError as error:
            logger.error("the alarms of %s start anew: %s", name, error)
            entry = state.registry or PatientMessage(patient=name)
            alarms = PatientAlarms(
                name, limits=entry.limits, standby=entry.standby, discharged=entry.discharged
            )
        alarms.taken_over()
        patient = Patient(
            alarms=alarms,
            registry=state.registry,
            covered=dict(state.inputs),
            enter=state.enter,
        )
        if state.registry is None:
            patient.enter_later()
        # An output that was committed further has all that this state decided.
        if taken.committed[ALARMS.name] <= state.outputs.get(ALARMS.name, 0):
            patient.events += state.events
        if taken.committed[TRENDS.name] <= state.outputs.get(TRENDS.name, 0):
            patient.minutes += state.minutes
        patient.dirty = bool(patient.events or patient.minutes or patient.enter)
        part.patients[name] = patient
    return part

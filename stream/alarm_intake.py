"""What comes in to the role ``alarm``: findings, actions, and the registry's entries."""

import logging
import time
from collections.abc import Iterator
from typing import Literal

from ecg.alarm import Action
from ecg.alarm_cycle import PatientAlarms
from ecg.errors import ActionError, FindingsError
from stream.alarm_patient import Partition, Patient
from stream.dead_letter import Reason
from stream.errors import DecodeError, WrongKeyError
from stream.kafka import Incoming
from stream.messages import ActionMessage, PatientMessage
from stream.topics import ACTIONS, FINDINGS
from stream.watermark import check_key
from stream.wire import decode

logger = logging.getLogger(__name__)

_ENTERED = ("limits", "standby", "resume", "discharge")
"""Actions that change the registry's entry."""


class Refused(Exception):  # noqa: N818  # a message's fate, not an error of ours
    """A message that cannot be used, with the dead letter's reason."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason: Reason = reason


def take_in(message: Incoming, part: Partition) -> str | None:
    """Take one message in; return whose it is, None if it changes nobody."""
    try:
        if message.topic == FINDINGS.name:
            return _findings(message, part)
        if message.topic == ACTIONS.name:
            return _action(message, part)
        return _entry(message, part)
    except WrongKeyError as error:
        raise Refused("wrong-key", str(error)) from error
    except DecodeError as error:
        raise Refused("unreadable", str(error)) from error


def _findings(message: Incoming, part: Partition) -> str | None:
    new = part.findings.findings(message)
    if new is None:
        return None
    patient = part.patients.get(new.patient) or _admit(new.patient, part)
    was_discharged = patient.alarms.discharged
    try:
        events = patient.alarms.fold(new.findings())
    except FindingsError as error:
        raise Refused("refused", str(error)) from error
    if was_discharged and not patient.alarms.discharged:
        patient.enter_as("admission")
    patient.heard_s = time.monotonic()
    patient.events += events
    patient.minutes += patient.alarms.minutes()
    patient.dirty = patient.dirty or bool(events or patient.minutes)
    return new.patient


def _admit(name: str, part: Partition) -> Patient:
    logger.info("%s is admitted with default limits", name)
    patient = Patient(alarms=PatientAlarms(name))
    patient.enter_later()
    part.patients[name] = patient
    return patient


def _action(message: Incoming, part: Partition) -> str:
    action = _message(message, ActionMessage).action
    check_key(message, action.patient)
    patient = part.patients.get(action.patient)
    if patient is None:
        raise Refused("refused", f"no patient {action.patient} is known")
    _act(patient, action)
    return action.patient


def _act(patient: Patient, action: Action) -> None:
    try:
        patient.events += patient.alarms.apply(action)
    except ActionError as error:
        raise Refused("refused", str(error)) from error
    patient.dirty = True
    if action.kind in _ENTERED:
        patient.enter_as(action.action_id)


def _entry(message: Incoming, part: Partition) -> str | None:
    """Take the registry's entry of a patient in, and apply what it sets."""
    if message.value is None:
        return None
    entry = decode(message.value, PatientMessage)
    check_key(message, entry.patient)
    patient = part.patients.get(entry.patient)
    if patient is not None and entry.action_id is not None:
        _own_entry(entry, entry.action_id, patient)
        return entry.patient
    if patient is None:
        patient = part.patients[entry.patient] = Patient(alarms=PatientAlarms(entry.patient))
    patient.registry = entry
    patient.enter_s = None
    patient.dirty = True
    if not entry.discharged:
        patient.alarms.admit()
    for action in _set_by(entry, patient.alarms, message):
        patient.events += patient.alarms.apply(action)
    return entry.patient


def _own_entry(entry: PatientMessage, action_id: str, patient: Patient) -> None:
    """Take note of an entry that only says what an action has set: we wrote it.

    If somebody else's came while it was on its way, the registry now has lost that, bed and label
    with it, and gets it back, with what is in force.
    """
    known = patient.registry
    if known is not None and known.action_id is None:
        patient.enter_as(action_id)
    elif known is None or known.action_id == action_id:
        patient.registry = entry  # with a label or bed that somebody has set in it since
    patient.enter_s = None
    patient.dirty = True


def _set_by(entry: PatientMessage, alarms: PatientAlarms, message: Incoming) -> Iterator[Action]:
    """Yield what an entry changes, as actions of the registry."""
    kinds: list[Literal["limits", "standby", "resume", "discharge"]] = []
    if entry.discharged:
        kinds += [] if alarms.discharged else ["discharge"]
    else:
        kinds += [] if entry.limits == alarms.limits else ["limits"]
        if entry.standby != alarms.standby:
            kinds.append("standby" if entry.standby else "resume")
    for kind in kinds:
        yield Action(
            action_id=f"{message}/{kind}",
            patient=entry.patient,
            kind=kind,
            author="registry",
            at_ns=message.timestamp_ms * 1_000_000,
            limits=entry.limits if kind == "limits" else None,
        )


def _message(message: Incoming, kind: type[ActionMessage]) -> ActionMessage:
    if message.value is None:
        raise Refused("unreadable", "an action has a value, got none")
    return decode(message.value, kind)

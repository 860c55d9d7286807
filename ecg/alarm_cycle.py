"""The life of a patient's alarms: findings, actions and ticks in, alarm events out.

Pure: no clock and no topic. Physiological alarms depend on sample numbers alone; only *no data*
and the end of an audio pause look at the time that ``tick`` is given. What findings do is in
``ecg.settle``, what somebody asks for in ``ecg.alarm_actions``, the clock in ``ecg.alarm_tick``.
"""

from ecg import alarm_actions, alarm_state, alarm_tick, settle
from ecg.alarm import Action, AlarmEvent, Limits
from ecg.alarm_event import Moment, describe
from ecg.alarm_state import Alarm, State
from ecg.finding import Findings
from ecg.trend import Minute


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
    discharged : bool
        True when the patient has gone.

    Examples
    --------
    >>> alarms = PatientAlarms("p1")
    >>> alarms.tick(0), [event.text for event in alarms.tick(15_000_000_000)]
    ([], ['NO DATA'])
    """

    def __init__(
        self,
        patient: str,
        *,
        limits: Limits | None = None,
        standby: bool = False,
        discharged: bool = False,
    ) -> None:
        self._state = State(
            patient=patient, limits=limits or Limits(), standby=standby, discharged=discharged
        )
        self._minutes: list[Minute] = []

    def fold(self, findings: Findings) -> list[AlarmEvent]:
        """Take findings and return what changes; what was folded before is passed over.

        Raises
        ------
        FindingsError
            If they are of another patient or an older stream, or carry no time.
        """
        events, minutes = settle.fold(self._state, findings)
        self._minutes += minutes
        return events

    def minutes(self) -> list[Minute]:
        """Return, once, the minutes that the last folds completed."""
        minutes, self._minutes = self._minutes, []
        return minutes

    def apply(self, action: Action) -> list[AlarmEvent]:
        """Apply what somebody asked for, once by its id, and return what changes.

        Raises
        ------
        ActionError
            If it is for another patient, or names an alarm that is not active, or lacks what it
            needs. Nothing changes then.
        """
        return alarm_actions.apply(self._state, action)

    def tick(self, now_ns: int) -> list[AlarmEvent]:
        """Look at the clock: no data, the end of an audio pause."""
        return alarm_tick.tick(self._state, now_ns)

    def admit(self) -> None:
        """Watch a patient again who was discharged, in the same stream as well."""
        if self._state.discharged:
            self._state.discharged = False
            self._state.heard = True

    def taken_over(self) -> None:
        """Say that nobody listened for a while, so silence until now does not count as no data."""
        self._state.heard = True

    def export(self) -> bytes:
        """Return the exact state, as JSON."""
        return alarm_state.export(self._state)

    @classmethod
    def restore(cls, state: bytes) -> "PatientAlarms":
        """Take a patient over from exported state.

        Raises
        ------
        StateError
            If the bytes are not such a state of this layout.
        """
        known = alarm_state.restored(state)
        self = cls(known.patient)
        self._state = known
        return self

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

    @property
    def silenced_until_ns(self) -> int | None:
        """Until when the patient's sounds are paused; it may be over."""
        return self._state.silenced_until_ns

    def active(self) -> tuple[Alarm, ...]:
        """Return the alarms that have not ended, the most serious first."""
        return self._state.active()

    def standing(self) -> tuple[AlarmEvent, ...]:
        """Return what the newest event of each active alarm left standing, for who missed it.

        Who caused that event is not part of the state, so ``author`` is None.
        """
        return tuple(
            describe(self._state, alarm, "updated", Moment(sample=alarm.said, ns=alarm.onset_ns))
            for alarm in self.active()
        )

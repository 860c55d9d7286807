"""The criteria table: every condition, how serious it is, and the numbers it is judged by.

The numbers are those that bedside monitors use; where vendors differ, the middle one.
A *key* names a condition: its code, or ``code.some`` where only some of the leads are concerned.
"""

from dataclasses import dataclass
from typing import Literal

from ecg.alarm import Code, Kind, Limits, Priority

VT_RUN = 5
"""V beats in a row that make a ventricular tachycardia or rhythm (Philips)."""
VT_RATE = 100.0
"""A V run faster than this is a tachycardia, in 1/min."""
VENT_RHYTHM_RATE = 40.0
"""A V run slower than this is no ventricular rhythm, in 1/min."""
RUN_BREAK_S = 3.0
"""V beats further apart than this (20/min) are not one run."""
RUN_SKIPS = 2
"""Beats in a row within a run that may be unclear (F, Q or unjudged) without ending it."""
MAY_BE_V = 0.2
LIKELY_V = 0.55
"""Five beats in a row, each V with the one probability or more and in the mean with the other, are
as good as five that are called V: of waves of one odd shape some are called S or N, and by
themselves they may be. Chosen on challenge2015, DS1, svdb and vfdb: of 24 true alarms of VT 17 are
raised so and 14 by five called V alone, of 67 false ones 7 by either; in 39 hours of DS1 and svdb
five more stretches, each of four V beats and more, and none of less."""
LASTING_RUN = 12
"""A tachycardia of so many V beats has begun to teach the patient's template: the beats that follow
at its rate go on with it, whatever they are called."""
SAME_RATE = 0.1
"""How far, as a share, an RR interval may be from those of a tachycardia and be one of it."""
RATE_BEATS = 12
"""RR intervals over which the heart rate is a mean."""
RATE_BEATS_NEWER = 3
"""Beats that may be decided before the status that they follow: 0.5 s at 300/min."""
RATE_BEATS_LEAST = 4
"""After a break (unfit signal, a gap, VT, asystole) the rate is judged by the intervals since it,
once there are so many: the mean of twelve would still hold the break, and read 44/min after a lead
was off for 8 s."""
SLOW_RR_S = 1.2
"""When three intervals in a row are longer, the last four make the heart rate."""
VF_S = 4.0
"""How long the rhythm must read fibrillation."""
FIRST_BEAT_S = 8.0
"""No beat ever since the signal became fit is asystole only after this: the QRS detector must
learn the signal first."""
EXTREME_ABOVE, EXTREME_HIGH_AT_MOST = 20.0, 200.0
EXTREME_BELOW, EXTREME_LOW_AT_LEAST = 10.0, 30.0
UNFIT_GRACE_S = 3.0
"""A running physiological alarm survives this much unfit or lost signal before it counts as not
judged."""
SHORT_GAP_S = 0.2
"""A gap up to this hides no beat: as much of a second as may be missing while it counts as fit. One
packet lost every few seconds must not keep asystole from being seen."""
UNSEEN_S = 15.0
"""... and when the signal is back it has this long to be seen again: four intervals at 20/min."""
HISTORY = 10
"""Statuses (seconds) that a technical condition looks back on."""
HISTORY_CLEAR = 5
"""A technical condition is over when this many statuses in a row do not show it."""
HISTORY_BAD = 3
"""Of the last ``HISTORY`` statuses this many make a technical condition for all leads ..."""
HISTORY_BAD_SOME = 5
"""... and this many for one lead of several: the patient is still watched."""
UNJUDGED_S = 30.0
"""A signal that is there but cannot be judged for so long is as serious as none."""
NO_DATA_S = 5.0
"""A patient who sends nothing for this long, by the clock, has no data."""
NO_DATA_FIRST_S = 15.0
"""... or for this long when the patient's stream has hardly begun: sources and roles take a while
to start, and a new patient's first alarm must not be that."""
BEGUN_S = 10.0
"""So much of a stream must have come before it counts as begun."""
CLOCK_JUMP_HOLD_S = 60.0

Chain = Literal["lethal", "ventricular", "count", "rate", "technical", "notice"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Criterion:
    """One condition as the alarm life cycle sees it.

    Parameters
    ----------
    code : str
        What it is called.
    chain : str
        Of the conditions in one chain only the most serious, the first in ``CRITERIA``, is
        announced; a lethal one silences the other physiological chains. Notices stand alone.
    priority : {"high", "medium", "low"}
        Its priority; a technical condition may grow.
    words : str
        The text without value and limit.
    hold_s : float
        How long it counts as holding after it was last seen, in s: against flicker, and so that
        a short one can be read.
    shield_s : float
        How long after an announcement the same alarm stays quiet, in s. Monitors offer 0 to 5
        minutes; never for lethal or technical ones.
    step : float
        A value that has changed by less is not worth an update.
    early : bool
        True if it is raised also in the first 30 s of a stream.
    """

    code: Code
    chain: Chain
    priority: Priority
    words: str
    hold_s: float = 0.0
    shield_s: float = 0.0
    step: float = 5.0
    early: bool = False

    @property
    def kind(self) -> Kind:
        """Physiological or technical."""
        return "technical" if self.chain in ("technical", "notice") else "physiological"

    @property
    def latches(self) -> bool:
        """True if it stays until acknowledged: it is lethal."""
        return self.chain == "lethal"


_SHIELD_S = 60.0

CRITERIA: dict[str, Criterion] = {
    "asystole": Criterion(
        code="asystole",
        chain="lethal",
        priority="high",
        words="ASYSTOLE",
        hold_s=1.5,
        early=True,
    ),
    "vf": Criterion(code="vf", chain="lethal", priority="high", words="VF", hold_s=3.0, early=True),
    "vt": Criterion(code="vt", chain="lethal", priority="high", words="VT", hold_s=3.0, step=10.0),
    "extreme_tachy": Criterion(
        code="extreme_tachy", chain="lethal", priority="high", words="EXTREME TACHY", hold_s=5.0
    ),
    "extreme_brady": Criterion(
        code="extreme_brady", chain="lethal", priority="high", words="EXTREME BRADY", hold_s=5.0
    ),
    "nsvt": Criterion(
        code="nsvt",
        chain="ventricular",
        priority="medium",
        words="NON-SUSTAINED VT",
        hold_s=10.0,
        shield_s=_SHIELD_S,
        step=10.0,
    ),
    "vent_rhythm": Criterion(
        code="vent_rhythm",
        chain="ventricular",
        priority="medium",
        words="VENTRICULAR RHYTHM",
        hold_s=5.0,
        shield_s=_SHIELD_S,
    ),
    "v_run": Criterion(
        code="v_run",
        chain="ventricular",
        priority="medium",
        words="V RUN",
        hold_s=10.0,
        shield_s=_SHIELD_S,
    ),
    "v_pair": Criterion(
        code="v_pair",
        chain="ventricular",
        priority="low",
        words="V PAIR",
        hold_s=10.0,
        shield_s=_SHIELD_S,
        step=60.0,
    ),
    "v_per_min": Criterion(
        code="v_per_min",
        chain="count",
        priority="medium",
        words="V/MIN",
        hold_s=5.0,
        shield_s=_SHIELD_S,
    ),
    "pause": Criterion(
        code="pause",
        chain="rate",
        priority="medium",
        words="PAUSE",
        hold_s=10.0,
        shield_s=_SHIELD_S,
        step=1.0,
    ),
    "hr_high": Criterion(
        code="hr_high",
        chain="rate",
        priority="medium",
        words="HR",
        hold_s=5.0,
        shield_s=_SHIELD_S,
    ),
    "hr_low": Criterion(
        code="hr_low",
        chain="rate",
        priority="medium",
        words="HR",
        hold_s=5.0,
        shield_s=_SHIELD_S,
    ),
    "no_data": Criterion(code="no_data", chain="technical", priority="high", words="NO DATA"),
    "lead_off": Criterion(code="lead_off", chain="technical", priority="high", words="LEADS OFF"),
    "flat": Criterion(code="flat", chain="technical", priority="high", words="ECG FLAT"),
    "clipped": Criterion(code="clipped", chain="technical", priority="low", words="ECG CLIPPED"),
    "noisy": Criterion(code="noisy", chain="technical", priority="low", words="ECG NOISY"),
    "no_model": Criterion(
        code="no_model",
        chain="notice",
        priority="medium",
        words="ARRHYTHMIA NOT JUDGED: no model",
    ),
    "clock_jump": Criterion(
        code="clock_jump", chain="notice", priority="low", words="CLOCK JUMP", step=60.0
    ),
    "no_data.some": Criterion(
        code="no_data", chain="technical", priority="low", words="NO SAMPLES"
    ),
    "lead_off.some": Criterion(
        code="lead_off", chain="technical", priority="low", words="LEAD OFF"
    ),
    "flat.some": Criterion(code="flat", chain="technical", priority="low", words="LEAD FLAT"),
    "clipped.some": Criterion(
        code="clipped", chain="technical", priority="low", words="LEAD CLIPPED"
    ),
    "noisy.some": Criterion(code="noisy", chain="technical", priority="low", words="LEAD NOISY"),
}
"""Every condition, within each chain the most serious first."""

RATES = frozenset({"extreme_tachy", "extreme_brady", "hr_high", "hr_low"})
"""Conditions that the heart rate decides."""
LASTING = RATES | {"asystole", "vf", "vt", "vent_rhythm"}
"""Conditions that last, and may go on where the signal breaks off; others tell of what passed."""

SERIOUSNESS = {key: place for place, key in enumerate(CRITERIA)}

CODE_OF_REASON: dict[str, Code] = {
    "missing": "no_data",
    "lead_off": "lead_off",
    "flat": "flat",
    "clipped": "clipped",
    "noisy": "noisy",
}
"""The technical alarm of each reason for which a lead is unfit."""


def extreme_high(limits: Limits) -> float:
    """Return the heart rate above which a tachycardia is extreme, in 1/min.

    Examples
    --------
    >>> extreme_high(Limits()), extreme_high(Limits(hr_high=190.0))
    (140.0, 200.0)
    """
    return max(limits.hr_high, min(limits.hr_high + EXTREME_ABOVE, EXTREME_HIGH_AT_MOST))


def extreme_low(limits: Limits) -> float:
    """Return the heart rate below which a bradycardia is extreme, in 1/min.

    Examples
    --------
    >>> extreme_low(Limits()), extreme_low(Limits(hr_low=35.0)), extreme_low(Limits(hr_low=25.0))
    (40.0, 30.0, 25.0)
    """
    return min(limits.hr_low, max(limits.hr_low - EXTREME_BELOW, EXTREME_LOW_AT_LEAST))

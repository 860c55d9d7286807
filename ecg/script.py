"""Scripts for a simulated patient, and the truth that playing one leaves."""

from dataclasses import dataclass
from typing import Literal

from ecg.errors import ScriptError
from ecg.finding import BeatClass

Rhythm = Literal["sinus", "vt", "vf", "asystole", "pause"]
Artefact = Literal["noise", "lead_off", "flat", "missing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of a script: a rhythm for some time, and what disturbs its signal.

    Parameters
    ----------
    duration_s : float
        How long it lasts.
    rhythm : {"sinus", "vt", "vf", "asystole", "pause"}
        What the heart does. A pause is an asystole too short to be one.
    rate_bpm, to_bpm : float
        Rate of the beats, going steadily to ``to_bpm`` if that is given.
    pvc_per_min, pac_per_min : float
        Premature ventricular and atrial beats among the sinus beats.
    paced : bool
        Each sinus beat is a paced one, with its spike.
    artefact : {"noise", "lead_off", "flat", "missing"} or None
        What the electrodes and cables do meanwhile.
    artefact_leads : tuple of str or None
        Leads that it hits; all of them if None.
    noise_mv : float
        Standard deviation of the noise, in mV.
    """

    duration_s: float
    rhythm: Rhythm = "sinus"
    rate_bpm: float = 72.0
    to_bpm: float | None = None
    pvc_per_min: float = 0.0
    pac_per_min: float = 0.0
    paced: bool = False
    artefact: Artefact | None = None
    artefact_leads: tuple[str, ...] | None = None
    noise_mv: float = 0.6

    def __post_init__(self) -> None:
        """Check that it can be played."""
        if not self.duration_s > 0:
            raise ScriptError(f"a step needs a positive duration, got {self.duration_s} s")
        for rate in (self.rate_bpm, self.to_bpm):
            if rate is not None and not 15 <= rate <= 300:
                raise ScriptError(f"a rate must be 15 to 300/min, got {rate}")


DEMO_SCRIPT: tuple[Step, ...] = (
    Step(duration_s=36),
    Step(duration_s=8, artefact="noise"),
    Step(duration_s=7),
    Step(duration_s=8, artefact="lead_off"),
    Step(duration_s=11, rate_bpm=76),
    Step(duration_s=8, rhythm="vt", rate_bpm=180),
    Step(duration_s=10, rate_bpm=84),
    Step(duration_s=11, rhythm="vf"),
    Step(duration_s=8, rate_bpm=88),
    Step(duration_s=8, rhythm="asystole"),
    Step(duration_s=10, rate_bpm=70),
    Step(duration_s=25, rate_bpm=70, to_bpm=78, pvc_per_min=5),
)
"""Within two minutes: noise from 36 s, lead off from 51 s, VT from 70 s, VF from 88 s and
asystole from 107 s, sinus rhythm between them; 150 s in all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrueBeat:
    """A beat that the heart made; ``visible`` if at least one lead shows it."""

    sample: int
    beat_class: BeatClass
    visible: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TrueEpisode:
    """A step that is no undisturbed sinus rhythm, from ``onset`` to ``end`` (excluded)."""

    kind: Rhythm | Artefact
    onset: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """What the samples produced so far show."""

    beats: tuple[TrueBeat, ...]
    episodes: tuple[TrueEpisode, ...]

"""A scripted patient whose truth is known: every beat, every episode, every artefact.

The heart is a dipole that moves in three axes (left, down, front); a beat is a
sum of Gaussian waves of that dipole, and a lead is its projection on the lead's
direction, so that leads agree with each other. Waves of beats, wander, noise and
fibrillation are computed in blocks of fixed length, so that the samples do not
depend on how they are asked for.
"""

import math
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import wfdb
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt

from ecg.chunk import MISSING, Chunk, check_fs
from ecg.errors import EcgError, LeadError
from ecg.finding import BeatClass

Rhythm = Literal["sinus", "vt", "vf", "asystole", "pause"]
Artefact = Literal["noise", "lead_off", "flat", "missing"]
Then = Literal["end", "sinus", "loop"]

GAIN = 1000.0
"""ADC units per mV of a simulated lead."""
RAIL_MV = 10.0
"""Where the simulated amplifier saturates; a lead that is off lies there."""

_BLOCK = 256
# what a beat's waves reach before and after its R peak, in s
_BEFORE_S, _AFTER_S = 0.35, 0.65

# directions of the leads: left, down, front
_AXES: dict[str, tuple[float, float, float]] = {
    "I": (1.0, 0.0, 0.0),
    "II": (0.5, 0.87, 0.0),
    "MLII": (0.5, 0.87, 0.0),
    "III": (-0.5, 0.87, 0.0),
    "AVR": (-0.87, -0.5, 0.0),
    "AVL": (0.87, -0.5, 0.0),
    "AVF": (0.0, 1.0, 0.0),
    "V1": (-0.45, 0.1, 0.9),
    "V2": (0.05, 0.05, 1.1),
    "V3": (0.4, 0.1, 1.0),
    "V4": (0.8, 0.2, 0.7),
    "V5": (1.0, 0.25, 0.25),
    "V6": (1.0, 0.25, -0.05),
}

# (time from the R peak in s, width in s, dipole in mV); the last rows, T waves, move with the RR
_Wave = tuple[float, float, tuple[float, float, float]]
_QRS_NORMAL: tuple[_Wave, ...] = (
    (-0.027, 0.008, (-0.10, -0.05, 0.16)),
    (0.000, 0.011, (0.75, 0.95, -0.55)),
    (0.029, 0.010, (-0.20, -0.22, -0.20)),
)
_T_NORMAL: tuple[_Wave, ...] = (
    (0.235, 0.058, (0.13, 0.16, 0.09)),
    (0.285, 0.034, (0.13, 0.16, 0.07)),
)
# from the right ventricle's outflow: down in V1, tall in II, T against it
_QRS_PVC: tuple[_Wave, ...] = (
    (-0.040, 0.024, (0.20, 0.55, -0.25)),
    (0.010, 0.030, (0.45, 1.15, -0.85)),
    (0.062, 0.026, (0.15, 0.05, -0.55)),
)
_T_PVC: tuple[_Wave, ...] = ((0.300, 0.062, (-0.35, -0.55, 0.45)),)
# from the left ventricle's apex: down in II, up in V1
_QRS_VT: tuple[_Wave, ...] = (
    (-0.034, 0.019, (-0.10, -0.40, 0.45)),
    (0.004, 0.023, (-0.45, -1.15, 0.75)),
    (0.048, 0.020, (-0.45, -0.25, 0.10)),
)
_T_VT: tuple[_Wave, ...] = ((0.200, 0.042, (0.25, 0.40, -0.30)),)


class ScriptError(EcgError):
    """A script step that cannot be played."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scheduled:
    start_s: float
    end_s: float
    step: Step


@dataclass(frozen=True, slots=True, kw_only=True)
class _Beat:
    time_s: float
    beat_class: BeatClass
    waves: tuple[_Wave, ...]
    spike: bool = False


class Simulator:
    """Play a script as int16 samples of some leads.

    Parameters
    ----------
    script : sequence of Step
        What happens.
    fs : float
        Sampling frequency, in Hz.
    leads : sequence of str
        Leads to show, of I to III, aVR, aVL, aVF, MLII and V1 to V6.
    seed : int
        Same seed, same samples.
    then : {"end", "sinus", "loop"}
        After the script: nothing more, sinus rhythm for ever, or the script again.

    Raises
    ------
    ScriptError
        If the script is empty.
    LeadError
        If a lead is unknown.
    RateError
        If ``fs`` is not accepted.

    Examples
    --------
    >>> simulator = Simulator([Step(duration_s=10, rate_bpm=60)], fs=250, seed=1, then="end")
    >>> simulator.take(5000).shape
    (2500, 2)
    >>> [beat.beat_class for beat in simulator.truth().beats[:3]]
    ['N', 'N', 'N']
    """

    def __init__(
        self,
        script: Sequence[Step] = DEMO_SCRIPT,
        *,
        fs: float = 250.0,
        leads: Sequence[str] = ("II", "V1"),
        seed: int = 0,
        then: Then = "end",
    ) -> None:
        if not script:
            raise ScriptError("a script needs at least one step, got none")
        unknown = [name for name in leads if name.upper() not in _AXES]
        if unknown or not leads:
            raise LeadError(f"leads must be some of {', '.join(_AXES)}, got {list(leads)}")
        self.script = tuple(script)
        self.fs = check_fs(fs)
        self.leads = tuple(leads)
        self.then: Then = then
        self.gain = (GAIN,) * len(self.leads)
        self.baseline = (0,) * len(self.leads)
        self.position = 0
        self._axes = np.array([_AXES[name.upper()] for name in self.leads]).T
        self._white_rng, self._beat_rng, self._vf_rng, self._noise_rng = (
            np.random.default_rng([seed, k]) for k in range(4)
        )
        self._phases = self._white_rng.uniform(0, 2 * np.pi, size=(3, len(self.leads)))
        self._schedule: list[_Scheduled] = []
        self._coming = self._steps()
        self._timeline = self._beats()
        self._near: deque[_Beat] = deque()
        self._truth: list[TrueBeat] = []
        self._next_beat: _Beat | None = next(self._timeline, None)
        self._rendered = 0
        self._buffer = np.empty((0, len(self.leads)), dtype=np.int16)
        self._fibrillation = _Fibrillation(self._vf_rng, self.fs)
        self._motion = _Motion(self._noise_rng, self.fs, len(self.leads))

    @property
    def script_s(self) -> float:
        """Duration of the script, in s."""
        return sum(step.duration_s for step in self.script)

    def take(self, n_samples: int) -> NDArray[np.int16]:
        """Return the next samples, shape (n_samples, n_leads); fewer where the script ends."""
        if self.then == "end":
            n_samples = min(n_samples, round(self.script_s * self.fs) - self.position)
        blocks = [self._buffer]
        have = len(self._buffer)
        while have < n_samples:
            blocks.append(self._render())
            have += _BLOCK
        joined = np.concatenate(blocks)
        self._buffer = joined[n_samples:]
        self.position += n_samples
        return joined[:n_samples]

    def chunks(
        self,
        patient: str,
        stream: str,
        *,
        chunk_samples: int | None = None,
        duration_s: float = 0.25,
        total_s: float | None = None,
    ) -> Iterator[Chunk]:
        """Yield what comes next as chunks.

        Parameters
        ----------
        patient, stream : str
            What the chunks carry.
        chunk_samples : int, optional
            Samples a chunk; without it ``duration_s`` decides.
        duration_s : float
            Duration of a chunk, in s, rounded to a sample.
        total_s : float, optional
            Stop after so much; without it go on as long as there is something.

        Yields
        ------
        Chunk
            Consecutive, numbered from the start of the simulation.
        """
        step = max(1, round(duration_s * self.fs)) if chunk_samples is None else chunk_samples
        end = math.inf if total_s is None else self.position + round(total_s * self.fs)
        while self.position < end:
            first = self.position
            samples = self.take(int(min(step, end - first)))
            if not len(samples):
                return
            yield Chunk(
                patient=patient,
                stream=stream,
                first_sample=first,
                fs=self.fs,
                leads=self.leads,
                samples=samples,
                gain=self.gain,
                baseline=self.baseline,
            )

    def truth(self) -> Truth:
        """Return what the samples taken so far show."""
        episodes = []
        for item in self._schedule:
            onset, end = round(item.start_s * self.fs), item.end_s * self.fs
            end = self.position if end >= self.position else round(end)
            kinds = [k for k in (item.step.rhythm, item.step.artefact) if k not in (None, "sinus")]
            episodes += [TrueEpisode(kind=k, onset=onset, end=end) for k in kinds if onset < end]
        beats = tuple(beat for beat in self._truth if beat.sample < self.position)
        return Truth(beats=beats, episodes=tuple(episodes))

    # the heart's timeline ------------------------------------------------------------

    def _steps(self) -> Iterator[_Scheduled]:
        start = 0.0
        while True:
            for step in self.script:
                yield _Scheduled(start_s=start, end_s=start + step.duration_s, step=step)
                start += step.duration_s
            if self.then != "loop":
                break
        # also at the end of the script a last beat may begin whose P wave still shows
        after = replace(Step(duration_s=1), rate_bpm=72.0)
        yield _Scheduled(start_s=start, end_s=math.inf, step=after)

    def _beats(self) -> Iterator[_Beat]:
        last, due = -1.0, 0.4
        for item in self._coming:
            self._schedule.append(item)
            step = item.step
            if step.rhythm == "sinus":
                for beat in self._sinus(item, max(due, item.start_s)):
                    last = beat.time_s
                    yield beat
                due = last + 60 / (step.to_bpm or step.rate_bpm)
            elif step.rhythm == "vt":
                time = max(item.start_s + 0.02, last + 0.36)
                while time < item.end_s:
                    last = time
                    yield _Beat(time_s=time, beat_class="V", waves=_VT)
                    time += 60 / step.rate_bpm * (1 + 0.02 * self._beat_rng.standard_normal())
                due = max(item.end_s, last + 0.9)
            else:
                due = item.end_s + 0.4

    def _sinus(self, item: _Scheduled, time: float) -> Iterator[_Beat]:
        step = item.step
        pvcs = pacs = 0.0
        before = time
        while time < item.end_s:
            pvcs += step.pvc_per_min * (time - before) / 60
            pacs += step.pac_per_min * (time - before) / 60
            before = time
            share = min(1.0, (time - item.start_s) / step.duration_s)
            rate = step.rate_bpm + share * ((step.to_bpm or step.rate_bpm) - step.rate_bpm)
            breathing = 0.025 * math.sin(2 * math.pi * 0.25 * time)
            slow = 0.02 * math.sin(2 * math.pi * 0.1 * time)
            rr = 60 / rate * (1 + breathing + slow + 0.006 * self._beat_rng.standard_normal())
            yield _sinus_beat(time, rr, paced=step.paced)
            if pvcs >= 1 and time + 0.6 * rr < item.end_s:
                pvcs -= 1
                yield _Beat(time_s=time + 0.6 * rr, beat_class="V", waves=_PVC)
                time += 2 * rr
            elif pacs >= 1 and time + 0.62 * rr < item.end_s:
                pacs -= 1
                time += 0.62 * rr
                yield _sinus_beat(time, rr, atrial=True)
                time += 1.05 * rr
            else:
                time += rr

    # samples -------------------------------------------------------------------------

    def _render(self) -> NDArray[np.int16]:
        first = self._rendered
        times = (first + np.arange(_BLOCK)) / self.fs
        self._draw_beats(times[-1] + _BEFORE_S)
        while self._near and self._near[0].time_s < times[0] - _AFTER_S:
            self._near.popleft()
        dipole = np.zeros((_BLOCK, 3))
        spikes = np.zeros(_BLOCK)
        for beat in self._near:
            _add_waves(dipole, times - beat.time_s, beat.waves)
            at = round((beat.time_s - 0.045) * self.fs) - first
            if beat.spike and 0 <= at < _BLOCK:
                spikes[at] += 2.5
        dipole *= 1 + 0.05 * np.sin(2 * np.pi * 0.25 * times)[:, None]
        items = [s for s in self._schedule if s.start_s <= times[-1] and s.end_s > times[0]]
        for item in items:
            if item.step.rhythm == "vf":
                dipole += self._fibrillation.block(_envelope(times, item))
        millivolts = dipole @ self._axes + spikes[:, None]
        millivolts += self._wander(times)
        millivolts += 0.008 * self._white_rng.standard_normal(millivolts.shape)
        adc = self._disturb(millivolts, times, items)
        self._rendered += _BLOCK
        return adc

    def _draw_beats(self, until_s: float) -> None:
        while self._next_beat is not None and self._next_beat.time_s <= until_s:
            beat = self._next_beat
            self._near.append(beat)
            self._truth.append(
                TrueBeat(
                    sample=round(beat.time_s * self.fs),
                    beat_class=beat.beat_class,
                    visible=self._visible(beat.time_s),
                )
            )
            self._next_beat = next(self._timeline, None)

    def _visible(self, time_s: float) -> bool:
        step = next(s.step for s in reversed(self._schedule) if s.start_s <= time_s)
        if step.artefact is None:
            return True
        hit = self.leads if step.artefact_leads is None else step.artefact_leads
        return not set(self.leads) <= set(hit)

    def _wander(self, times: NDArray[np.float64]) -> NDArray[np.float64]:
        wander = np.zeros((len(times), len(self.leads)))
        waves = ((0.25, 0.06), (0.11, 0.04), (0.043, 0.05))
        for (hz, mv), phase in zip(waves, self._phases, strict=True):
            wander += mv * np.sin(2 * np.pi * hz * times[:, None] + phase)
        return wander

    def _disturb(
        self,
        millivolts: NDArray[np.float64],
        times: NDArray[np.float64],
        items: list[_Scheduled],
    ) -> NDArray[np.int16]:
        missing = np.zeros(millivolts.shape, dtype=bool)
        for item in items:
            step = item.step
            if step.artefact is None:
                continue
            during = (times >= item.start_s) & (times < item.end_s)
            wanted = self.leads if step.artefact_leads is None else step.artefact_leads
            hit = np.array([name in wanted for name in self.leads])
            where = during[:, None] & hit
            if step.artefact == "noise":
                motion = self._motion.block(step.noise_mv) * _envelope(times, item)[:, None]
                millivolts += motion * hit
            elif step.artefact == "lead_off":
                millivolts[where] = RAIL_MV
            elif step.artefact == "flat":
                millivolts[where] = 0.0
            else:
                missing[where] = True
        adc = np.rint(np.clip(millivolts, -RAIL_MV, RAIL_MV) * GAIN).astype(np.int16)
        adc[missing] = MISSING
        return adc


class _Fibrillation:
    """A dipole whose axes swing at 4 to 7 Hz, never twice the same way."""

    N = 4

    def __init__(self, rng: np.random.Generator, fs: float) -> None:
        self._rng = rng
        self._fs = fs
        self._phase = rng.uniform(0, 2 * np.pi, self.N)
        self._axes = rng.standard_normal((self.N, 3)) * 0.5
        self._axes[:, :2] += 0.25
        # frequencies and amplitudes drift by smoothed noise
        self._sos = butter(1, 0.8, fs=fs, output="sos")
        self._state = np.zeros((1, 2, 2 * self.N))

    def block(self, envelope: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the dipole of a block, in mV, shape (n_samples, 3)."""
        white = self._rng.standard_normal((len(envelope), 2 * self.N))
        drift, self._state = sosfilt(self._sos, white, axis=0, zi=self._state)
        drift /= math.sqrt(1.6 * math.pi / 2 / self._fs)
        hz = np.clip(5.3 + 0.9 * drift[:, : self.N], 4.0, 7.0)
        phase = self._phase + np.cumsum(2 * np.pi * hz / self._fs, axis=0)
        self._phase = phase[-1] % (2 * np.pi)
        swing = (1 + 0.45 * np.clip(drift[:, self.N :], -2, 2)) * np.sin(phase)
        dipole: NDArray[np.float64] = 0.55 * (swing @ self._axes) * envelope[:, None]
        return dipole


class _Motion:
    """Noise of muscles and of electrodes that move."""

    def __init__(self, rng: np.random.Generator, fs: float, n_leads: int) -> None:
        self._rng = rng
        self._n_leads = n_leads
        self._muscle = butter(2, [20, min(100, 0.45 * fs)], "bandpass", fs=fs, output="sos")
        self._electrode = butter(2, [0.7, 6], "bandpass", fs=fs, output="sos")
        self._muscle_state = np.zeros((len(self._muscle), 2, n_leads))
        self._electrode_state = np.zeros((len(self._electrode), 2, n_leads))
        # standard deviation of filtered white noise of 1: sqrt(bandwidth / (fs / 2))
        self._muscle_sd = math.sqrt((min(100, 0.45 * fs) - 20) * 2 / fs)
        self._electrode_sd = math.sqrt(5.3 * 2 / fs)

    def block(self, sd_mv: float) -> NDArray[np.float64]:
        """Return a block of noise, in mV, shape (n_samples, n_leads)."""
        white = self._rng.standard_normal((2, _BLOCK, self._n_leads))
        muscle, self._muscle_state = sosfilt(self._muscle, white[0], axis=0, zi=self._muscle_state)
        motion, self._electrode_state = sosfilt(
            self._electrode, white[1], axis=0, zi=self._electrode_state
        )
        noise: NDArray[np.float64] = sd_mv * math.sqrt(0.5) * muscle / self._muscle_sd
        noise += sd_mv * math.sqrt(0.5) * motion / self._electrode_sd
        return noise


def _sinus_beat(time: float, rr: float, *, atrial: bool = False, paced: bool = False) -> _Beat:
    # the QT interval shortens with the square root of the RR interval
    stretch = math.sqrt(min(1.3, max(0.35, rr)) / 0.83)
    t_waves = tuple((at * stretch, width * stretch, mv) for at, width, mv in _T_NORMAL)
    if paced:
        t_paced = tuple((at * stretch, width * stretch, mv) for at, width, mv in _T_VT)
        return _Beat(time_s=time, beat_class="Q", waves=_PACED + t_paced, spike=True)
    if atrial:
        p_wave: _Wave = (-0.125, 0.020, (0.04, -0.09, 0.05))
        return _Beat(time_s=time, beat_class="S", waves=(p_wave, *_NORMAL, *t_waves))
    p_wave = (-0.160, 0.023, (0.07, 0.12, 0.04))
    return _Beat(time_s=time, beat_class="N", waves=(p_wave, *_NORMAL, *t_waves))


def _centred(waves: tuple[_Wave, ...]) -> tuple[_Wave, ...]:
    """Move the waves so that the main deflection in lead II is at 0 s."""
    times = np.arange(-0.1, 0.1, 0.0005)
    dipole = np.zeros((len(times), 3))
    _add_waves(dipole, times, waves)
    peak = times[np.argmax(np.abs(dipole @ np.asarray(_AXES["II"])))]
    return tuple((at - float(peak), width, mv) for at, width, mv in waves)


def _add_waves(
    dipole: NDArray[np.float64], from_r_s: NDArray[np.float64], waves: tuple[_Wave, ...]
) -> None:
    near = (from_r_s > -_BEFORE_S) & (from_r_s < _AFTER_S)
    if not near.any():
        return
    times = from_r_s[near]
    for at, width, millivolts in waves:
        shape = np.exp(-0.5 * ((times - at) / width) ** 2)
        dipole[near] += shape[:, None] * np.asarray(millivolts)


def _envelope(times: NDArray[np.float64], item: _Scheduled) -> NDArray[np.float64]:
    """Return 1 during a step and 0 outside, with flanks of 0.2 s inside it."""
    flank = 0.2
    rise = np.clip((times - item.start_s) / flank, 0, 1)
    fall = np.clip((item.end_s - times) / flank, 0, 1)
    envelope: NDArray[np.float64] = np.minimum(rise, fall)
    return envelope


def write_wfdb(directory: str | Path, name: str, simulator: Simulator) -> Truth:
    """Play what is left of a script and save it as a WFDB record with its annotations.

    Parameters
    ----------
    directory : str or Path
        Where to; it must be there.
    name : str
        The record's name: letters, digits, ``-`` and ``_``.
    simulator : Simulator
        One that ends.

    Returns
    -------
    Truth
        What the annotations say; beats that no lead shows are left out of them.

    Raises
    ------
    ScriptError
        If the simulator never ends, or has been played before.
    """
    if simulator.then != "end" or simulator.position:
        raise ScriptError("only a fresh simulator with then='end' can be saved as a record")
    samples = simulator.take(round(simulator.script_s * simulator.fs))
    truth = simulator.truth()
    wfdb.wrsamp(
        name,
        fs=simulator.fs,
        units=["mV"] * len(simulator.leads),
        sig_name=list(simulator.leads),
        d_signal=samples.astype(np.int64),
        fmt=["16"] * len(simulator.leads),
        adc_gain=list(simulator.gain),
        baseline=list(simulator.baseline),
        comments=["simulated"],
        write_dir=str(directory),
    )
    marks = [(beat.sample, _SYMBOLS[beat.beat_class], "") for beat in truth.beats if beat.visible]
    rhythm = "N"
    for item in simulator._schedule:
        label = _RHYTHM_LABELS.get(item.step.rhythm, "N")
        onset = round(item.start_s * simulator.fs)
        if onset < len(samples) and (label != rhythm or onset == 0):
            marks.append((onset, "+", f"({label}"))
            rhythm = label
    marks.sort(key=lambda mark: mark[0])
    wfdb.wrann(
        name,
        "atr",
        np.array([sample for sample, _, _ in marks]),
        symbol=[symbol for _, symbol, _ in marks],
        aux_note=[note for _, _, note in marks],
        fs=simulator.fs,
        write_dir=str(directory),
    )
    return truth


_NORMAL = _centred(_QRS_NORMAL)
_PVC = _centred(_QRS_PVC + _T_PVC)
_VT = _centred(_QRS_VT + _T_VT)
_PACED = _centred(_QRS_VT)
_SYMBOLS: dict[BeatClass, str] = {"N": "N", "S": "A", "V": "V", "F": "F", "Q": "/"}
_RHYTHM_LABELS: dict[Rhythm, str] = {"vt": "VT", "vf": "VFIB", "asystole": "ASYS"}

"""A scripted patient whose truth is known: every beat, every episode, every artefact.

Waves of beats, wander, noise and fibrillation are computed in blocks of fixed
length, so that the samples do not depend on how they are asked for.
"""

import math
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import wfdb
from numpy.typing import NDArray

from ecg.chunk import Chunk, check_fs
from ecg.electrodes import GAIN, Electrodes, envelope
from ecg.errors import LeadError, ScriptError
from ecg.finding import BeatClass
from ecg.heart import (
    AFTER_S,
    AXES,
    BEFORE_S,
    Fibrillation,
    HeartBeat,
    Scheduled,
    add_waves,
    beats,
    schedule,
)
from ecg.script import DEMO_SCRIPT, Rhythm, Step, TrueBeat, TrueEpisode, Truth

Then = Literal["end", "sinus", "loop"]

_BLOCK = 256


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
        unknown = [name for name in leads if name.upper() not in AXES]
        if unknown or not leads:
            raise LeadError(f"leads must be some of {', '.join(AXES)}, got {list(leads)}")
        self.script = tuple(script)
        self.fs = check_fs(fs)
        self.leads = tuple(leads)
        self.then: Then = then
        self.gain = (GAIN,) * len(self.leads)
        self.baseline = (0,) * len(self.leads)
        self.position = 0
        self._axes = np.array([AXES[name.upper()] for name in self.leads]).T
        white_rng, beat_rng, vf_rng, motion_rng = (
            np.random.default_rng([seed, k]) for k in range(4)
        )
        self._schedule: list[Scheduled] = []
        self._timeline = beats(self._played(), beat_rng)
        self._near: deque[HeartBeat] = deque()
        self._truth: list[TrueBeat] = []
        self._next_beat: HeartBeat | None = next(self._timeline, None)
        self._rendered = 0
        self._buffer = np.empty((0, len(self.leads)), dtype=np.int16)
        self._fibrillation = Fibrillation(vf_rng, self.fs)
        self._electrodes = Electrodes(
            self.leads, fs=self.fs, white_rng=white_rng, motion_rng=motion_rng
        )

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

    def _played(self) -> Iterator[Scheduled]:
        for item in schedule(self.script, loop=self.then == "loop"):
            self._schedule.append(item)
            yield item

    def _render(self) -> NDArray[np.int16]:
        first = self._rendered
        times = (first + np.arange(_BLOCK)) / self.fs
        self._draw_beats(times[-1] + BEFORE_S)
        while self._near and self._near[0].time_s < times[0] - AFTER_S:
            self._near.popleft()
        dipole = np.zeros((_BLOCK, 3))
        spikes = np.zeros(_BLOCK)
        for beat in self._near:
            add_waves(dipole, times - beat.time_s, beat.waves)
            at = round((beat.time_s - 0.045) * self.fs) - first
            if beat.spike and 0 <= at < _BLOCK:
                spikes[at] += 2.5
        dipole *= 1 + 0.05 * np.sin(2 * np.pi * 0.25 * times)[:, None]
        items = [s for s in self._schedule if s.start_s <= times[-1] and s.end_s > times[0]]
        for item in items:
            if item.step.rhythm == "vf":
                dipole += self._fibrillation.block(envelope(times, item))
        millivolts = dipole @ self._axes + spikes[:, None]
        self._rendered += _BLOCK
        return self._electrodes.samples(millivolts, times, items)

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


_SYMBOLS: dict[BeatClass, str] = {"N": "N", "S": "A", "V": "V", "F": "F", "Q": "/"}
_RHYTHM_LABELS: dict[Rhythm, str] = {"vt": "VT", "vf": "VFIB", "asystole": "ASYS"}

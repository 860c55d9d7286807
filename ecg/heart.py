"""The simulated heart: a dipole in three axes (left, down, front), in mV.

A beat is a sum of Gaussian waves of the dipole, fibrillation a swinging of it;
a lead is its projection on the lead's direction, so that leads agree.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt

from ecg.finding import BeatClass
from ecg.script import Step

# what a beat's waves reach before and after its R peak, in s
BEFORE_S, AFTER_S = 0.35, 0.65

# directions of the leads: left, down, front
AXES: dict[str, tuple[float, float, float]] = {
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
Wave = tuple[float, float, tuple[float, float, float]]
_QRS_NORMAL: tuple[Wave, ...] = (
    (-0.027, 0.008, (-0.10, -0.05, 0.16)),
    (0.000, 0.011, (0.75, 0.95, -0.55)),
    (0.029, 0.010, (-0.20, -0.22, -0.20)),
)
_T_NORMAL: tuple[Wave, ...] = (
    (0.235, 0.058, (0.13, 0.16, 0.09)),
    (0.285, 0.034, (0.13, 0.16, 0.07)),
)
# from the right ventricle's outflow: down in V1, tall in II, T against it
_QRS_PVC: tuple[Wave, ...] = (
    (-0.040, 0.024, (0.20, 0.55, -0.25)),
    (0.010, 0.030, (0.45, 1.15, -0.85)),
    (0.062, 0.026, (0.15, 0.05, -0.55)),
)
_T_PVC: tuple[Wave, ...] = ((0.300, 0.062, (-0.35, -0.55, 0.45)),)
# from the left ventricle's apex: down in II, up in V1
_QRS_VT: tuple[Wave, ...] = (
    (-0.034, 0.019, (-0.10, -0.40, 0.45)),
    (0.004, 0.023, (-0.45, -1.15, 0.75)),
    (0.048, 0.020, (-0.45, -0.25, 0.10)),
)
_T_VT: tuple[Wave, ...] = ((0.200, 0.042, (0.25, 0.40, -0.30)),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheduled:
    """A step and when it is played."""

    start_s: float
    end_s: float
    step: Step


@dataclass(frozen=True, slots=True, kw_only=True)
class HeartBeat:
    """A beat: the time of its R peak, and the waves around it."""

    time_s: float
    beat_class: BeatClass
    waves: tuple[Wave, ...]
    spike: bool = False


def schedule(script: Sequence[Step], *, loop: bool) -> Iterator[Scheduled]:
    """Yield the steps of a script with their times, and after the last sinus rhythm for ever."""
    start = 0.0
    while True:
        for step in script:
            yield Scheduled(start_s=start, end_s=start + step.duration_s, step=step)
            start += step.duration_s
        if not loop:
            break
    yield Scheduled(start_s=start, end_s=math.inf, step=Step(duration_s=1))


def beats(steps: Iterable[Scheduled], rng: np.random.Generator) -> Iterator[HeartBeat]:
    """Yield the beats that the steps ask for, in order."""
    last, due = -1.0, 0.4
    for item in steps:
        step = item.step
        if step.rhythm == "sinus":
            for beat in _sinus(item, max(due, item.start_s), rng):
                last = beat.time_s
                yield beat
            due = last + 60 / (step.to_bpm or step.rate_bpm)
        elif step.rhythm == "vt":
            time = max(item.start_s + 0.02, last + 0.36)
            while time < item.end_s:
                last = time
                yield HeartBeat(time_s=time, beat_class="V", waves=_VT)
                time += 60 / step.rate_bpm * (1 + 0.02 * rng.standard_normal())
            due = max(item.end_s, last + 0.9)
        else:
            due = item.end_s + 0.4


def _sinus(item: Scheduled, time: float, rng: np.random.Generator) -> Iterator[HeartBeat]:
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
        rr = 60 / rate * (1 + breathing + slow + 0.006 * rng.standard_normal())
        yield _sinus_beat(time, rr, paced=step.paced)
        if pvcs >= 1 and time + 0.6 * rr < item.end_s:
            pvcs -= 1
            yield HeartBeat(time_s=time + 0.6 * rr, beat_class="V", waves=_PVC)
            time += 2 * rr
        elif pacs >= 1 and time + 0.62 * rr < item.end_s:
            pacs -= 1
            time += 0.62 * rr
            yield _sinus_beat(time, rr, atrial=True)
            time += 1.05 * rr
        else:
            time += rr


class Fibrillation:
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


def _sinus_beat(time: float, rr: float, *, atrial: bool = False, paced: bool = False) -> HeartBeat:
    # the QT interval shortens with the square root of the RR interval
    stretch = math.sqrt(min(1.3, max(0.35, rr)) / 0.83)
    t_waves = tuple((at * stretch, width * stretch, mv) for at, width, mv in _T_NORMAL)
    if paced:
        t_paced = tuple((at * stretch, width * stretch, mv) for at, width, mv in _T_VT)
        return HeartBeat(time_s=time, beat_class="Q", waves=_PACED + t_paced, spike=True)
    if atrial:
        p_wave: Wave = (-0.125, 0.020, (0.04, -0.09, 0.05))
        return HeartBeat(time_s=time, beat_class="S", waves=(p_wave, *_NORMAL, *t_waves))
    p_wave = (-0.160, 0.023, (0.07, 0.12, 0.04))
    return HeartBeat(time_s=time, beat_class="N", waves=(p_wave, *_NORMAL, *t_waves))


def _centred(waves: tuple[Wave, ...]) -> tuple[Wave, ...]:
    """Move the waves so that the main deflection in lead II is at 0 s."""
    times = np.arange(-0.1, 0.1, 0.0005)
    dipole = np.zeros((len(times), 3))
    add_waves(dipole, times, waves)
    peak = times[np.argmax(np.abs(dipole @ np.asarray(AXES["II"])))]
    return tuple((at - float(peak), width, mv) for at, width, mv in waves)


def add_waves(
    dipole: NDArray[np.float64], from_r_s: NDArray[np.float64], waves: tuple[Wave, ...]
) -> None:
    """Add a beat to a dipole of shape (n_samples, 3), given each sample's time from the R peak."""
    near = (from_r_s > -BEFORE_S) & (from_r_s < AFTER_S)
    if not near.any():
        return
    times = from_r_s[near]
    for at, width, millivolts in waves:
        shape = np.exp(-0.5 * ((times - at) / width) ** 2)
        dipole[near] += shape[:, None] * np.asarray(millivolts)


_NORMAL = _centred(_QRS_NORMAL)
_PVC = _centred(_QRS_PVC + _T_PVC)
_VT = _centred(_QRS_VT + _T_VT)
_PACED = _centred(_QRS_VT)

"""Causal filters with kept state: resampling to the engine rate, band-pass, high-pass.

All run sample by sample on one patient's state, so that chunks of any size
give the same bits.
"""

from dataclasses import dataclass
from functools import lru_cache
from math import ceil, gcd

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from ecg.compiled import joining
from ecg.errors import RateError

ENGINE_FS = 250
"""Rate at which the engine works, in Hz: 4 ms to place an R peak, twice the window's 125 Hz."""

MIN_FS, MAX_FS = 100.0, 1000.0
"""Stream rates that are accepted, in Hz."""

MAX_TAPS = 96
"""Longest resampling filter, reached at ``MAX_FS``; the length of a lead's history."""

_PASS_HZ, _STOP_HZ, _STOP_DB = 40.0, 85.0, 60.0
"""The resampler keeps a monitor's band, 0.5 to 40 Hz; what lies above 85 Hz would
fold into it when beat windows take every second sample."""

QRS_BAND = signal.butter(2, [6.4, 21.9], "bandpass", fs=ENGINE_FS, output="sos")
"""Where a QRS has its energy and P, T and wander have little; two sections."""

WANDER_FREE = signal.butter(2, 0.5, "highpass", fs=ENGINE_FS, output="sos")
"""Takes baseline wander away; one section."""

SLOW_BAND = signal.butter(2, 2.0, "lowpass", fs=ENGINE_FS, output="sos")
MIDDLE_BAND = signal.butter(1, [3.0, 8.0], "bandpass", fs=ENGINE_FS, output="sos")
"""Where an electrode that moves has most, and where fibrillation has; one section each."""

QRS_BAND_DELAY = 9
"""Engine samples by which a QRS leaves ``QRS_BAND`` late, as measured on DS1: median distance of
its peak from the annotated R."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resampler:
    """Polyphase filter from a stream's rate to the engine rate.

    Engine sample ``e`` stands at stream position ``e * step / unit`` and needs
    the stream samples up to ``half`` beyond it.
    """

    fs: float
    step: int
    unit: int
    half: int
    taps: NDArray[np.float64]
    """Shape (n_phases, 2 * half), each row sums to 1."""

    @property
    def delay_s(self) -> float:
        """How long an engine sample waits for stream samples after its own, in s."""
        return (self.half + 1) / self.fs


@lru_cache(maxsize=64)
def resampler(fs: float) -> Resampler:
    """Return the resampler of a stream at ``fs``.

    Parameters
    ----------
    fs : float
        Sampling frequency of the stream, in Hz; exact to 1/1000 Hz.

    Raises
    ------
    RateError
        If ``fs`` is not within 100 to 1000 Hz.

    Examples
    --------
    >>> r = resampler(360.0)
    >>> r.taps.shape, round(r.delay_s, 3)
    ((25, 32), 0.047)
    """
    if not MIN_FS <= fs <= MAX_FS:
        raise RateError(
            f"the sampling frequency must be {MIN_FS:g} to {MAX_FS:g} Hz, got {fs:g} Hz: "
            "resample the recording, or set the device to a rate in that range"
        )
    per_second = round(fs * 1000)
    common = gcd(per_second, ENGINE_FS * 1000)
    step, unit = per_second // common, ENGINE_FS * 1000 // common
    n_phases = min(unit, 1000)
    stop_hz = min(_STOP_HZ, fs - _PASS_HZ)  # the first image of the band that is kept
    length, beta = signal.kaiserord(_STOP_DB, (stop_hz - _PASS_HZ) / (fs / 2))
    half = min(ceil(length / 2), MAX_TAPS // 2)
    cutoff = (_PASS_HZ + stop_hz) / 2 / fs
    # tap k of phase p weighs the stream sample k - half + 1 after the position's whole part
    offsets = np.arange(2 * half) - half + 1 - np.arange(n_phases)[:, None] / n_phases
    window = np.i0(beta * np.sqrt(np.clip(1 - (offsets / half) ** 2, 0, None))) / np.i0(beta)
    taps = np.sinc(2 * cutoff * offsets) * window
    taps /= taps.sum(axis=1, keepdims=True)
    return Resampler(fs=fs, step=step, unit=unit, half=half, taps=taps)


def coefficients(sections: NDArray[np.float64]) -> tuple[tuple[float, ...], ...]:
    """Return b0, b1, b2, a1, a2 of each section, as constants for ``biquad``."""
    return tuple((b0, b1, b2, a1, a2) for b0, b1, b2, _, a1, a2 in sections.tolist())


@joining
def biquad(
    section: tuple[float, ...], value: float, first: float, second: float
) -> tuple[float, float, float]:
    """Pass one sample through a second-order section, transposed direct form II.

    Parameters
    ----------
    section : tuple of float
        Of ``coefficients``.
    value : float
        The sample, in mV.
    first, second : float
        What the section remembers.

    Returns
    -------
    tuple of float
        What becomes of the sample, and the new ``first`` and ``second``.
    """
    b0, b1, b2, a1, a2 = section
    out = b0 * value + first
    # what does not wait for ``out`` comes first
    return out, (b1 * value + second) - a1 * out, b2 * value - a2 * out


def steady_state(sections: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the memory of sections after a constant 1 mV, so that a start makes no step.

    Returns
    -------
    ndarray, shape (n_sections, 2)
    """
    return np.asarray(signal.sosfilt_zi(sections), dtype=np.float64)

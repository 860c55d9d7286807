"""What simulated electrodes and amplifier make of the heart's millivolts.

Baseline wander and a little noise always; by the script motion, a lead that is
off, flat, or missing samples.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt

from ecg.chunk import MISSING
from ecg.heart import Scheduled

GAIN = 1000.0
"""ADC units per mV of a simulated lead."""
RAIL_MV = 10.0
"""Where the simulated amplifier saturates; a lead that is off lies there."""


class Electrodes:
    """The electrodes of some leads; give them block after block.

    Parameters
    ----------
    leads : sequence of str
        Names of the leads.
    fs : float
        Sampling frequency, in Hz.
    white_rng, motion_rng : Generator
        Draw the noise that is always there, and that of motion; nobody else may
        draw from them.
    """

    def __init__(
        self,
        leads: Sequence[str],
        *,
        fs: float,
        white_rng: np.random.Generator,
        motion_rng: np.random.Generator,
    ) -> None:
        self._leads = tuple(leads)
        self._white_rng = white_rng
        self._phases = white_rng.uniform(0, 2 * np.pi, size=(3, len(leads)))
        self._motion = _Motion(motion_rng, fs, len(leads))

    def samples(
        self,
        millivolts: NDArray[np.float64],
        times: NDArray[np.float64],
        items: Sequence[Scheduled],
    ) -> NDArray[np.int16]:
        """Return the next samples.

        Parameters
        ----------
        millivolts : ndarray of float, shape (n_samples, n_leads)
            The heart's, in mV; changed in place.
        times : ndarray of float, shape (n_samples,)
            When, in s from the start of the simulation.
        items : sequence of Scheduled
            The steps that are played then.

        Returns
        -------
        ndarray of int16, shape (n_samples, n_leads)
            In ADC units; ``MISSING`` where there are none.
        """
        millivolts += self._wander(times)
        millivolts += 0.008 * self._white_rng.standard_normal(millivolts.shape)
        missing = np.zeros(millivolts.shape, dtype=bool)
        for item in items:
            step = item.step
            if step.artefact is None:
                continue
            during = (times >= item.start_s) & (times < item.end_s)
            wanted = self._leads if step.artefact_leads is None else step.artefact_leads
            hit = np.array([name in wanted for name in self._leads])
            where = during[:, None] & hit
            if step.artefact == "noise":
                motion = self._motion.block(len(times), step.noise_mv)
                millivolts += motion * envelope(times, item)[:, None] * hit
            elif step.artefact == "lead_off":
                millivolts[where] = RAIL_MV
            elif step.artefact == "flat":
                millivolts[where] = 0.0
            else:
                missing[where] = True
        adc = np.rint(np.clip(millivolts, -RAIL_MV, RAIL_MV) * GAIN).astype(np.int16)
        adc[missing] = MISSING
        return adc

    def _wander(self, times: NDArray[np.float64]) -> NDArray[np.float64]:
        wander = np.zeros((len(times), len(self._leads)))
        waves = ((0.25, 0.06), (0.11, 0.04), (0.043, 0.05))
        for (hz, mv), phase in zip(waves, self._phases, strict=True):
            wander += mv * np.sin(2 * np.pi * hz * times[:, None] + phase)
        return wander


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

    def block(self, n_samples: int, sd_mv: float) -> NDArray[np.float64]:
        """Return a block of noise, in mV, shape (n_samples, n_leads)."""
        white = self._rng.standard_normal((2, n_samples, self._n_leads))
        muscle, self._muscle_state = sosfilt(self._muscle, white[0], axis=0, zi=self._muscle_state)
        motion, self._electrode_state = sosfilt(
            self._electrode, white[1], axis=0, zi=self._electrode_state
        )
        noise: NDArray[np.float64] = sd_mv * math.sqrt(0.5) * muscle / self._muscle_sd
        noise += sd_mv * math.sqrt(0.5) * motion / self._electrode_sd
        return noise


def envelope(times: NDArray[np.float64], item: Scheduled) -> NDArray[np.float64]:
    """Return 1 during a step and 0 outside, with flanks of 0.2 s inside it."""
    flank = 0.2
    rise = np.clip((times - item.start_s) / flank, 0, 1)
    fall = np.clip((item.end_s - times) / flank, 0, 1)
    inside: NDArray[np.float64] = np.minimum(rise, fall)
    return inside

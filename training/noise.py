"""ECG with noise of known size, made by the rule of the Noise Stress Test Database.

Detectors are tried with it, and models learn with it. The rule, from the database's page
(https://physionet.org/content/nstdb/1.0.0/): the noise is added from 5:00 on, two minutes with it
and two without, lead by lead, with the gain at which the signal-to-noise ratio is the one asked
for. Made here, ``em`` at 6 dB agrees with the database's own 118e06 and 119e06 (a test shows it).
"""

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from scipy.signal import resample_poly

from ecg.annotation import Annotations
from ecg.reader import read_record
from ecg.record import Record

SNRS_DB = (24, 18, 12, 6, 0, -6)
NOISES = ("em", "bw", "ma")
"""Electrode motion, baseline wander, muscle artefact."""
NOISY_FROM_S, NOISY_S = 300.0, 120.0
"""Noise starts after 5 min and comes and goes by 2 min."""
STRESSED = ("118", "119")
"""The records that the database is made of; both are in DS1."""

DATABASE = "nstdb"
TEACHING_SNRS_DB = ((18, 12, 6), (12, 6, 0))
"""How large the noise may be in each of the noisy copies of a record that models learn with.
Electrode motion, which looks most like beats, comes as often as the other two together."""

_BEATS, _SECONDS = 300, 300
"""How many normal beats and seconds of noise are measured."""


def add_noise(
    record: Record, truth: Annotations, noise_mv: NDArray[np.float64], snr_db: float
) -> Record:
    """Return ``record`` with noise in every second two minutes from 5:00 on.

    The power of the signal is that of a sine as tall as its normal QRS
    complexes, S = (peak to peak)^2 / 8, the power N of the noise the mean of its
    variances over 1 s, both without the largest and smallest 5 %. The gain a is
    such that the ratio is 10 log10(S / (N a^2)); lead by lead.

    Parameters
    ----------
    record : Record
        A clean ECG.
    truth : Annotations
        Its beats; the normal ones say how large it is.
    noise_mv : ndarray, shape (n_samples, n_noise_leads)
        Noise at the record's rate, in mV, from the record's start on; repeated where it is shorter.
    snr_db : float
        Signal-to-noise ratio, in dB.
    """
    millivolts = record.millivolts()
    fs = record.fs
    beats, classes = truth.beats()
    normal = [b for b in beats[classes == "N"].tolist() if b < record.n_samples][:_BEATS]
    reach = round(0.05 * fs)
    second = round(fs)
    on = in_noise(np.arange(record.n_samples) / fs)
    for lead in range(millivolts.shape[1]):
        heights = [np.ptp(millivolts[max(b - reach, 0) : b + reach + 1, lead]) for b in normal]
        disturbance = noise_mv[:, lead % noise_mv.shape[1]]
        whole = disturbance[: len(disturbance) // second * second].reshape(-1, second)[:_SECONDS]
        signal_power = _trimmed_mean(np.array(heights)) ** 2 / 8
        noise_power = _trimmed_mean(whole.std(axis=1)) ** 2
        gain = np.sqrt(signal_power / noise_power / 10 ** (snr_db / 10))
        millivolts[:, lead] += gain * np.resize(disturbance, record.n_samples) * on
    gain_adu, baseline = 1000.0, 0
    samples = np.clip(np.rint(millivolts * gain_adu), -32000, 32000).astype(np.int16)
    n_leads = len(record.leads)
    return replace(
        record, samples=samples, gain=(gain_adu,) * n_leads, baseline=(baseline,) * n_leads
    )


def disturbed(record: Record, truth: Annotations, noises: Path, *, copy: int = 0) -> Record:
    """Return ``record`` with a noise, a size and a beginning of it that name and copy decide.

    Of the recordings of noise only those stretches come that ``add_noise`` leaves out where record
    and noise begin together, as in the database itself and in tables of noise: nobody is examined
    in noise that taught.

    Parameters
    ----------
    record : Record
    truth : Annotations
        Its beats.
    noises : Path
        Directory of the Noise Stress Test Database.
    copy : int
        Which of the record's noisy copies this is, of ``TEACHING_SNRS_DB``.

    Raises
    ------
    RecordError
        If the noise is not there.
    """
    rng = np.random.default_rng([crc32(record.name.encode()), copy])
    noise = read_record(noises / rng.choice(["em", *NOISES]))
    rate = Fraction(record.fs / noise.fs).limit_denominator(1000)
    millivolts = resample_poly(noise.millivolts(), rate.numerator, rate.denominator, axis=0)
    millivolts = millivolts[~in_noise(np.arange(len(millivolts)) / record.fs)]
    millivolts = np.roll(millivolts, rng.integers(len(millivolts)), axis=0)
    if rng.random() < 0.5:
        millivolts = millivolts[:, ::-1]
    return add_noise(record, truth, millivolts, float(rng.choice(TEACHING_SNRS_DB[copy])))


def in_noise(seconds: NDArray[np.float64] | NDArray[np.int64]) -> NDArray[np.bool_]:
    """Tell which times, in s from the start, lie in the noise.

    Examples
    --------
    >>> in_noise(np.array([299, 300, 419, 420, 540]))
    array([False,  True,  True, False,  True])
    """
    t = np.asarray(seconds) - NOISY_FROM_S
    return np.asarray((t >= 0) & (np.floor(t / NOISY_S) % 2 == 0))


def stretches(n_seconds: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which seconds lie in the noise and which between it; the learning time in neither."""
    t = np.arange(n_seconds)
    noisy = in_noise(t)
    return noisy, (t >= NOISY_FROM_S) & ~noisy


def title(names: Sequence[str], noise: str, snr_db: float) -> str:
    """Return how a row of noise is called."""
    return f"{' and '.join(names)}, {noise} at {snr_db:g} dB"


def _trimmed_mean(values: NDArray[np.float64]) -> float:
    cut = round(0.05 * len(values))
    return float(np.sort(values)[cut : len(values) - cut].mean())

"""The detector hears what a bedside monitor is tested with (IEC 60601-2-27, ANSI/AAMI EC13).

The standard's signals are drawn: a triangle for the QRS complex, a half sine for the T wave. What
is asked there of the heart rate (10 % or 5/min) is asked here of every beat.
"""

import numpy as np
import pytest
from numpy.typing import NDArray

from ecg.chunk import Chunk
from ecg.monitor import Monitor

FS = 500.0
SECONDS = 40.0
SETTLED_S = 8.0
"""Levels are learnt."""


def times() -> NDArray[np.float64]:
    return np.arange(round(SECONDS * FS)) / FS


def complexes(per_min: float) -> NDArray[np.float64]:
    return np.arange(0.5, SECONDS - 0.5, 60.0 / per_min)


def drawn(
    beats: NDArray[np.float64],
    *,
    qrs_mv: float = 1.0,
    qrs_s: float = 0.1,
    t_mv: float = 0.2,
    qt_s: float = 0.35,
    t_s: float = 0.18,
) -> NDArray[np.float64]:
    """Draw complexes that peak at ``beats``, in mV; QT is from the start of QRS to the end of T."""
    at = times()
    ecg = np.zeros(len(at))
    for beat in beats:
        from_r = at - beat
        ecg += qrs_mv * np.clip(1.0 - np.abs(from_r) / (qrs_s / 2), 0.0, None)
        phase = (from_r + qrs_s / 2 - (qt_s - t_s)) / t_s
        inside = (phase > 0) & (phase < 1)
        ecg[inside] += t_mv * np.sin(np.pi * phase[inside])
    return ecg


def heard(ecg: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return when beats were found, in s, in two leads of which the other is turned and smaller."""
    millivolts = np.stack([ecg, -0.6 * ecg], axis=1)
    samples = np.rint(1000 * millivolts).astype(np.int16)
    monitor, found = Monitor(None), []
    for first in range(0, len(samples), 125):
        chunk = Chunk(
            patient="p",
            stream="s",
            first_sample=first,
            fs=FS,
            leads=("II", "V1"),
            samples=samples[first : first + 125],
            gain=(1000.0, 1000.0),
            baseline=(0, 0),
        )
        for findings in monitor.advance([chunk]):
            found += [beat.sample / FS for beat in findings.beats]
    return np.array(sorted(found))


def check(ecg: NDArray[np.float64], beats: NDArray[np.float64], within_s: float = 0.06) -> None:
    """Each complex is found once, where it is, and nothing else."""
    found = heard(ecg)
    wanted = beats[(beats > SETTLED_S) & (beats < SECONDS - 3.0)]
    found = found[(found > wanted[0] - within_s) & (found < wanted[-1] + within_s)]
    assert len(found) == len(wanted), np.diff(found)
    np.testing.assert_allclose(found, wanted, atol=within_s)


@pytest.mark.parametrize("per_min", [30, 60, 120, 200])
@pytest.mark.parametrize("qrs_s", [0.07, 0.12])
@pytest.mark.parametrize("qrs_mv", [0.5, 5.0])
def test_complexes_of_all_sizes_and_rates_are_found(
    qrs_mv: float, qrs_s: float, per_min: float
) -> None:
    beats = complexes(per_min)
    qt_s = min(0.35, 0.9 * 60 / per_min)
    check(drawn(beats, qrs_mv=qrs_mv, qrs_s=qrs_s, t_mv=0.2 * qrs_mv, qt_s=qt_s, t_s=0.12), beats)


@pytest.mark.parametrize("gain", [0.5, 1.0, 4.0])
@pytest.mark.parametrize("t_mv", [0.6, 1.2])
def test_a_tall_t_wave_is_no_beat(t_mv: float, gain: float) -> None:
    beats = complexes(80)
    check(gain * drawn(beats, qrs_mv=1.0, qrs_s=0.1, t_mv=t_mv), beats)


@pytest.mark.parametrize("qrs_s", [0.07, 0.12])
def test_what_is_too_small_to_be_a_complex_is_none(qrs_s: float) -> None:
    assert len(heard(drawn(complexes(80), qrs_mv=0.15, qrs_s=qrs_s, t_mv=0.0))) == 0


@pytest.mark.parametrize("hz", [50.0, 60.0])
def test_the_mains_hide_no_beat_and_make_none(hz: float) -> None:
    beats = complexes(80)
    ecg = drawn(beats, qrs_mv=0.5, t_mv=0.1) + 0.05 * np.sin(2 * np.pi * hz * times())
    check(ecg, beats)


def test_a_drifting_baseline_hides_no_beat_and_makes_none() -> None:
    beats = complexes(80)
    drift = 4.0 * (2 * np.abs((times() * 0.1) % 1.0 - 0.5) - 0.5)
    check(drawn(beats, qrs_mv=0.5, t_mv=0.1) + drift, beats)


@pytest.mark.parametrize("spike_mv", [2.0, 10.0])
def test_pacing_pulses_alone_are_no_beats(spike_mv: float) -> None:
    beats = complexes(80)
    ecg = np.zeros(len(times()))
    for beat in beats:
        ecg[round(beat * FS)] += spike_mv  # 2 ms
    assert len(heard(ecg)) == 0


def test_p_waves_of_a_heart_that_stands_still_are_no_beats() -> None:
    beats = complexes(60)
    stops_s = 15.0
    ecg = drawn(beats[beats < stops_s], qrs_mv=1.0)
    p_waves = drawn(beats - 0.16, qrs_mv=0.15, qrs_s=0.1, t_mv=0.0)
    found = heard(ecg + p_waves)
    assert len(found) == (beats < stops_s).sum()
    assert found.max() < stops_s

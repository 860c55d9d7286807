"""How the RR intervals of recordings compare, and where their atria fibrillate: for fitting.

The short records of the 2017 challenge have one rhythm each, which cardiologists named; DS1 has
marks of rhythm; of svdb's people nobody is taken to fibrillate. Each record is also heard with
beats left out, put in and moved, as a detector may do.
"""

import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecg.annotation import read_annotations
from ecg.features import LIKENESS
from ecg.fibrillation import BEFORE, compare
from ecg.filters import ENGINE_FS
from ecg.qrs_memory import LONGEST_RR
from ecg.reader import read_record
from ecg.record import Record
from ecg.state import COMPARISONS
from training.dataset import UNLABELLED
from training.of_rhythm import rhythms_named
from training.records import FIBRILLATION as CHALLENGE
from training.store import read_beats

PERTURBED = 3
"""Copies of each record with beats left out, put in and moved."""
_WRONG = 0.08
"""Largest share of beats left out, and of beats put in."""
_MOVED_S = 0.003
"""Standard deviation by which beats are moved, in s."""
_BREATHED, _SPREAD, _MADE_UP_BEATS = 0.15, (0.2, 0.5), 200
"""Of made-up people: largest share by which breath moves an RR interval, how far intervals spread
in fibrillation beyond the refractory time, and beats of a record."""
_UNLIKE = 0.3
"""Largest share of beats whose shape is taken to be unusual."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rhythm:
    """How the RR intervals of a record compare.

    Parameters
    ----------
    record : str
        Database and record.
    heard : tuple of (ndarray, ndarray)
        Comparisons, shape (n_beats, COMPARISONS), and whether the atria fibrillate, shape
        (n_beats,): 1, 0, or ``UNLABELLED`` where nobody knows. First as observed, then perturbed.
    """

    record: str
    heard: tuple[tuple[NDArray[np.float32], NDArray[np.float32]], ...]


def compared(times_s: NDArray[np.float64], likeness: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return how the RR intervals between beats compare, shape (n_beats, COMPARISONS).

    Parameters
    ----------
    times_s : ndarray, shape (n_beats,)
        R peaks.
    likeness : ndarray, shape (n_beats,)
        Correlation of each beat with the template.
    """
    out = np.zeros((len(times_s), COMPARISONS), np.float32)
    intervals = np.append(-1.0, np.diff(times_s))
    first = 1  # of the intervals since one that was too long
    for k, rr in enumerate(intervals):
        if rr <= 0 or rr > LONGEST_RR / ENGINE_FS:
            first = k + 1
        elif k > first:
            before = intervals[max(first, k - BEFORE) : k][::-1]
            compare(rr, np.ascontiguousarray(before), float(likeness[k]), out[k])
    return out


def rhythm_of(path: Path, file: Path) -> Rhythm:
    """Return the rhythm of an observed record, as it is and perturbed.

    Raises
    ------
    RecordError
        If the record or its annotations cannot be read.
    """
    beats = read_beats(file)
    samples, likeness = np.array(beats.samples), beats.contexts[:, LIKENESS].copy()
    record = read_record(path)
    known = _known(path, samples, record)
    times_s = samples / record.fs
    heard = [(compared(times_s, likeness), known)]
    chance = np.random.default_rng(zlib.crc32(beats.record.encode()))
    for _ in range(PERTURBED if len(samples) >= BEFORE else 0):
        times, like, truth = _perturbed(times_s, likeness, known, chance)
        heard.append((compared(times, like), truth))
    return Rhythm(record=beats.record, heard=tuple(heard))


def made_up(n: int, *, seed: int) -> list[Rhythm]:
    """Return rhythms of people who do not exist, each third of another kind.

    The heart of one follows the breath, as in the young; in one every second, third or fourth beat
    comes early, and the next one late; of one the atria fibrillate, and no interval says anything
    of the next.
    """
    chance = np.random.default_rng(seed)
    rhythms = []
    for number in range(n):
        beats = np.arange(_MADE_UP_BEATS)
        rr_s = 1 + chance.normal(0, 0.01, len(beats))
        fibrillates = number % 3 == 2
        if number % 3 == 0:
            phase = 2 * np.pi * (beats / chance.uniform(3, 9) + chance.random())
            rr_s += chance.uniform(0, _BREATHED) * np.sin(phase)
        elif number % 3 == 1:
            early, every = chance.uniform(0.1, 0.5), chance.integers(2, 5)
            rr_s[beats % every == 0] -= early
            rr_s[beats % every == 1] += early * chance.random()
        else:
            shape = chance.uniform(*_SPREAD) ** -2.0
            rr_s = 0.4 + 0.6 * chance.gamma(shape, 1 / shape, len(beats))
        times_s = np.cumsum(chance.uniform(0.5, 1.2) * rr_s)
        likeness = chance.uniform(0.9, 1.0, len(beats)).astype(np.float32)
        heard = compared(times_s, likeness), np.full(len(beats), fibrillates, np.float32)
        rhythms.append(Rhythm(record=f"made up/{number}", heard=(heard,)))
    return rhythms


def _known(path: Path, samples: NDArray[np.int64], record: Record) -> NDArray[np.float32]:
    database = path.parent.name
    known = np.zeros(len(samples), np.float32)
    if database == CHALLENGE:
        known[:] = {"A": 1, "N": 0, "O": 0}.get(rhythms_named(path.parent)[path.name], UNLABELLED)
    elif database == "mitdb":
        annotations = read_annotations(path, fs=record.fs, n_samples=record.n_samples)
        for stretch in annotations.rhythms:
            inside = (samples >= stretch.first_sample) & (samples < stretch.end_sample)
            known[inside] = stretch.rhythm == "AFIB"
            if stretch.rhythm == "AFL":
                known[inside] = UNLABELLED
    return known


def _perturbed(
    times_s: NDArray[np.float64],
    likeness: NDArray[np.float32],
    known: NDArray[np.float32],
    chance: np.random.Generator,
) -> tuple[NDArray[np.float64], NDArray[np.float32], NDArray[np.float32]]:
    kept = chance.random(len(times_s)) >= chance.uniform(0, _WRONG)
    times, like, truth = times_s[kept], likeness[kept], known[kept]
    after = np.flatnonzero(chance.random(max(len(times) - 1, 0)) < chance.uniform(0, _WRONG))
    new = times[after] + chance.uniform(0.3, 0.7, len(after)) * (times[after + 1] - times[after])
    order = np.argsort(np.concatenate([times, new]), kind="stable")
    odd = chance.uniform(-0.5, 0.7, len(after)).astype(np.float32)
    times = np.concatenate([times, new])[order] + chance.normal(0, _MOVED_S, len(order))
    like, truth = np.concatenate([like, odd])[order], np.concatenate([truth, truth[after]])[order]
    unlike = chance.random(len(like)) < chance.uniform(0, _UNLIKE)
    like[unlike] = chance.uniform(-0.5, 0.75, int(unlike.sum()))
    return times, like, truth

"""One small model in the place of many: a student learns what its teachers think.

The student sees the same recordings as the teachers and, on top, such of which
nobody knows the beats. All of it is augmented, and the teachers judge what the
student sees: they run on every batch. It does not see labels: by people held out
F1 of S on a third of DS1 was 53 % with 30 % of labels in the loss and 67 % without
(the teachers each: 44 to 70), for it learnt those few people by heart. Over all thirds,
without: V 92.2 and S 56.5 % on DS1, 88.3 and 72.8 on svdb (the teachers' mean: 92.5,
57.7, 87.9, 71.9). What it does hear is that a rhythm was called normal: teachers are corrected
there, which took its false V in such recordings of strangers from 1.8 to 1.2 % of beats, those in
noise from 13.2 to 9.6 %, and left S and V of DS1 and svdb where they were.
(Hinton, Vinyals and Dean, 2015, arXiv:1503.02531.)
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from ecg.model import BeatLSTMSize
from training.calibration import calibrate
from training.fit import FitSettings
from training.lesson import Lesson

SIZE = BeatLSTMSize(conv=(8, 16, 16), beat=48, hidden=48)
"""Size of a student: half its teachers' work for each beat, which the engine is meant to carry for
20,000 patients a core."""
EPOCHS = 1.0
"""Passes of the student, as a multiple of the teachers'."""


def student_of(
    teachers: Sequence[Lesson],
    files: Sequence[Path],
    unlabelled: Sequence[Path],
    settings: FitSettings,
    *,
    size: BeatLSTMSize = SIZE,
) -> Lesson:
    """Return the student's lesson; it is carried out after those of its teachers.

    Parameters
    ----------
    teachers : sequence of Lesson
        Members of all ensembles.
    files, unlabelled : sequence of Path
        Observed records with labels, and without.
    settings : FitSettings
        Of the student; ``epochs`` is multiplied by ``EPOCHS``.
    size : BeatLSTMSize
        Of the student.

    Raises
    ------
    ValueError
        If there is no teacher.
    """
    if not teachers:
        raise ValueError("a student needs teachers, got none")
    return Lesson(
        taught=(*files, *unlabelled),
        examined=tuple(files),
        settings=replace(settings, epochs=max(round(EPOCHS * settings.epochs), 1)),
        size=size,
        teachers=tuple(teachers),
    )


def temperature_of(
    student: Sequence[NDArray[np.float32]],
    strangers: Sequence[Sequence[NDArray[np.float32]]],
    temperatures: Sequence[float],
) -> float:
    """Return the temperature that makes a student as sure as its teachers are of strangers.

    The student has learnt from every patient there is, so that labels cannot show how
    much too sure it is of others.

    Parameters
    ----------
    student : sequence of ndarray, each of shape (n_beats, len(OUTPUTS))
        Logits of the student, record by record.
    strangers : sequence of sequences of such arrays
        For each seed, the logits of members that did not know the patient.
    temperatures : sequence of float
        For each seed, the one that makes these truthful.
    """
    opinion = np.mean(
        [
            softmax(np.concatenate(logits) / np.float32(temperature), axis=1)
            for logits, temperature in zip(strangers, temperatures, strict=True)
        ],
        axis=0,
    )
    return calibrate(np.concatenate(student), opinion.astype(np.float32))

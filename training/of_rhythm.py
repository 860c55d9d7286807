"""Beats of recordings in which people named the rhythm, and no beat.

A rhythm says of some beats what they are: in atrial fibrillation a beat of the usual shape
is N, however early it comes; where the rhythm is normal no beat is anything else.
"""

import csv
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np

from ecg.errors import RecordError
from ecg.features import LIKENESS
from ecg.finding import BEAT_CLASSES
from training.dataset import NORMAL, UNLABELLED, BeatSequence, observe_unmarked

USUAL_LIKENESS = 0.75
"""Correlation with the patient's template from which a beat counts as of the usual shape."""


def observe_fibrillation(path: Path) -> BeatSequence:
    """Run the monitor over a record of atrial fibrillation without marks at its beats.

    Beats of the usual shape are N; the others may be anything, and have no label.

    Raises
    ------
    RecordError
        If the record cannot be read.
    """
    unnamed = observe_unmarked(path)
    usual = unnamed.contexts[:, LIKENESS] >= USUAL_LIKENESS
    return replace(unnamed, targets=np.where(usual, BEAT_CLASSES.index("N"), UNLABELLED))


def observe_normal(path: Path) -> BeatSequence:
    """Do the same with a record whose rhythm was called normal; all have the target ``NORMAL``.

    Raises
    ------
    RecordError
        If the record cannot be read.
    """
    unnamed = observe_unmarked(path)
    return replace(unnamed, targets=np.full(len(unnamed), NORMAL, np.int64))


def fibrillation_records(directory: Path) -> list[str]:
    """Return the records that ``REFERENCE.csv`` of the 2017 challenge calls fibrillation.

    Raises
    ------
    RecordError
        If the list is not there.
    """
    return [name for name, rhythm in rhythms_named(directory).items() if rhythm == "A"]


@cache
def rhythms_named(directory: Path) -> Mapping[str, str]:
    """Return the rhythm of each record, as ``REFERENCE.csv`` of the 2017 challenge has it.

    Raises
    ------
    RecordError
        If the list is not there.
    """
    listed = directory / "REFERENCE.csv"
    if not listed.is_file():
        raise RecordError(f"no {listed}: it says which records are atrial fibrillation")
    with listed.open(encoding="ascii", newline="") as lines:
        return {row[0]: row[1] for row in csv.reader(lines)}

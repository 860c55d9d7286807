"""Found beats against annotations, by the rules of ANSI/AAMI EC57, and what was called unfit."""

from collections.abc import Mapping

import numpy as np

from benchmarks.detectors import Found
from benchmarks.quality import Count, Row
from ecg.annotation import Annotations
from ecg.finding import BEAT_CLASSES
from ecg.metrics import LEARNING_S, MATCH_S, BeatCounts, count_beats, match_beats
from ecg.record import Record
from training.noise import stretches


def scored(
    found: Found,
    truths: Mapping[str, Annotations],
    records: Mapping[str, Record],
    *,
    from_s: float = LEARNING_S,
    match_s: float = MATCH_S,
) -> dict[str, float | None]:
    """Return the gross score of all records.

    Parameters
    ----------
    found : Found
        What a detector found in them.
    truths : mapping of str to Annotations
        Their annotations, by record.
    records : mapping of str to Record
        Those that count.
    from_s : float
        From when on beats are scored, in s.
    match_s : float
        Match window, in s.

    Returns
    -------
    dict
        ``se``, ``ppv`` and ``f1``: fractions, None where nothing counts.
    """
    total = sum(
        (_counts(name, found, truths, records, from_s, match_s) for name in records), BeatCounts()
    )
    return _shares(total)


def by_record(
    found: Found, truths: Mapping[str, Annotations], records: Mapping[str, Record]
) -> dict[str, dict[str, float | None]]:
    """Return the score of each record, as ``scored`` returns that of all."""
    return {
        name: _shares(_counts(name, found, truths, records, LEARNING_S, MATCH_S))
        for name in records
    }


def clean_unfit(found: Found, truths: Mapping[str, Annotations]) -> dict[str, float]:
    """Return the share of the time that is called unfit, and the scored beats missed in it."""
    seconds = unfit = missed = 0
    for name, said in found.said.items():
        bad = np.array([reason is not None for reason in said.reasons])
        seconds += len(bad)
        unfit += int(bad.sum())
        reference, _ = truths[name].beats()
        partner = match_beats(reference, said.beats, window=int(MATCH_S * said.fs))
        scored = reference >= LEARNING_S * said.fs
        for start, end in truths[name].flutter:
            scored &= (reference < start) | (reference >= end)
        lost = reference[scored & (partner < 0)]
        at = np.minimum((lost / said.fs).astype(np.int64), len(bad) - 1)
        missed += int(bad[at].sum())
    return {"share": unfit / max(seconds, 1), "missed": missed}


def gated(found: Found, truths: Mapping[str, Annotations], what: str) -> Row:
    """Return how noisy stretches fare in the seconds called fit, and in the others."""
    count = Count(what)
    for name, said in found.said.items():
        count.add(said, truths[name], stretches(len(said.reasons))[0])
    return count.row()


def _counts(
    name: str,
    found: Found,
    truths: Mapping[str, Annotations],
    records: Mapping[str, Record],
    from_s: float,
    match_s: float,
) -> BeatCounts:
    reference, classes = truths[name].beats()
    beats = found.beats[name]
    return count_beats(
        reference,
        classes,
        beats,
        [BEAT_CLASSES[0]] * len(beats),
        fs=records[name].fs,
        from_s=from_s,
        match_s=match_s,
        excluded=truths[name].flutter,
    )


def _shares(counts: BeatCounts) -> dict[str, float | None]:
    return {"se": counts.qrs.se, "ppv": counts.qrs.ppv, "f1": counts.qrs.f1}

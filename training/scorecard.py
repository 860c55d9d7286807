"""The figures of an evaluation, from what the monitor said of each record."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecg.finding import BEAT_CLASSES, BeatClass
from ecg.metrics import F_COUNTS_AS_V_IS, LEARNING_S, BeatCounts, Score, average, tallies
from training.bootstrap import REPLICATES, SEED, intervals
from training.heard import Heard, calibration_of, counts_of
from training.split import MITDB, SAME_PERSON, person_of

TIGHT_S = 0.050
"""A detection this close places the R peak well enough for an RR interval."""

S_OUTLIERS = ("232", "219")
"""Records of DS2 that decide its S figures: 232 holds three quarters of the S beats, and 219, in
atrial fibrillation, most false ones."""

CALLED = (*BEAT_CLASSES, "not judged", "missed")
ANNOTATED = (*BEAT_CLASSES, "no beat")

SCORED: tuple[BeatClass, ...] = ("S", "V", "F")


def scorecard(
    records: Sequence[Heard],
    *,
    from_s: float = LEARNING_S,
    replicates: int = REPLICATES,
    database: str = MITDB,
) -> dict[str, Any]:
    """Return the figures of an evaluation, ready for JSON.

    Parameters
    ----------
    records : sequence of Heard
        What the monitor said of each.
    from_s : float
        Learning time: what comes before is scored only in ``qrs_from_start``.
    replicates : int
        Draws of the bootstrap.
    database : str
        Which database the records are of: whose they are depends on it.

    Returns
    -------
    dict
        Scores are gross (of all beats together) unless they stand under ``average``
        (mean of records), and fractions, None where there was nothing to count. A
        beat missed while the signal was called unfit is missed. A beat found but not
        judged counts as found for ``qrs`` and as wrong for its class and for
        ``accuracy``, which is the share of annotated beats that were found and given
        their class. ``without_202`` leaves out the person who also is in DS1, and is
        None where nobody is.
    """
    scored = {heard.name: counts_of(heard, from_s=from_s) for heard in records}
    whole = [counts_of(heard, from_s=0.0) for heard in records]
    tight = [counts_of(heard, from_s=from_s, match_s=TIGHT_S) for heard in records]
    gross = sum(scored.values(), BeatCounts())
    delays = np.concatenate([heard.delays_s for heard in records]) if records else np.empty(0)
    once = [name for name in scored if database != MITDB or name not in SAME_PERSON]
    ends = intervals(
        [counts.table for counts in scored.values()],
        [person_of(f"{database}/{name}") for name in scored],
        replicates=replicates,
    )
    return {
        "records": [heard.name for heard in records],
        "delay_s": _quantiles(delays),
        "unfit_share": _unfit(records, from_s),
        "scored_from_s": from_s,
        "qrs": _plain(gross.qrs),
        "qrs_from_start": _plain(sum(whole, BeatCounts()).qrs),
        "qrs_50ms": _plain(sum(tight, BeatCounts()).qrs),
        "beats": _classes(gross),
        "f_counts_as_v_is": F_COUNTS_AS_V_IS,
        "V_if_F_called_V_were_false": _with_f(_strict_v(gross)),
        "accuracy": _rounded(gross.accuracy),
        "S_without_232_219": s_without(scored),
        "without_202": None
        if len(once) == len(scored)
        else _figures(sum((scored[name] for name in once), BeatCounts())),
        "average": {
            "qrs": _plain(average(counts.qrs for counts in scored.values())),
            "beats": {
                c: _with_f(average(counts.of(c) for counts in scored.values())) for c in SCORED
            },
            "accuracy": _mean([counts.accuracy for counts in scored.values()]),
        },
        "intervals_95": {
            "how": f"bootstrap over patients, {replicates} draws, seed {SEED}",
            **ends,
        },
        "calibration": {c: _calibration(records, c, from_s) for c in BEAT_CLASSES},
        "confusion": {
            "annotated": list(ANNOTATED),
            "called": list(CALLED),
            "counts": gross.table.tolist(),
        },
        "per_record": {
            heard.name: {
                **_figures(scored[heard.name]),
                "unfit_share": _unfit([heard], from_s),
                "counts": scored[heard.name].table.tolist(),
            }
            for heard in records
        },
    }


def brief(records: Sequence[Heard], *, from_s: float = LEARNING_S) -> dict[str, Any]:
    """Return the few figures that are compared between models; see ``scorecard``."""
    scored = {heard.name: counts_of(heard, from_s=from_s) for heard in records}
    gross = sum(scored.values(), BeatCounts())
    return {
        "V": _with_f(gross.of("V")),
        "S": _with_f(gross.of("S")),
        "S_without_232_219": s_without(scored),
        "F": _with_f(gross.of("F")),
        "qrs": _plain(gross.qrs),
        "accuracy": _rounded(gross.accuracy),
    }


def s_without(scored: dict[str, BeatCounts]) -> dict[str, float | None]:
    """Return the score of S of the records other than ``S_OUTLIERS``."""
    rest = (counts for name, counts in scored.items() if name not in S_OUTLIERS)
    return _with_f(sum(rest, BeatCounts()).of("S"))


def _figures(counts: BeatCounts) -> dict[str, Any]:
    return {
        "qrs": _plain(counts.qrs),
        "beats": _classes(counts),
        "accuracy": _rounded(counts.accuracy),
    }


def _strict_v(counts: BeatCounts) -> Score:
    """Return the score of V if an F called V were a false V."""
    v, f = BEAT_CLASSES.index("V"), BEAT_CLASSES.index("F")
    true, missed, false = (int(count) for count in tallies(counts.table, "V"))
    return Score.of(true=true, missed=missed, false=false + int(counts.table[f, v]))


def _calibration(
    records: Sequence[Heard], beat_class: BeatClass, from_s: float
) -> dict[str, float | list[float | None] | list[int] | None]:
    found = calibration_of(records, beat_class, from_s)
    return {
        "ece": _rounded(found.error),
        "said": [_rounded(p) if n else None for p, n in zip(found.said, found.n, strict=True)],
        "true": [_rounded(p) if n else None for p, n in zip(found.true, found.n, strict=True)],
        "n": [int(n) for n in found.n],
    }


def _plain(score: Score) -> dict[str, float | None]:
    return {"se": _rounded(score.se), "ppv": _rounded(score.ppv)}


def _with_f(score: Score) -> dict[str, float | None]:
    return {**_plain(score), "f1": _rounded(score.f1)}


def _classes(counts: BeatCounts) -> dict[str, dict[str, float | None]]:
    return {c: _with_f(counts.of(c)) for c in SCORED}


def _mean(shares: Sequence[float | None]) -> float | None:
    known = [share for share in shares if share is not None]
    return _rounded(float(np.mean(known))) if known else None


def _rounded(share: float | None) -> float | None:
    return None if share is None else round(float(share), 6)


def _quantiles(delays_s: NDArray[np.float64]) -> dict[str, float | None]:
    if not len(delays_s):
        return {"p50": None, "p95": None, "max": None}
    p50, p95, top = np.quantile(delays_s, [0.5, 0.95, 1.0])
    return {"p50": round(float(p50), 4), "p95": round(float(p95), 4), "max": round(float(top), 4)}


def _unfit(records: Sequence[Heard], from_s: float) -> float | None:
    fit = [heard.fit[heard.seconds > from_s * heard.fs] for heard in records]
    seconds = np.concatenate(fit) if fit else np.empty(0, dtype=bool)
    return _rounded(float(1 - seconds.mean())) if len(seconds) else None

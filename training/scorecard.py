"""The figures of an evaluation, from what the monitor said of each record."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from ecg.annotation import Annotations
from ecg.finding import BEAT_CLASSES, BeatClass
from ecg.metrics import (
    F_COUNTS_AS_V_IS,
    LEARNING_S,
    MATCH_S,
    BeatCounts,
    Score,
    average,
    count_beats,
    match_beats,
)
from training.calibration import Reliability, reliability

TIGHT_S = 0.050
"""A detection this close places the R peak well enough for an RR interval."""

_SCORED: tuple[BeatClass, ...] = ("S", "V", "F")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Heard:
    """What the monitor said of one record, live, and what the annotations say.

    Parameters
    ----------
    name : str
        The record.
    fs : float
        Its sampling frequency, in Hz.
    annotations : Annotations
        The truth.
    samples, classes, delays_s : ndarray, shape (n_beats,)
        R peaks, classes (``ecg.metrics.NOT_JUDGED`` where there is none), and how long after
        the R peak each was said.
    probabilities : ndarray, shape (n_beats, 5)
        In the order of ``BEAT_CLASSES``, NaN where a beat was not judged.
    seconds, fit : ndarray, shape (n_seconds,)
        Sample number of each whole second, and whether the signal was fit then.
    """

    name: str
    fs: float
    annotations: Annotations
    samples: NDArray[np.int64]
    classes: NDArray[np.str_]
    delays_s: NDArray[np.float64]
    probabilities: NDArray[np.float64]
    seconds: NDArray[np.int64]
    fit: NDArray[np.bool_]


def counts_of(heard: Heard, *, from_s: float, match_s: float = MATCH_S) -> BeatCounts:
    """Count a record's beats by EC57, leaving out its flutter stretches."""
    reference, classes = heard.annotations.beats()
    return count_beats(
        reference,
        classes,
        heard.samples,
        heard.classes,
        fs=heard.fs,
        from_s=from_s,
        match_s=match_s,
        excluded=heard.annotations.flutter,
    )


def calibration_of(records: Sequence[Heard], beat_class: BeatClass, from_s: float) -> Reliability:
    """Compare a class's probabilities with the annotations, of judged beats after ``from_s``.

    A detection that is no beat is not of the class.
    """
    column = BEAT_CLASSES.index(beat_class)
    said, true = [np.empty(0)], [np.empty(0, dtype=bool)]
    for heard in records:
        reference, classes = heard.annotations.beats()
        partner = match_beats(reference, heard.samples, window=round(MATCH_S * heard.fs))
        is_class = np.zeros(len(heard.samples), dtype=bool)
        is_class[partner[(partner >= 0) & (classes == beat_class)]] = True
        scored = (heard.samples >= from_s * heard.fs) & ~np.isnan(heard.probabilities[:, column])
        for start, end in heard.annotations.flutter:
            scored &= (heard.samples < start) | (heard.samples >= end)
        said.append(heard.probabilities[scored, column])
        true.append(is_class[scored])
    return reliability(np.concatenate(said), np.concatenate(true))


def scorecard(records: Sequence[Heard], *, from_s: float = LEARNING_S) -> dict[str, Any]:
    """Return the figures of an evaluation, ready for JSON.

    Parameters
    ----------
    records : sequence of Heard
        What the monitor said of each.
    from_s : float
        Learning time: what comes before is scored only in ``qrs_from_start``.

    Returns
    -------
    dict
        All scores are gross (of all beats together) and fractions, None where
        there was nothing to count. A beat missed while the signal was called
        unfit is missed. A beat found but not judged counts as found for ``qrs``
        and as wrong for its class and for ``accuracy``, which is the share of
        annotated beats that were found and given their class.
    """
    scored = {heard.name: counts_of(heard, from_s=from_s) for heard in records}
    whole = [counts_of(heard, from_s=0.0) for heard in records]
    tight = [counts_of(heard, from_s=from_s, match_s=TIGHT_S) for heard in records]
    gross = sum(scored.values(), BeatCounts())
    delays = np.concatenate([heard.delays_s for heard in records]) if records else np.empty(0)
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
        "accuracy": _rounded(gross.accuracy),
        "calibration": {
            c: _rounded(calibration_of(records, c, from_s).error) for c in BEAT_CLASSES
        },
        "per_record": {
            heard.name: {
                "qrs": _plain(scored[heard.name].qrs),
                "beats": _classes(scored[heard.name]),
                "accuracy": _rounded(scored[heard.name].accuracy),
                "unfit_share": _unfit([heard], from_s),
                "counts": scored[heard.name].table.tolist(),
            }
            for heard in records
        },
    }


def table_of(card: dict[str, Any]) -> Table:
    """Return a scorecard as a table for people: gross, average of records, each record."""
    table = Table(title=f"EC57, from {card['scored_from_s']:g} s on, %")
    for heading in ("record", "QRS Se", "+P", "S Se", "+P", "V Se", "+P", "F Se", "+P", "unfit"):
        table.add_column(heading, justify="left" if heading == "record" else "right")
    rows = list(card["per_record"].items())
    for name, row in rows:
        table.add_row(name, *_cells(row["qrs"], row["beats"]), _percent(row["unfit_share"]))
    table.add_section()
    means = {str(c): _mean([row["beats"][c] for _, row in rows]) for c in _SCORED}
    table.add_row("average", *_cells(_mean([row["qrs"] for _, row in rows]), means), "")
    table.add_row("gross", *_cells(card["qrs"], card["beats"]), _percent(card["unfit_share"]))
    delay = card["delay_s"]
    if delay["p50"] is not None:
        table.caption = "delay of a beat: " + ", ".join(f"{k} {v:.2f} s" for k, v in delay.items())
    return table


def markdown_of(card: dict[str, Any]) -> str:
    """Return the gross figures of a scorecard as a Markdown table, with their conditions."""
    delay = card["delay_s"]
    n = len(card["records"])
    lines = [
        f"{n} records, the live path with its own detector, beats gross, "
        f"scored from {card['scored_from_s']:g} s on; "
        f"delay p50 {delay['p50']:.2f} s, p95 {delay['p95']:.2f} s, max {delay['max']:.2f} s; "
        f"unfit {_percent(card['unfit_share'])} %.",
        "",
        "| % | Se | +P | F1 |",
        "|---|---:|---:|---:|",
    ]
    rows = [
        ("QRS, 150 ms", card["qrs"]),
        ("QRS, 150 ms, from 0 s on", card["qrs_from_start"]),
        ("QRS, 50 ms", card["qrs_50ms"]),
        *((c, card["beats"][c]) for c in _SCORED),
    ]
    for name, score in rows:
        f1 = _percent(score["f1"]) if "f1" in score else ""
        lines.append(f"| {name} | {_percent(score['se'])} | {_percent(score['ppv'])} | {f1} |")
    return "\n".join(lines) + "\n"


def _mean(scores: list[dict[str, float | None]]) -> dict[str, float | None]:
    return _plain(average(Score(se=score["se"], ppv=score["ppv"]) for score in scores))


def _cells(
    qrs: dict[str, float | None], beats: dict[str, dict[str, float | None]]
) -> tuple[str, ...]:
    scores = (qrs, *(beats[c] for c in _SCORED))
    return tuple(_percent(score[key]) for score in scores for key in ("se", "ppv"))


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.2f}"


def _plain(score: Score) -> dict[str, float | None]:
    return {"se": _rounded(score.se), "ppv": _rounded(score.ppv)}


def _classes(counts: BeatCounts) -> dict[str, dict[str, float | None]]:
    return {c: {**_plain(counts.of(c)), "f1": _rounded(counts.of(c).f1)} for c in _SCORED}


def _rounded(share: float | None) -> float | None:
    return None if share is None else round(share, 6)


def _quantiles(delays_s: NDArray[np.float64]) -> dict[str, float | None]:
    if not len(delays_s):
        return {"p50": None, "p95": None, "max": None}
    p50, p95, top = np.quantile(delays_s, [0.5, 0.95, 1.0])
    return {"p50": round(float(p50), 4), "p95": round(float(p95), 4), "max": round(float(top), 4)}


def _unfit(records: Sequence[Heard], from_s: float) -> float | None:
    fit = [heard.fit[heard.seconds > from_s * heard.fs] for heard in records]
    seconds = np.concatenate(fit) if fit else np.empty(0, dtype=bool)
    return _rounded(float(1 - seconds.mean())) if len(seconds) else None

"""Strips of ECG in which beats were judged wrong, of the worst records."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from ecg.lead import by_name
from ecg.metrics import MATCH_S, match_beats
from ecg.reader import read_record
from ecg.record import Record
from training.heard import Heard

WORST_RECORDS = 5
STRIPS = 3
STRIP_S = 8.0

RIGHT, WRONG, TRACE = "#6b7280", "#dc2626", "#111827"


def strips(records: Sequence[Heard], paths: Sequence[Path], *, from_s: float) -> list[go.Figure]:
    """Draw strips of the records with most wrong beats, the worst record first.

    Parameters
    ----------
    records : sequence of Heard
        What the monitor said of each.
    paths : sequence of Path
        Where each of them is, as ``ecg.reader.read_record`` wants it.
    from_s : float
        What comes before is not looked at.

    Raises
    ------
    RecordError
        If a record cannot be read any more.
    """
    wrong = [wrong_beats(heard, from_s=from_s) for heard in records]
    worst = sorted(
        zip(records, wrong, paths, strict=True), key=lambda one: len(one[1]), reverse=True
    )
    return [
        _strips_of(heard, beats, read_record(path))
        for heard, beats, path in worst[:WORST_RECORDS]
        if len(beats)
    ]


def wrong_beats(heard: Heard, *, from_s: float) -> NDArray[np.int64]:
    """Return where an annotated beat was missed or called something else, or none was.

    Returns
    -------
    ndarray of int, shape (n_wrong,)
        Sample numbers after ``from_s``, in order; nothing within flutter.
    """
    reference, classes = heard.annotations.beats()
    partner = match_beats(reference, heard.samples, window=int(MATCH_S * heard.fs))
    called = np.full(len(reference), "", dtype="<U1")
    called[partner >= 0] = heard.classes[partner[partner >= 0]]
    false = np.ones(len(heard.samples), dtype=bool)
    false[partner[partner >= 0]] = False
    wrong = np.sort(np.concatenate([reference[called != classes], heard.samples[false]]))
    kept = wrong >= from_s * heard.fs
    for start, end in heard.annotations.flutter:
        kept &= (wrong < start) | (wrong >= end)
    return np.asarray(wrong[kept], dtype=np.int64)


def _strips_of(heard: Heard, wrong: NDArray[np.int64], record: Record) -> go.Figure:
    """Draw strips of a record around wrong beats, spread over all of them."""
    centres = _spread(wrong, round(STRIP_S * heard.fs))
    lead = next(iter(by_name(record.leads)), 0)
    millivolts = record.millivolts()[:, lead]
    half = round(STRIP_S / 2 * heard.fs)
    figure = make_subplots(
        rows=len(centres),
        cols=1,
        vertical_spacing=0.3 / len(centres),
        subplot_titles=[_clock(centre / heard.fs) for centre in centres],
    )
    for row, centre in enumerate(centres, start=1):
        first, end = max(centre - half, 0), min(centre + half, record.n_samples)
        trace = millivolts[first:end]
        known = trace[np.isfinite(trace)]
        low, high = (known.min(), known.max()) if len(known) else (0.0, 1.0)
        step = max(high - low, 0.2) * 0.14
        line = {"width": 1.2, "color": TRACE}
        at = (np.arange(first, end) - first) / heard.fs
        figure.add_trace(go.Scatter(x=at, y=trace, line=line, hoverinfo="skip"), row, 1)
        for x, y, text, colour in _marks(heard, first, end, wrong, high, step):
            figure.add_trace(
                go.Scatter(
                    x=x, y=y, mode="text", text=text, textfont={"color": colour, "size": 13}
                ),
                row,
                1,
            )
        figure.update_yaxes(
            range=[low - 0.5 * step, high + 3 * step], title_text="mV", row=row, col=1
        )
        figure.update_xaxes(range=[0, STRIP_S], dtick=1, row=row, col=1)
    figure.update_xaxes(title_text="s", row=len(centres), col=1)
    figure.update_layout(
        template="plotly_white",
        showlegend=False,
        height=230 * len(centres) + 110,
        margin={"t": 90, "b": 50, "l": 60, "r": 20},
        title=f"Record {heard.name}, {record.leads[lead]}: {len(wrong)} beats wrong",
    )
    # times of the strips stand left, not in the middle where the wrong beat is
    figure.update_annotations(x=0.0, xanchor="left", font={"size": 12, "color": RIGHT})
    return figure


def _marks(
    heard: Heard, first: int, end: int, wrong: NDArray[np.int64], high: float, step: float
) -> list[tuple[NDArray[np.float64], NDArray[np.float64], list[str], str]]:
    """Return what is written over a strip: upper row annotated, lower row called."""
    reference, classes = heard.annotations.beats()
    partner = match_beats(reference, heard.samples, window=int(MATCH_S * heard.fs))
    is_wrong = np.isin(reference, wrong)
    called_wrong = np.isin(heard.samples, wrong)
    called_wrong[partner[is_wrong & (partner >= 0)]] = True
    marks = []
    for samples, labels, bad, height in (
        (reference, classes, is_wrong, 2.2),
        (heard.samples, heard.classes, called_wrong, 1.0),
    ):
        inside = (samples >= first) & (samples < end)
        for these, colour in ((inside & ~bad, RIGHT), (inside & bad, WRONG)):
            text = [f"<b>{label}</b>" if colour == WRONG else label for label in labels[these]]
            x = (samples[these] - first) / heard.fs
            marks.append((x, np.full(len(text), high + height * step), text, colour))
    return marks


def _spread(wrong: NDArray[np.int64], apart: int) -> list[int]:
    """Return up to ``STRIPS`` of the places, spread over all and not within one strip."""
    chosen: list[int] = []
    for place in wrong[np.unique(np.linspace(0, len(wrong) - 1, STRIPS).astype(int))].tolist():
        if not chosen or place - chosen[-1] >= apart:
            chosen.append(place)
    return chosen


def _clock(seconds: float) -> str:
    return f"around {int(seconds // 60)}:{seconds % 60:04.1f} min"

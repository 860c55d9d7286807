"""The report of an evaluation: one HTML page with its figures, and the strips judged wrong."""

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from ecg.finding import BEAT_CLASSES, BeatClass
from ecg.metrics import MATCH_S, match_beats
from ecg.record import read_record
from training.scorecard import Heard, calibration_of, markdown_of

WORST_RECORDS = 5
STRIPS = 3
STRIP_S = 8.0

ANCHORS = (
    ("de Chazal 2004", "75.9 / 38.5", "77.7 / 81.9"),
    ("Llamedo 2011", "77 / 39", "81 / 87"),
    ("Zhang 2014", "79.1 / 36.0", "85.5 / 92.7"),
    ("Huang 2014", "91 / 42", "94 / 91"),
    ("J. Zhang 2021", "78.8 / 90.8", "92.5 / 94.3"),
)
"""Published on DS2, % Se / +P of S and V; all with annotated R peaks and the beats after."""

_STYLE = (
    "body{font-family:system-ui,sans-serif;max-width:1100px;margin:2em auto;padding:0 1em}"
    "table{border-collapse:collapse}td,th{padding:.3em .8em;border-bottom:1px solid #ccc;"
    "text-align:right}td:first-child,th:first-child{text-align:left}"
    "pre{background:#f4f4f4;padding:1em}"
)


def write_report(
    path: str | Path,
    card: dict[str, Any],
    records: Sequence[Heard],
    *,
    directory: str | Path,
    model: str,
) -> None:
    """Write the report.

    Parameters
    ----------
    path : str or Path
        The page; it needs nothing else.
    card : dict
        The figures, as ``training.scorecard.scorecard`` gives them.
    records : sequence of Heard
        What the monitor said of each record.
    directory : str or Path
        Where the records are; the strips are drawn from them.
    model : str
        Version of the model that judged.

    Raises
    ------
    RecordError
        If a record cannot be read any more.
    """
    figures = [
        _confusion(card),
        _by_record(card),
        _reliability(records, float(card["scored_from_s"])),
        _delays(records),
        *_strips(records, directory, float(card["scored_from_s"])),
    ]
    drawn = [
        figure.to_html(full_html=False, include_plotlyjs=k == 0) for k, figure in enumerate(figures)
    ]
    body = "\n".join(
        [
            f"<h1>Evaluation of {escape(model)}</h1>",
            "<p>Records went through the live path: its own detector, causal. Not a medical "
            "device; not for clinical use.</p>",
            f"<pre>{escape(markdown_of(card))}</pre>",
            "<h2>Beside what is published</h2>",
            _anchors(card),
            *drawn,
        ]
    )
    page = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(model)}</title>'
        f"<style>{_STYLE}</style></head><body>{body}</body></html>"
    )
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(page, encoding="utf-8")


def _anchors(card: dict[str, Any]) -> str:
    def pair(score: dict[str, float | None]) -> str:
        shares = (score["se"], score["ppv"])
        return " / ".join("-" if share is None else f"{100 * share:.1f}" for share in shares)

    beats = card["beats"]
    rows = [
        ("these records, live", pair(beats["S"]), pair(beats["V"])),
        *((f"{name} (DS2, annotated R peaks)", s, v) for name, s, v in ANCHORS),
    ]
    cells = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table><tr><th></th><th>S Se / +P, %</th><th>V Se / +P, %</th></tr>{cells}</table>"


def _confusion(card: dict[str, Any]) -> go.Figure:
    counts = np.sum([np.array(row["counts"]) for row in card["per_record"].values()], axis=0)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure = go.Figure(
        go.Heatmap(
            z=share,
            x=[*(f"called {c}" for c in BEAT_CLASSES), "not judged", "missed"],
            y=[*BEAT_CLASSES, "no beat"],
            text=counts,
            texttemplate="%{text}",
            colorscale="Blues",
            showscale=False,
        )
    )
    figure.update_yaxes(autorange="reversed", title_text="annotated")
    return _titled(figure, "What each annotated class was called, beats")


def _by_record(card: dict[str, Any]) -> go.Figure:
    names = list(card["per_record"])
    figure = go.Figure()
    for beat_class in ("S", "V"):
        scores = [card["per_record"][name]["beats"][beat_class]["f1"] for name in names]
        figure.add_trace(go.Bar(x=names, y=scores, name=beat_class))
    figure.update_xaxes(type="category", title_text="record")
    figure.update_yaxes(title_text="F1", range=[0, 1])
    return _titled(figure, "F1 of S and V, record by record (none where there is nothing to find)")


def _reliability(records: Sequence[Heard], from_s: float) -> go.Figure:
    figure = go.Figure(
        go.Scatter(x=[0, 1], y=[0, 1], mode="lines", line={"dash": "dot"}, name="truthful")
    )
    shown: tuple[BeatClass, ...] = ("N", "S", "V")
    for beat_class in shown:
        r = calibration_of(records, beat_class, from_s)
        error = "-" if r.error is None else f"{r.error:.3f}"
        figure.add_trace(
            go.Scatter(x=r.said, y=r.true, mode="lines+markers", text=r.n,
                       name=f"{beat_class}, error {error}")
        )  # fmt: skip
    figure.update_xaxes(title_text="probability that was said")
    figure.update_yaxes(title_text="share that was true")
    return _titled(figure, "Calibration")


def _delays(records: Sequence[Heard]) -> go.Figure:
    delays = np.concatenate([heard.delays_s for heard in records])
    n, edges = np.histogram(delays, bins=80, range=(0.0, 2.0))
    figure = go.Figure(go.Bar(x=(edges[1:] + edges[:-1]) / 2, y=n))
    figure.update_xaxes(title_text="s after the R peak")
    figure.update_yaxes(title_text="beats")
    return _titled(figure, "When a beat could be judged")


def _strips(records: Sequence[Heard], directory: str | Path, from_s: float) -> list[go.Figure]:
    wrong = {heard.name: _wrong(heard, from_s) for heard in records}
    worst = sorted(records, key=lambda heard: len(wrong[heard.name]), reverse=True)
    return [
        _strip(heard, wrong[heard.name], directory)
        for heard in worst[:WORST_RECORDS]
        if len(wrong[heard.name])
    ]


def _wrong(heard: Heard, from_s: float) -> NDArray[np.int64]:
    """Return where an annotated beat was missed or called something else."""
    reference, classes = heard.annotations.beats()
    partner = match_beats(reference, heard.samples, window=round(MATCH_S * heard.fs))
    called = np.where(partner >= 0, heard.classes[partner], "") if len(heard.samples) else classes
    at = (called != classes) & (reference >= from_s * heard.fs)
    return np.asarray(reference[at], dtype=np.int64)


def _strip(heard: Heard, wrong: NDArray[np.int64], directory: str | Path) -> go.Figure:
    """Draw strips of a record around beats judged wrong, spread over all of them."""
    record = read_record(Path(directory) / heard.name)
    reference, classes = heard.annotations.beats()
    centres = wrong[np.unique(np.linspace(0, len(wrong) - 1, STRIPS).astype(int))]
    figure = make_subplots(rows=len(centres), cols=1, vertical_spacing=0.08)
    half = round(STRIP_S / 2 * heard.fs)
    for row, centre in enumerate(centres.tolist(), start=1):
        first, end = max(centre - half, 0), min(centre + half, record.n_samples)
        trace = record.millivolts()[first:end, 0]
        top = float(np.nanmax(trace)) if np.isfinite(trace).any() else 0.0
        figure.add_trace(
            go.Scatter(
                x=np.arange(first, end) / heard.fs, y=trace, line={"width": 1, "color": "#1f4e79"}
            ),
            row,
            1,
        )
        for samples, labels, place, colour in (
            (reference, classes, 1.15, "black"),
            (heard.samples, heard.classes, 1.35, "crimson"),
        ):
            inside = (samples >= first) & (samples < end)
            figure.add_trace(
                go.Scatter(x=samples[inside] / heard.fs, y=np.full(inside.sum(), place * top),
                           mode="text", text=labels[inside], textfont={"color": colour}),
                row, 1,
            )  # fmt: skip
    figure.update_xaxes(title_text="s", row=len(centres), col=1)
    figure.update_layout(showlegend=False)
    title = (
        f"{heard.name}, {record.leads[0]}: {len(wrong)} beats wrong; annotated black, called red"
    )
    return _titled(figure, title, height=200 * len(centres) + 100)


def _titled(figure: go.Figure, title: str, *, height: int = 420) -> go.Figure:
    figure.update_layout(title=title, template="plotly_white", height=height)
    return figure

"""Figures of what was: strips around alarms and trends; pure functions of what the view knows."""

import html
import math
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, tzinfo

import numpy as np
import plotly.graph_objects as go
from msgspec import structs

from ecg.chunk import MISSING
from stream.view import Stretch, TrendMessage, adu_per_mv

GREEN = "#35ff7a"
_PAPER = {"plot_bgcolor": "#000000", "paper_bgcolor": "#000000", "font": {"color": "#d7e3dc"}}
_BAND_MV = 4.0
"""Height of one lead in a strip, in mV."""
_PX_PER_MM = 96 / 25.4
_GAP_NS = 90 * 10**9
"""Minutes begin a minute apart: between two that are further apart some are missing."""


def strip_figure(strip: Stretch, *, title: str = "") -> go.Figure:
    """Return a strip on ECG paper: 25 mm/s, 10 mm/mV, one lead over the other.

    Samples travel as float32 with their step, a third of the bytes of x and y
    as floats; a missing sample is a gap.

    Parameters
    ----------
    strip : Stretch
        Samples of shape (n_samples, n_leads).
    title : str
        What stands over it.
    """
    signals = [
        (n, signal, gain)
        for n, signal in enumerate(strip.signals)
        if signal.kind == "ecg" and (gain := adu_per_mv(signal)) is not None
    ]
    seconds = len(strip.samples) / strip.fs
    figure = go.Figure()
    for row, (column, signal, gain) in enumerate(signals):
        adc = strip.samples[:, column]
        there = adc != MISSING
        middle = float(np.median(adc[there])) if np.any(there) else 0.0
        shift = -row * _BAND_MV
        name = _plain(signal.name)
        millivolts = np.where(there, (adc.astype(np.float64) - middle) / gain + shift, np.nan)
        figure.add_trace(
            go.Scatter(
                x0=0.0,
                dx=1 / strip.fs,
                y=millivolts.astype(np.float32),
                mode="lines",
                line={"color": GREEN, "width": 1.3},
                name=name,
                hovertemplate="%{x:.2f} s",
                connectgaps=False,
            )
        )
        figure.add_annotation(
            x=0,
            y=shift + 1.6,
            text=f"<b>{name}</b>",
            showarrow=False,
            xanchor="left",
            font={"color": GREEN},
        )
    low = -(len(signals) - 1) * _BAND_MV - _BAND_MV / 2
    grid = {"gridcolor": "#0d3320", "zeroline": False, "showticklabels": False}
    minor = {"showgrid": True, "gridcolor": "#06180e"}
    figure.update_layout(
        **_PAPER,
        title={"text": _plain(title), "font": {"size": 15}},
        showlegend=False,
        margin={"l": 10, "r": 10, "t": 40 if title else 10, "b": 30},
        height=round(10 * _BAND_MV * max(1, len(signals)) * _PX_PER_MM) + 70,
        xaxis={
            **grid,
            "range": [0, math.ceil(seconds)],
            "dtick": 0.2,
            "minor": {**minor, "dtick": 0.04},
            "fixedrange": False,
        },
        yaxis={
            **grid,
            "range": [low, _BAND_MV / 2],
            "dtick": 0.5,
            "minor": {**minor, "dtick": 0.1},
            "fixedrange": True,
        },
    )
    figure.add_annotation(
        x=0,
        y=0,
        xref="paper",
        yref="paper",
        yshift=-24,
        xanchor="left",
        showarrow=False,
        text="25 mm/s · 10 mm/mV when 1 s is 25 mm wide · unfiltered",
        font={"size": 11},
    )
    return figure


def trend_figure(
    minutes: Sequence[TrendMessage],
    *,
    hours: float,
    now_ns: int,
    limits: tuple[float, float] | None,
    zone: tzinfo | None,
) -> go.Figure:
    """Return heart rate and ventricular beats a minute over the last hours.

    Minutes that could not be judged, or of which nothing came, are gaps.

    Parameters
    ----------
    minutes : sequence of TrendMessage
        One-minute summaries as they came: a source whose clock was ahead is set right.
    hours : float
        How far back the figure reaches.
    now_ns : int
        Its right edge, ns UTC.
    limits : (float, float), optional
        Low and high limit of the heart rate, drawn as lines.
    zone : tzinfo, optional
        In which the times are; None is this machine's.
    """
    since_ns = now_ns - round(hours * 3600e9)
    shown = _with_gaps(minute for minute in minutes if minute.start_ns >= since_ns)
    # a figure shows what it is given and knows no zones
    times = [_time(minute.start_ns, zone).replace(tzinfo=None) for minute in shown]
    ends = [_time(ns, zone).replace(tzinfo=None) for ns in (since_ns, now_ns)]
    figure = go.Figure()
    for name, values, width in (
        ("HR highest", [minute.heart_rate_max for minute in shown], 0.8),
        ("HR mean", [minute.heart_rate_mean for minute in shown], 2.2),
        ("HR lowest", [minute.heart_rate_min for minute in shown], 0.8),
    ):
        figure.add_trace(
            go.Scatter(
                x=times,
                y=values,
                name=name,
                mode="lines+markers",
                connectgaps=False,
                marker={"size": 2 * width},
                line={"color": GREEN, "width": width},
            )
        )
    figure.add_trace(
        go.Bar(
            x=times,
            y=[minute.beats.get("V", 0) for minute in shown],
            name="V per minute",
            width=50_000,
            marker={"color": "#ff4d4d"},
            yaxis="y2",
        )
    )
    for limit in limits or ():
        figure.add_hline(y=limit, line={"color": "#ffd800", "width": 1, "dash": "dot"})
    axis = {"gridcolor": "#16241d", "zeroline": False, "rangemode": "tozero"}
    figure.update_layout(
        **_PAPER,
        height=380,
        margin={"l": 50, "r": 20, "t": 20, "b": 40},
        legend={"orientation": "h", "y": 1.12},
        xaxis={
            "range": ends,
            "gridcolor": "#16241d",
            "title": {"text": _time(now_ns, zone).strftime("%Z")},
        },
        yaxis={**axis, "title": {"text": "HR, 1/min"}, "domain": [0.36, 1]},
        yaxis2={**axis, "title": {"text": "V/min"}, "domain": [0, 0.28]},
    )
    return figure


def _with_gaps(minutes: Iterable[TrendMessage]) -> list[TrendMessage]:
    """Return the minutes in the order of time, with an empty one wherever some are missing."""
    shown: list[TrendMessage] = []
    for minute in sorted(minutes, key=lambda minute: minute.start_ns):
        if shown and minute.start_ns - shown[-1].start_ns > _GAP_NS:
            empty = structs.replace(
                shown[-1],
                start_ns=shown[-1].start_ns + 60 * 10**9,
                heart_rate_mean=None,
                heart_rate_min=None,
                heart_rate_max=None,
                beats={},
            )
            shown.append(empty)
        shown.append(minute)
    return shown


def _time(ns: int, zone: tzinfo | None) -> datetime:
    return datetime.fromtimestamp(ns / 1e9, tz=UTC).astimezone(zone)


def _plain(text: str) -> str:
    """Return text of which a figure makes no markup: names come from outside."""
    return html.escape(text, quote=False)

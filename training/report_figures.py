"""The figures of an evaluation's report."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from training.calibration import BINS
from training.heard import Heard

COLOURS = {"N": "#6b7280", "S": "#2563eb", "V": "#dc2626", "F": "#9333ea", "Q": "#d97706"}


def confusion(card: dict[str, Any]) -> go.Figure:
    """Draw what each annotated class was called; shades are shares of a row."""
    told = card["confusion"]
    counts = np.array(told["counts"])
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    # nothing is missed or judged where there is no beat and no detection
    text = [[f"{n:,}" if n else "" for n in row] for row in counts.tolist()]
    figure = go.Figure(
        go.Heatmap(
            z=share,
            x=[f"called {c}" if len(c) == 1 else c for c in told["called"]],
            y=told["annotated"],
            text=text,
            texttemplate="%{text}",
            hovertemplate="annotated %{y}, %{x}: %{z:.1%} of the row<extra></extra>",
            colorscale=[[0, "#ffffff"], [0.02, "#eff6ff"], [0.3, "#93c5fd"], [1, "#1d4ed8"]],
            zmin=0,
            zmax=1,
            xgap=2,
            ygap=2,
            showscale=False,
        )
    )
    figure.update_yaxes(autorange="reversed", title_text="annotated", showgrid=False)
    figure.update_xaxes(side="top", showgrid=False)
    return _framed(figure, height=380, top=40)


def by_record(card: dict[str, Any]) -> go.Figure:
    """Draw F1 of S and V for each record that has such beats."""
    names = list(card["per_record"])
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.1)
    for row, beat_class in enumerate(("S", "V"), start=1):
        of = [card["per_record"][name] for name in names]
        place = card["confusion"]["annotated"].index(beat_class)
        figure.add_trace(
            go.Bar(
                x=names,
                y=[record["beats"][beat_class]["f1"] for record in of],
                customdata=[sum(record["counts"][place]) for record in of],
                text=[sum(record["counts"][place]) or "" for record in of],
                textposition="outside",
                cliponaxis=False,
                hovertemplate="record %{x}: F1 %{y:.3f} of %{customdata} beats<extra></extra>",
                marker_color=COLOURS[beat_class],
            ),
            row,
            1,
        )
        figure.update_yaxes(title_text=f"F1 of {beat_class}", range=[0, 1.18], row=row, col=1,
                            tickvals=[0, 0.5, 1])  # fmt: skip
    figure.update_xaxes(type="category", tickangle=-45)
    figure.update_layout(showlegend=False)
    return _framed(figure, height=440, top=20)


def calibration(card: dict[str, Any]) -> go.Figure:
    """Draw how often a class was true where its probability lay in each tenth, and how many."""
    figure = make_subplots(
        rows=2, cols=1, shared_xaxes=True, row_heights=[0.72, 0.28], vertical_spacing=0.06
    )
    truthful = go.Scatter(
        x=[0, 1], y=[0, 1], mode="lines", line={"dash": "dot", "color": "#9ca3af"}, name="truthful"
    )
    figure.add_trace(truthful, 1, 1)
    middles = (np.arange(BINS) + 0.5) / BINS
    for beat_class in ("N", "S", "V"):
        found = card["calibration"][beat_class]
        error = "-" if found["ece"] is None else f"{found['ece']:.3f}"
        colour = COLOURS[beat_class]
        figure.add_trace(
            go.Scatter(
                x=found["said"],
                y=found["true"],
                mode="lines+markers",
                text=[f"{n:,} beats" for n in found["n"]],
                line={"color": colour},
                name=f"{beat_class}, expected error {error}",
            ),
            1,
            1,
        )
        # an empty bin has no place on a logarithmic scale
        n = [count or None for count in found["n"]]
        figure.add_trace(
            go.Bar(x=middles, y=n, marker_color=colour, showlegend=False, name=beat_class), 2, 1
        )
    figure.update_xaxes(title_text="probability that was said", row=2, col=1, range=[-0.02, 1.02])
    figure.update_yaxes(title_text="share that was true", row=1, col=1, range=[-0.02, 1.02])
    figure.update_yaxes(title_text="beats", type="log", dtick=1, row=2, col=1)
    return _framed(figure, height=560, top=20)


def delays(records: Sequence[Heard]) -> go.Figure:
    """Draw how long after its R peak each beat was decided."""
    found = np.concatenate([heard.delays_s for heard in records]) if records else np.empty(0)
    n, edges = np.histogram(found, bins=80, range=(0.0, 2.0))
    figure = go.Figure(
        go.Bar(x=(edges[1:] + edges[:-1]) / 2, y=n, width=edges[1] - edges[0],
               marker={"color": "#0f766e", "line": {"width": 0}})
    )  # fmt: skip
    if len(found):
        for share, at in ((50, 0.5), (95, 0.95)):
            figure.add_vline(
                x=float(np.quantile(found, at)),
                line={"dash": "dot", "color": "#111827"},
                annotation_text=f"p{share}",
            )
    figure.update_xaxes(title_text="s after the R peak", range=[0, 2.02])
    figure.update_yaxes(title_text="beats")
    return _framed(figure, height=320, top=30)


def bootstrap(card: dict[str, Any]) -> go.Figure:
    """Draw the figures with their 95 % intervals over patients."""
    ends = card["intervals_95"]
    rows = [("accuracy", card["accuracy"], ends["accuracy"])]
    for beat_class in ("F", "S", "V"):
        for key, name in (("f1", "F1"), ("ppv", "+P"), ("se", "Se")):
            rows.append(
                (f"{beat_class} {name}", card["beats"][beat_class][key],
                 ends["beats"][beat_class][key])
            )  # fmt: skip
    for key, name in (("ppv", "+P"), ("se", "Se")):
        rows.append((f"QRS {name}", card["qrs"][key], ends["qrs"][key]))
    known = [(name, value, within) for name, value, within in rows if value is not None]
    spans = [within or [value, value] for _, value, within in known]
    figure = go.Figure(
        go.Scatter(
            x=[value for _, value, _ in known],
            y=[name for name, _, _ in known],
            mode="markers",
            marker={
                "size": 9,
                "color": [COLOURS.get(n.split()[0], "#111827") for n, _, _ in known],
            },
            error_x={
                "type": "data",
                "symmetric": False,
                "array": [high - v for (_, v, _), (_, high) in zip(known, spans, strict=True)],
                "arrayminus": [v - low for (_, v, _), (low, _) in zip(known, spans, strict=True)],
                "color": "#6b7280",
            },
            hovertemplate="%{y}: %{x:.3f}<extra></extra>",
        )
    )
    figure.update_xaxes(range=[-0.02, 1.02], title_text="fraction")
    return _framed(figure, height=420, top=20)


def seeds(card: dict[str, Any]) -> go.Figure:
    """Draw F1 of each seed."""
    figure = go.Figure()
    for key, name, colour in (
        ("V", "V", COLOURS["V"]),
        ("S", "S", COLOURS["S"]),
        ("S_without_232_219", "S without 232 and 219", "#93c5fd"),
    ):
        f1 = [seed[key]["f1"] for seed in card["seeds"]]
        figure.add_trace(
            go.Box(
                y=f1,
                name=name,
                boxpoints="all",
                jitter=0.4,
                pointpos=0,
                marker={"color": colour, "size": 9},
            )
        )
    figure.update_yaxes(title_text="F1", range=[0, 1.02])
    figure.update_layout(showlegend=False)
    return _framed(figure, height=380, top=20)


def _framed(figure: go.Figure, *, height: int, top: int) -> go.Figure:
    figure.update_layout(
        template="plotly_white",
        height=height,
        margin={"t": top, "b": 50, "l": 70, "r": 30},
        font={"family": "system-ui, sans-serif", "size": 13},
    )
    return figure

"""Detection in noise as curves, from the figures of ``python -m benchmarks.qrs --json``."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
from plotly.colors import qualitative
from plotly.subplots import make_subplots

from training.errors import FiguresError

NAMES = {"em": "electrode motion", "bw": "baseline wander", "ma": "muscle"}


def read_curves(path: str | Path) -> Mapping[str, Any]:
    """Return the part ``noise`` of a file of figures.

    Raises
    ------
    FiguresError
        If it is no such file.
    """
    try:
        noise = json.loads(Path(path).read_text(encoding="utf-8"))["noise"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FiguresError(
            f"{path} holds no noise curves: name what python -m benchmarks.qrs --json wrote"
        ) from error
    if not isinstance(noise, Mapping):
        raise FiguresError(f"the noise curves in {path} must be by records, got {noise!r}")
    return noise


def noise_curves(noise: Mapping[str, Any]) -> go.Figure:
    """Return F1 over the signal-to-noise ratio, one panel a noise and group of records.

    Parameters
    ----------
    noise : mapping
        The part ``noise`` of the figures: group of records, noise, dB, detector, and then
        ``se``, ``ppv`` and ``f1`` as fractions.
    """
    groups = list(noise)
    kinds = list(noise[groups[0]]) if groups else []
    figure = make_subplots(
        rows=max(len(groups), 1),
        cols=max(len(kinds), 1),
        shared_yaxes=True,
        subplot_titles=[f"{NAMES.get(kind, kind)}, {group}" for group in groups for kind in kinds],
    )
    shown: list[str] = []
    for row, group in enumerate(groups, start=1):
        for column, kind in enumerate(kinds, start=1):
            rows = noise[group][kind]
            detectors = list(next(iter(rows.values()), {}))
            for detector in detectors:
                new = detector not in shown
                if new:
                    shown.append(detector)
                trace = go.Scatter(
                    x=[float(snr) for snr in rows],
                    y=[100 * (scores[detector]["f1"] or 0.0) for scores in rows.values()],
                    name=detector,
                    legendgroup=detector,
                    showlegend=new,
                    mode="lines+markers",
                    line={
                        "color": qualitative.Plotly[
                            shown.index(detector) % len(qualitative.Plotly)
                        ],
                        "width": 3 if detector.startswith("RhythmWatch") else 1.5,
                    },
                )
                figure.add_trace(trace, row, column)
    # the harder, the further to the right
    figure.update_xaxes(title_text="signal-to-noise ratio, dB", autorange="reversed")
    figure.update_yaxes(title_text="F1 of QRS detection, %", col=1)
    figure.update_layout(template="plotly_white", height=max(380 * len(groups), 380))
    return figure


def write_noise_curves(noise: Mapping[str, Any], path: Path) -> None:
    """Write the curves as an HTML page that needs nothing else."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise_curves(noise).write_html(path, include_plotlyjs=True, full_html=True)

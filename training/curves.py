"""The report of a fit: its curves as one HTML page that needs nothing else."""

from collections.abc import Sequence
from pathlib import Path

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from training.fit import Epoch

_SHOWN = ("N", "S", "V", "F", "artefact")


def write_curves(epochs: Sequence[Epoch], path: Path, *, title: str) -> None:
    """Write loss and validation F1 over the epochs.

    Parameters
    ----------
    epochs : sequence of Epoch
        Of the fit that had validation records.
    path : Path
        Where the HTML page goes.
    title : str
        Says what was fitted on what.
    """
    figure = make_subplots(
        rows=1, cols=2, subplot_titles=("Loss", "F1 on the validation patients' detected beats")
    )
    numbers = [epoch.number for epoch in epochs]
    figure.add_trace(go.Scatter(x=numbers, y=[e.loss for e in epochs], name="training"), 1, 1)
    figure.add_trace(
        go.Scatter(x=numbers, y=[e.validation_loss for e in epochs], name="validation"), 1, 1
    )
    for name in _SHOWN:
        figure.add_trace(go.Scatter(x=numbers, y=[e.f1.get(name) for e in epochs], name=name), 1, 2)
    figure.update_xaxes(title_text="epoch")
    figure.update_yaxes(range=[0, 1], row=1, col=2)
    figure.update_layout(title=title, template="plotly_white", height=480)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.write_html(path, include_plotlyjs=True, full_html=True)

"""The report of a fit: its curves as one HTML page that needs nothing else."""

from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from training.fit import Epoch

_SHOWN = ("N", "S", "V", "F", "artefact")


def write_curves(fits: Sequence[Sequence[Epoch]], path: Path, *, title: str) -> None:
    """Write loss and validation F1 over the epochs, the mean of the members.

    Parameters
    ----------
    fits : sequence of sequence of Epoch
        Of each member, with the patients that it did not learn from.
    path : Path
        Where the HTML page goes.
    title : str
        Says what was fitted on what.
    """
    figure = make_subplots(
        rows=1, cols=2, subplot_titles=("Loss", "F1 of the detected beats of unknown patients")
    )
    numbers = [epoch.number for epoch in fits[0]]
    together = list(zip(*fits, strict=True))

    def show(value: Callable[[Epoch], float], name: str, column: int) -> None:
        mean = [fmean(map(value, members)) for members in together]
        figure.add_trace(go.Scatter(x=numbers, y=mean, name=name), 1, column)

    show(lambda e: e.loss, "training", 1)
    show(lambda e: e.validation_loss or 0.0, "validation", 1)
    for shown in _SHOWN:
        show(lambda e, shown=shown: e.f1.get(shown, 0.0), shown, 2)  # type: ignore[misc]  # of a default
    figure.update_xaxes(title_text="epoch")
    figure.update_yaxes(range=[0, 1], row=1, col=2)
    figure.update_layout(title=title, template="plotly_white", height=480)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.write_html(path, include_plotlyjs=True, full_html=True)

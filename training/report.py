"""The report of an evaluation: one HTML page with its figures, and the strips judged wrong."""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import plotly.graph_objects as go

from training import report_figures as draw
from training.anchors import ANCHORS
from training.heard import Heard
from training.noise_curves import noise_curves
from training.strips import strips
from training.tables import conditions_of, percent, rows_of

_STYLE = """
body{font-family:system-ui,sans-serif;max-width:1100px;margin:2em auto;padding:0 1.2em;
color:#111827;line-height:1.45}
h1{margin-bottom:.2em}h2{margin-top:2.2em;border-bottom:1px solid #e5e7eb;padding-bottom:.2em}
table{border-collapse:collapse;font-variant-numeric:tabular-nums}
td,th{padding:.3em .9em;border-bottom:1px solid #e5e7eb;text-align:right}
td:first-child,th:first-child,td.words,th.words{text-align:left}
tr.ours{font-weight:600;background:#f0fdf4}
.note{color:#4b5563}
"""

_LABEL = {"S_without_232_219": "S without 232 and 219"}


def write_report(
    path: str | Path,
    card: dict[str, Any],
    records: Sequence[Heard],
    *,
    directory: str | Path,
    names: Sequence[str],
    model: str,
    noise: Mapping[str, Any] | None = None,
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
    names : sequence of str
        What each is called there: ``Heard`` leaves ``.edf`` out.
    model : str
        Version of the model that judged.
    noise : mapping, optional
        Noise curves, as ``training.noise_curves.read_curves`` gives them.

    Raises
    ------
    RecordError
        If a record cannot be read any more.
    """
    page = _Page(f"Evaluation of {model}")
    page.text(
        f"Records of {Path(directory).name}: {', '.join(card['records'])}. {conditions_of(card)} "
        f"How F called V counts: {card['f_counts_as_v_is']}. "
        "Not a medical device; not for clinical use."
    )
    page.heading("Figures")
    page.table(("%", "Se", "+P", "F1", "F1, 95 %"), rows_of(card))
    page.text(
        f"Accuracy {percent(card['accuracy'])} %: annotated beats that were found and given their "
        "class."
    )
    page.heading("How sure the figures are")
    page.figure(draw.bootstrap(card), f"95 % intervals by {card['intervals_95']['how']}.")
    if "seeds" in card:
        _seeds(page, card)
    page.heading("Beside what is published")
    _anchors(page, card)
    page.heading("What each annotated class was called")
    page.figure(draw.confusion(card), "Beats; the darker, the larger the share of the row.")
    page.heading("Record by record")
    page.figure(
        draw.by_record(card),
        "Over each bar the number of annotated beats; without a bar there are none, or no F1.",
    )
    page.heading("Calibration")
    page.figure(
        draw.calibration(card),
        "Where the curve lies under the dots the model promises too much. Below: how many beats "
        "were given such a probability.",
    )
    page.heading("When a beat could be judged")
    page.figure(draw.delays(records), "Delay of the decision after the R peak, all beats.")
    if noise is not None:
        page.heading("Detection in noise")
        page.figure(noise_curves(noise), "From the figures of benchmarks.qrs.")
    page.heading("Strips judged wrong")
    page.text(
        "The records with most wrong beats, and three places of each. Upper letters: annotated; "
        "lower letters: called (U: found, not judged). Red: they differ, or one is missing."
    )
    paths = [Path(directory) / name for name in names]
    for strip in strips(records, paths, from_s=float(card["scored_from_s"])):
        page.figure(strip)
    page.write(Path(path))


class _Page:
    """A page that grows from top to bottom; plotly.js is in it once."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._parts = [f"<h1>{escape(title)}</h1>"]
        self._has_plotly = False

    def heading(self, text: str) -> None:
        self._parts.append(f"<h2>{escape(text)}</h2>")

    def text(self, text: str) -> None:
        self._parts.append(f'<p class="note">{escape(text)}</p>')

    def table(
        self,
        head: Sequence[str],
        rows: Sequence[Sequence[str]],
        *,
        ours: int | None = None,
        words: Sequence[int] = (0,),
    ) -> None:
        """Add a table; row ``ours`` stands out, columns ``words`` are set left."""

        def row(cells: Sequence[str], tag: str) -> str:
            return "".join(
                f"<{tag} class=words>{escape(cell)}</{tag}>"
                if k in words
                else f"<{tag}>{escape(cell)}</{tag}>"
                for k, cell in enumerate(cells)
            )

        body = "".join(
            f"<tr{' class=ours' if k == ours else ''}>{row(cells, 'td')}</tr>"
            for k, cells in enumerate(rows)
        )
        self._parts.append(f"<table><tr>{row(head, 'th')}</tr>{body}</table>")

    def figure(self, figure: go.Figure, caption: str = "") -> None:
        drawn = figure.to_html(
            full_html=False,
            include_plotlyjs=not self._has_plotly,
            config={"displaylogo": False, "responsive": True},
        )
        self._has_plotly = True
        self._parts.append(drawn)
        if caption:
            self.text(caption)

    def write(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            '<!doctype html><html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width">'
            f"<title>{escape(self._title)}</title><style>{_STYLE}</style></head>"
            f"<body>{''.join(self._parts)}</body></html>",
            encoding="utf-8",
        )


def _seeds(page: _Page, card: dict[str, Any]) -> None:
    page.figure(draw.seeds(card), f"The same with {len(card['seeds'])} models of other seeds.")
    mean, sd = card["seeds_mean"], card["seeds_sd"]
    page.table(
        ("F1 over seeds, %", "mean", "standard deviation"),
        [
            (_LABEL.get(key, key), percent(mean[key]["f1"]), percent(sd[key]["f1"]))
            for key in ("V", "S", "S_without_232_219")
        ],
    )


def _anchors(page: _Page, card: dict[str, Any]) -> None:
    def shown(values: Sequence[float | None]) -> list[str]:
        return ["-" if value is None else f"{value:.1f}" for value in values]

    def ours(beat_class: str) -> list[str]:
        score = card["beats"][beat_class]
        return shown([None if score[k] is None else 100 * score[k] for k in ("se", "ppv", "f1")])

    rows = [
        ["these records", "own detector, causal, decided within 2.0 s", *ours("S"), *ours("V")],
        *([one.work, one.conditions, *shown(one.s), *shown(one.v)] for one in ANCHORS),
    ]
    page.table(
        ("%", "conditions", "S Se", "+P", "F1", "V Se", "+P", "F1"), rows, ours=0, words=(0, 1)
    )
    page.text(
        "Published figures are of DS2 of the MIT-BIH Arrhythmia Database, learnt from DS1; they "
        "compare with ours only where the records are those of DS2."
    )

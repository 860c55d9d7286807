"""A page about a model, from the card beside its weights and the figures of an evaluation."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

from ecg.checkpoint import read_card
from ecg.errors import CheckpointError
from training.noise import DATABASE as NOISE
from training.page import BEGIN, END
from training.tables import markdown_of

LIMITS = (
    "Beats are judged from one or two leads at 125 Hz. ST segments, QT and 12-lead patterns are "
    "out of its scope.",
    "Pacemakers: records of paced patients taught it nothing, as EC57 leaves them out.",
    "S beats are its weak side, mostly where the atrial rhythm is ectopic throughout. In atrial "
    "fibrillation, which a small LSTM over RR intervals tells (`ecg/fibrillation.py`), what looks "
    "S is called N, and some beats elsewhere are taken for that. F beats come almost all from a "
    "few patients.",
    "Ventricular tachycardia that lasts was learnt from a dozen people whose rhythms are marked, "
    "not their beats; where it looks like the person's other beats it is missed.",
    "Ventricular fibrillation was learnt from a dozen people; QRS complexes as wide as its waves, "
    "at a high rate, may be called so. Asystole was learnt from simulated patients and a few "
    "recorded seconds.",
    "The people it learnt from are few. Of children, of other devices and of other electrodes "
    "nothing is known.",
    "DS2 has been seen by the field for twenty years, and by us as often as the log says: figures "
    "on it are no promise for other people.",
)
"""What the model cannot do, or nobody has shown that it can."""


def write_model_card(
    weights: Path, *, figures: Path | None = None, out: Path | None = None
) -> Path:
    """Write the page.

    Parameters
    ----------
    weights : Path
        The model; its card lies beside it.
    figures : Path, optional
        JSON of an evaluation of this model. Without it the page keeps the figures it
        has, if they are of this model.
    out : Path, optional
        The page; ``README.md`` beside the weights without it.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    CheckpointError
        If there is no card, or the figures are no evaluation or another model's.
    """
    card = read_card(weights)
    page = out or weights.with_name("README.md")
    begin = BEGIN.format(name=card["version"])
    if figures is not None:
        found = _evaluation(figures)
        if found.get("model") != card["version"]:
            raise CheckpointError(
                f"{figures} has figures of {found.get('model')}, and {weights.name} is "
                f"{card['version']}: evaluate that model"
            )
        shown = f"Records: {', '.join(found['records'])}. {markdown_of(found)}"
    else:
        before = page.read_text(encoding="utf-8") if page.exists() else ""
        kept, _, _ = before.partition(begin)[2].partition(END)
        shown = kept.lstrip("\n") or "Not measured yet, or not noted here.\n"
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(_page(card, f"{begin}\n{shown}{END}"), encoding="utf-8")
    return page


def _evaluation(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(
            f"{path} holds no figures, write it by `rhythmwatch evaluate --json {path}`: {error}"
        ) from None
    if not isinstance(found, dict) or "records" not in found:
        raise CheckpointError(
            f"{path} holds other figures than those of `rhythmwatch evaluate --json {path}`"
        )
    return found


def _page(card: dict[str, Any], figures: str) -> str:
    """Return the page; ``figures`` stand between their markers."""
    made = card.get("made_with", {})
    parameters = card.get("parameters", {})
    lines = [
        f"# Model card of {card['version']}",
        "",
        "Written from the card beside the weights (`.json`) by `rhythmwatch model-card`.",
        "",
        "## Intended use",
        "",
        card.get("intended_use", "Not said."),
        "",
        "## What it is",
        "",
        f"- Architecture: {card['architecture']}, "
        + ", ".join(f"{name} {value}" for name, value in card["size"].items())
        + ".",
        *(f"- Parameters of the part for {k}: {n:,}." for k, n in parameters.items()),
        f"- Its probabilities are calibrated with one temperature, {card['temperature']}.",
        f"- Beats: {', '.join(card['features']['outputs'])}. "
        f"Rhythms: {', '.join(card['features']['rhythms'])}.",
    ]
    if "made_of" in card:
        made_of = card["made_of"]
        seeds = ", ".join(str(seed) for seed in made_of["seeds"])
        lines.append(f"- Made of the models of seeds {seeds}: {made_of['rule']}; none was chosen.")
    lines += ["", "## Data and licence", "", card.get("licence", "Not said."), ""]
    lines += [f"- {source}" for source in card.get("sources", [])]
    for title, records in (
        ("beats", card.get("records", [])),
        ("rhythms", card.get("rhythm", {}).get("records", [])),
        ("beats without labels, by what the student's teachers think", card.get("opinions", [])),
    ):
        if records:
            counts = Counter(record.split("/")[0] for record in records)
            of = ", ".join(f"{n} of {database}" for database, n in counts.items())
            lines += ["", f"Records that taught {title}: {of}."]
    if NOISE in card["databases"]:
        lines += ["", f"Those whose beats are named taught twice again, in noise of {NOISE}."]
    if "beats" in card:
        counted = ", ".join(f"{name} {n:,}" for name, n in card["beats"].items())
        lines += ["", f"Beats by class: {counted}."]
    lines += [
        "",
        "Of the MIT-BIH Arrhythmia Database only records of DS1 are among them; of the persons of "
        "DS2 one, 202, also is in DS1, as 201, in this split as in every published one.",
        "",
        "## Figures",
        "",
        figures,
        "",
    ]
    lines += [*_cross_validation(card), "## Limits", "", *(f"- {limit}" for limit in LIMITS), ""]
    lines += ["## How to make it again", "", "```console", "$ rhythmwatch records download mitdb"]
    lines += [f"$ rhythmwatch records download {d}" for d in card["databases"] if d != "mitdb"]
    lines += [f"$ {made.get('command', 'rhythmwatch train')}", "```", ""]
    versions = [f"{name} {made[name]}" for name in ("torch", "numpy", "python") if name in made]
    if versions:
        lines += [f"Made with {', '.join(versions)}.", ""]
    return "\n".join(lines)


def _cross_validation(card: dict[str, Any]) -> list[str]:
    found = card.get("cross_validation_of_single_members")
    if not found:
        return []
    lines = [
        "Cross-validation on the records that taught, detected beats only, each person judged by "
        "members that did not know the person, and called as the monitor calls it (what tells "
        "atrial fibrillation may have heard the person's intervals). Where people named rhythms "
        "and no beats (vfdb), those count that a rhythm says something of. An F called V, or a Q "
        "called S or V, counts as false here, unlike above:",
        "",
        "| database | S Se | +P | F1 | V Se | +P | F1 |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for database, of in found.items():
        if not any(of.get(c, {}).get("f1") for c in ("S", "V")):
            continue  # nobody has named its S and V
        cells = [
            # where nobody named a class, all of its figures are 0
            f"{100 * of[c][key]:.2f}" if of.get(c, {}).get("f1") else "-"
            for c in ("S", "V")
            for key in ("se", "ppv", "f1")
        ]
        lines.append(f"| {database} | {' | '.join(cells)} |")
    return [*lines, ""]

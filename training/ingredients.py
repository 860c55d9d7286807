"""The rows of the table of ingredients: what each leaves out, beside the live path's model."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from training.variant import Variant

Peaks = Literal["detected", "annotated"]
"""Whose R peaks: our detector's, or people's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row of the table: what differs from the live path's model."""

    name: str
    variant: Variant = field(default_factory=Variant)
    taught: Peaks = "detected"
    examined: Peaks = "detected"
    svdb: bool = True
    noise: bool = True
    """Whether records teach again in noise, twice."""
    tachycardia: bool = True
    """Whether records teach in which only rhythms are marked, and much of it is tachycardia. Nobody
    marked R peaks there, and ours lie now here and now there on waves so wide: beside people's R
    peaks they would teach what never comes."""
    even: bool = True
    """Whether records with many and with few S or V beats teach alike."""
    gate: bool = True
    """Whether no beat is called S in atrial fibrillation."""
    steepness: float = 1.0
    """Times the learning rate of the others, for a model that needs longer steps to get anywhere in
    the few there are."""


_SCALARS = ("pre RR", "post RR", "template", "usual size")

LIVE = "(c) own R, causal: live"
ROWS = (
    Row(
        name="`PlainLSTM` over samples, last output",
        variant=Variant(network="plain", augment=False),
        noise=False,
        even=False,
        gate=False,
    ),
    Row(
        name="logistic regression on RR ratios and template scalars",
        variant=Variant(network="linear", keep=_SCALARS, augment=False),
        noise=False,
        even=False,
        gate=False,
        steepness=30.0,
    ),
    Row(
        name="(a) annotated R, the whole record: one LSTM each way",
        variant=Variant(network="both ways"),
        taught="annotated",
        examined="annotated",
        tachycardia=False,
    ),
    Row(
        name="(b) annotated R, causal",
        taught="annotated",
        examined="annotated",
        tachycardia=False,
    ),
    Row(name=LIVE),
    Row(name="(c) without telling atrial fibrillation", gate=False),
    Row(name="(c) without RR intervals", variant=Variant(blank=("RR", "no beat after"))),
    Row(
        name="(c) without templates",
        variant=Variant(templates=False, blank=("template",)),
    ),
    Row(name="(c) without augmentation", variant=Variant(augment=False)),
    Row(name="(c) without records in noise", noise=False),
    Row(name="(c) without ventricular tachycardias of vfdb", tachycardia=False),
    Row(name="(c) with every S and V beat counted alike, not every record", even=False),
    Row(name="(c) without svdb", svdb=False),
    Row(
        name="(c) without artefacts: learnt at annotated R",
        taught="annotated",
        tachycardia=False,
    ),
    Row(name="(c) without memory", variant=Variant(memory=False)),
    Row(
        name="(c) without look-ahead",
        variant=Variant(blank=("post RR", "no beat after")),
    ),
)


def rows_named(words: Sequence[str]) -> tuple[Row, ...]:
    """Return the rows in whose names one of these words stands; all if there is no word.

    Raises
    ------
    ValueError
        If a word stands in no name.
    """
    for word in words:
        if not any(word in row.name for row in ROWS):
            names = "; ".join(row.name for row in ROWS)
            raise ValueError(f"no row of the table has {word!r} in its name; there are: {names}")
    return tuple(row for row in ROWS if not words or any(word in row.name for word in words))

"""What is published on DS2 of MIT-BIH, to stand beside our figures."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """One published result, % on DS2 after learning from DS1; None where it is not given."""

    work: str
    conditions: str
    s: tuple[float | None, float | None, float | None]
    """Se, +P and F1 of S."""
    v: tuple[float | None, float | None, float | None]
    """The same of V."""


_WHOLE = "annotated R peaks; nearly all: beats that follow known"

ANCHORS = (
    Anchor(work="de Chazal 2004", conditions=_WHOLE, s=(75.9, 38.5, 51.1), v=(77.7, 81.9, 79.7)),
    Anchor(work="Llamedo 2011", conditions=_WHOLE, s=(77, 39, 51.8), v=(81, 87, 83.9)),
    Anchor(work="Z. Zhang 2014", conditions=_WHOLE, s=(79.1, 36.0, 49.5), v=(85.5, 92.7, 89.0)),
    Anchor(work="Huang 2014", conditions=_WHOLE, s=(91, 42, 57.5), v=(94, 91, 92.5)),
    Anchor(
        work="plain deep net, in Luo 2017",
        conditions=_WHOLE,
        s=(15.4, 47.3, 23.2),
        v=(60.4, 66.8, 63.4),
    ),
    Anchor(work="Niu 2020", conditions=_WHOLE, s=(None, None, 76.6), v=(None, None, 89.7)),
    Anchor(work="Xu 2022", conditions=_WHOLE, s=(None, None, 82.8), v=(None, None, 91.7)),
    Anchor(
        work="Kiranyaz 2016",
        conditions="annotated R peaks, labels of each examined patient",
        s=(64.6, 62.1, 63.3),
        v=(95.0, 89.5, 92.2),
    ),
)
"""F1 is computed from Se and +P where a paper gives those."""

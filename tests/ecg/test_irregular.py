"""Atrial fibrillation by its RR intervals, and what is not said there."""

from collections.abc import Sequence

import numpy as np
import pytest

from ecg.draft import Draft, add_beats
from ecg.irregular import FIBRILLATION, irregularity, note_rr
from ecg.kernel import BEAT, blank
from ecg.lead import LeadChoice
from ecg.model import OUTPUTS
from ecg.roster import Place
from ecg.state import RR_MEMORY


def heard(intervals: Sequence[float]) -> float:
    """Return the irregularity after RR intervals, each noted with the next one known."""
    s = blank()[0]
    s["pending_n"] = 2
    for k, rr in enumerate(intervals[:-1]):
        for newer in (k, k + 1):
            s["rr"][newer % RR_MEMORY] = intervals[newer]
        s["rr_n"] = k + 2
        note_rr(s, rr)
    return irregularity(s)


RNG = np.random.default_rng(4)
STEADY = 200 + RNG.normal(0, 2, 200)


@pytest.mark.parametrize(
    ("intervals", "low", "high"),
    [
        (STEADY, 0.0, 0.05),
        (np.where(np.arange(200) % 2, 140, 250), 0.0, 0.05),  # bigeminy
        (np.tile([200, 140, 260], 60), 0.0, 0.05),  # trigeminy
        (np.where(RNG.random(200) < 0.15, 130.0, STEADY), 0.0, 0.4),  # frequent extrasystoles
        (RNG.uniform(110, 330, 200), FIBRILLATION, 1.0),  # fibrillation
        (STEADY[:10], 0.0, 0.0),  # too few to say
    ],
)
def test_only_intervals_that_never_come_again_are_irregular(
    intervals: np.ndarray, low: float, high: float
) -> None:
    assert low <= heard(intervals.tolist()) <= high


def test_nothing_is_known_after_an_interval_that_is_not() -> None:
    fibrillating = RNG.uniform(110, 330, 100).tolist()
    assert heard(fibrillating) > FIBRILLATION
    assert heard([*fibrillating, -1.0, *STEADY[:5]]) == 0.0


@pytest.mark.parametrize(("irregular", "said"), [(0.5, "S"), (0.6, "N")])
def test_what_looks_s_is_n_in_fibrillation(irregular: float, said: str) -> None:
    choice = LeadChoice(leads=("II",), columns=(0,), why="by name")
    place = Place(patient="p", stream="s", fs=360.0, leads=("II",), choice=choice, slot=0,
                  next_sample=0)  # fmt: skip
    rows = np.zeros(1, BEAT)
    rows["irregularity"] = irregular
    shares = dict.fromkeys(OUTPUTS, 0.0) | {"N": 0.1, "S": 0.6, "V": 0.3}
    draft = Draft(place)
    add_beats({0: draft}, rows, np.zeros(1, np.int32), np.array([list(shares.values())]), "m")
    assert draft.beats is not None
    (beat,) = draft.beats
    assert beat.beat_class == said
    assert beat.probabilities is not None
    assert sum(beat.probabilities) == pytest.approx(1.0)
    assert (beat.probabilities[1] == 0.0) == (said != "S")

"""What a beat is called, and what is said of it."""

import numpy as np
import pytest

from ecg.call import ARTEFACT_CALLED, S_FROM, SURE_ARTEFACT, call
from ecg.draft import Draft, add_beats
from ecg.finding import BEAT_CLASSES
from ecg.kernel import BEAT
from ecg.lead import LeadChoice
from ecg.model import ARTEFACT, OUTPUTS
from ecg.roster import Place


def called(fibrillation: float = 0.0, **probabilities: float) -> tuple[list[float], str]:
    """Return the probabilities of the classes, and what a beat is called."""
    row = np.array([[probabilities.get(name, 0.0) for name in OUTPUTS]], np.float32)
    shares, (position,) = call(row, np.array([fibrillation]))
    return shares[0].tolist(), OUTPUTS[position]


@pytest.mark.parametrize(
    ("probabilities", "said"),
    [
        ({"N": 0.9, "S": 0.1}, "N"),
        ({"N": 1 - S_FROM - 0.01, "S": S_FROM + 0.01}, "S"),
        ({"N": 1 - S_FROM + 0.01, "S": S_FROM - 0.01}, "N"),
        ({"N": 0.3, "S": 0.3, "V": 0.4}, "V"),
        ({"N": 0.25, "S": 0.2, "V": 0.15, "F": 0.4}, "F"),
        ({"N": 0.1, "V": 0.3, ARTEFACT: 0.6 + 1e-6}, ARTEFACT),
        ({"N": 0.2, "V": 0.2, "S": 0.0, ARTEFACT: 0.6}, "N"),
    ],
)
def test_s_is_called_before_it_is_the_likeliest(probabilities: dict[str, float], said: str) -> None:
    shares, name = called(**probabilities)
    assert name == said
    assert sum(shares) == pytest.approx(1.0)


def test_what_cannot_be_a_beat_has_shares_that_are_numbers() -> None:
    shares, _ = called(**{ARTEFACT: 1.0})
    assert shares == [0.0] * len(BEAT_CLASSES)


def test_what_looks_s_is_n_as_much_as_the_atria_fibrillate() -> None:
    looks = {"N": 0.1, "S": 0.6, "V": 0.3}
    (n, s, *_), name = called(0.0, **looks)
    assert [n, s] == pytest.approx([0.1, 0.6])
    assert name == "S"
    (n, s, *_), name = called(0.9, **looks)
    assert [n, s] == pytest.approx([0.64, 0.06])
    assert name == "N"
    assert called(1.0, **looks)[0][1] == 0.0


def test_findings_say_what_was_called_and_not_what_is_surely_no_beat() -> None:
    choice = LeadChoice(leads=("II",), columns=(0,), why="by name")
    place = Place(patient="p", stream="s", fs=360.0, leads=("II",), choice=choice, slot=0,
                  next_sample=0)  # fmt: skip
    rows = np.zeros(3, BEAT)
    rows["sample"] = 100, 200, 300
    rows["fibrillation"] = 0.0, 0.95, 0.0
    looks = np.zeros((3, len(OUTPUTS)), np.float32)
    looks[:2, :3] = 0.1, 0.6, 0.3
    looks[2, ARTEFACT_CALLED] = SURE_ARTEFACT + 0.1
    looks[2, 0] = 0.2
    draft = Draft(place)
    add_beats({0: draft}, rows, np.zeros(3, np.int32), looks, "m")
    assert draft.beats is not None
    assert [(beat.sample, beat.beat_class) for beat in draft.beats] == [(100, "S"), (200, "N")]
    for beat in draft.beats:
        assert beat.probabilities is not None
        assert beat.score == pytest.approx(1.0 - beat.probabilities[0])

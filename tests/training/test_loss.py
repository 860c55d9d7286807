"""How far a model is from labels, and from what its teachers think."""

import pytest
import torch
from torch.nn.functional import cross_entropy

from ecg.model import OUTPUTS
from training.dataset import NORMAL, UNLABELLED
from training.loss import by_labels, by_opinion

N, S, V = (OUTPUTS.index(name) for name in "NSV")
ALIKE = torch.ones(len(OUTPUTS))


def sure_of(output: int, logit: float = 6.0) -> torch.Tensor:
    logits = torch.zeros(len(OUTPUTS))
    logits[output] = logit
    return logits


def test_where_all_count_alike_it_is_the_weighted_cross_entropy() -> None:
    torch.manual_seed(0)
    logits = torch.randn(20, len(OUTPUTS))
    targets = torch.randint(len(OUTPUTS), (20,))
    weights = torch.rand(len(OUTPUTS)) + 0.5
    loss = by_labels(logits, targets, torch.ones(20), weights)
    assert float(loss) == pytest.approx(float(cross_entropy(logits, targets, weight=weights)))


def test_beats_without_a_label_teach_nothing_and_others_what_they_count() -> None:
    logits = torch.stack([sure_of(N), sure_of(V), sure_of(S)])
    targets = torch.tensor([S, UNLABELLED, N])
    once, twice = (
        by_labels(logits, targets, torch.tensor([count, 7.0, 0.0]), ALIKE) for count in (1.0, 2.0)
    )
    assert float(twice) == pytest.approx(2 * float(once))


def test_in_normal_rhythm_teachers_are_heard_on_n_and_artefact_alone() -> None:
    thought = torch.full((1, len(OUTPUTS)), 0.1)
    thought[0, V] = 0.5
    says_v, says_n = sure_of(V)[None], sure_of(N)[None]
    free, normal = torch.tensor([UNLABELLED]), torch.tensor([NORMAL])
    assert by_opinion(says_v, free, thought) < by_opinion(says_n, free, thought)
    assert by_opinion(says_n, normal, thought) < by_opinion(says_v, normal, thought)

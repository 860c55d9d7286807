"""What a beat counts in the loss."""

from dataclasses import replace

import numpy as np
import pytest

from ecg.model import OUTPUTS
from tests.training.observed import sequence
from training.balance import of_classes, of_records
from training.dataset import UNLABELLED, BeatSequence

N, S, F = OUTPUTS.index("N"), OUTPUTS.index("S"), OUTPUTS.index("F")


def having(n_s: int, *, of: int = 1000) -> BeatSequence:
    one = sequence("made/0", seed=0)
    targets = np.full(of, N, np.int64)
    targets[:n_s] = S
    return replace(one, samples=np.arange(of), targets=targets)


def test_a_rare_class_counts_as_the_inverse_of_its_share_to_the_power() -> None:
    weights = of_classes([having(100)], 0.5)
    assert weights[S] / weights[N] == pytest.approx((0.9 / 0.1) ** 0.5)


def test_a_class_with_a_handful_of_beats_does_not_outshout_the_others() -> None:
    assert of_classes([having(1)], 1.0)[S] == of_classes([having(3)], 1.0)[S]


def test_records_with_many_and_with_few_s_beats_teach_nearly_as_much() -> None:
    sequences = [having(300), having(60)]
    drawn = np.array([0.5, 0.5])
    shares = np.array([0.3, 0.06])
    weights = of_records(sequences, drawn, 1.0)[:, S]
    assert weights[0] < 1 < weights[1]
    taught = shares * weights
    assert taught[0] / taught[1] == pytest.approx(1.0, abs=0.08)
    assert (drawn * taught).sum() == pytest.approx((drawn * shares).sum(), rel=1e-6)


def test_one_beat_may_be_a_mistake_and_counts_at_most_five_times_the_average() -> None:
    sequences = [having(300), having(300), having(1)]
    weights = of_records(sequences, np.full(3, 1 / 3), 1.0)[:, S]
    assert weights[2] == 5.0


def test_nothing_is_evened_with_a_power_of_nought_or_in_other_classes() -> None:
    sequences = [having(300), having(3)]
    drawn = np.array([0.5, 0.5])
    assert (of_records(sequences, drawn, 0.0) == 1.0).all()
    assert (of_records(sequences, drawn, 1.0)[:, [N, F]] == 1.0).all()


def test_records_without_any_such_beat_or_label_count_as_ever() -> None:
    bare = having(0)
    unlabelled = replace(bare, targets=np.full(1000, UNLABELLED, np.int64))
    assert (of_records([bare, unlabelled], np.array([0.5, 0.5]), 1.0) == 1.0).all()

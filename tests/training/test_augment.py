import numpy as np

from ecg.features import CHANNELS, CONTEXT
from ecg.state import N_LEADS, WINDOW
from training.augment import SHIFT, augment

N, LENGTH = 200, 3
_FIT = [CONTEXT.index("first lead can be judged"), CONTEXT.index("second lead can be judged")]


def test_leads_are_dropped_and_r_moves_a_little_but_timing_stays() -> None:
    rng = np.random.default_rng(1)
    windows = np.zeros((N, LENGTH, CHANNELS, WINDOW), np.float32)
    windows[..., WINDOW // 2] = 10.0  # far above the noise, whatever the gain
    contexts = rng.normal(size=(N, LENGTH, len(CONTEXT))).astype(np.float32)
    contexts[..., _FIT] = 1.0
    before = windows.copy(), contexts.copy()
    made, told = augment(windows, contexts, rng)
    assert np.array_equal(windows, before[0])
    assert np.array_equal(contexts, before[1])

    timing = slice(0, CONTEXT.index("likeness to the template, first lead"))
    assert np.array_equal(told[..., timing], contexts[..., timing])
    one_lead = told[:, 0, _FIT[1]] == 0
    assert 0.1 < one_lead.mean() < 0.4
    assert not made[one_lead][:, :, 1::N_LEADS].any()
    moved = abs(made[:, :, 0]).argmax(axis=-1) - WINDOW // 2
    assert set(np.unique(moved)) == set(range(-SHIFT, SHIFT + 1))
    assert 0.05 < (made[:, :, 0].sum(axis=(1, 2)) < 0).mean() < 0.2


def test_same_seed_gives_the_same_bits() -> None:
    windows = np.ones((4, LENGTH, CHANNELS, WINDOW), np.float32)
    contexts = np.ones((4, LENGTH, len(CONTEXT)), np.float32)
    first, second = (augment(windows, contexts, np.random.default_rng(9)) for _ in range(2))
    assert first[0].tobytes() == second[0].tobytes()
    assert first[1].tobytes() == second[1].tobytes()

from dataclasses import replace

import numpy as np
import pytest

from ecg.features import CHANNELS, N_CONTEXT
from ecg.model import OUTPUTS, BeatLSTMSize
from ecg.state import WINDOW
from training.dataset import BeatSequence
from training.ensemble import deal, fit_ensemble
from training.fit import Epoch, FitSettings, calibrate, fit, judge_sequence

SIZE = BeatLSTMSize(conv=(4, 4, 4), beat=8, hidden=8)
SETTINGS = FitSettings(members=2, epochs=2, batch=4, length=16, device="cpu")


def sequence(record: str, *, seed: int) -> BeatSequence:
    """Return 80 beats; the V are early and large."""
    rng = np.random.default_rng(seed)
    targets = np.where(rng.random(80) < 0.2, OUTPUTS.index("V"), 0)
    windows = rng.normal(0, 0.1, (80, CHANNELS, WINDOW)).astype(np.float32)
    windows[targets > 0, :, 50:70] += 2
    contexts = np.zeros((80, N_CONTEXT), np.float32)
    contexts[targets > 0, :2] = -0.4
    return BeatSequence(
        record=record,
        samples=np.arange(80) * 200,
        windows=windows,
        contexts=contexts,
        targets=targets.astype(np.int64),
    )


SEQUENCES = [sequence(f"made/{k}", seed=k) for k in range(5)]


def test_members_judge_the_patients_whom_they_do_not_know() -> None:
    heard: list[tuple[int, int]] = []
    fitted = fit_ensemble(
        SEQUENCES, SETTINGS, size=SIZE, progress=lambda k, epoch: heard.append((k, epoch.number))
    )
    assert sorted(heard) == [(0, 1), (0, 2), (1, 1), (1, 2)]
    parts = deal([s.record for s in SEQUENCES], 2)
    for member in range(2):
        known = [s for s, part in zip(SEQUENCES, parts, strict=True) if part != member]
        # the same fit in this process: nothing but the seed and the known patients matters
        alone, _ = fit(known, [], replace(SETTINGS, seed=member), size=SIZE)
        for s, part, logits in zip(SEQUENCES, parts, fitted.logits, strict=True):
            if part == member:
                assert np.array_equal(judge_sequence(alone, s).numpy(), logits)


def test_fit_learns_what_there_is_and_tells_every_epoch() -> None:
    told: list[Epoch] = []
    settings = replace(SETTINGS, epochs=40, learning_rate=1e-2, dropout=0.0)
    _, epochs = fit(SEQUENCES[:4], SEQUENCES[4:], settings, size=SIZE, progress=told.append)
    assert told == epochs
    assert epochs[-1].loss < epochs[0].loss
    assert epochs[-1].f1["V"] > 0.9


def test_everybody_is_dealt_and_a_persons_records_stay_together() -> None:
    parts = deal([*(f"mitdb/{k}" for k in range(201, 210)), "svdb/201"], 4)
    assert set(parts) == {0, 1, 2, 3}
    assert parts[0] == parts[1]  # 201 and 202 are one person
    assert parts[-1] != parts[0]  # of another database, another person


def test_too_few_persons_are_refused() -> None:
    with pytest.raises(ValueError, match="2 members need as many persons to leave out, got 1"):
        fit_ensemble(SEQUENCES[:1], SETTINGS)


def test_temperature_makes_too_sure_logits_truthful() -> None:
    rng = np.random.default_rng(0)
    truthful = rng.normal(0, 2, (20_000, len(OUTPUTS))).astype(np.float32)
    shares = np.exp(truthful) / np.exp(truthful).sum(axis=1, keepdims=True)
    drawn = (shares.cumsum(axis=1) > rng.random((len(shares), 1))).argmax(axis=1)
    assert calibrate(3 * truthful, drawn) == pytest.approx(3, rel=0.05)

"""Observed records made of numbers, for tests of what is learnt from them."""

from pathlib import Path

import numpy as np
import wfdb
from numpy.typing import NDArray

from ecg.features import CHANNELS, N_CONTEXT
from ecg.model import OUTPUTS, BeatLSTMSize
from ecg.state import WINDOW
from training.dataset import UNLABELLED, BeatSequence
from training.fit import FitSettings
from training.noise import DATABASE, NOISES
from training.store import write_beats

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
        fibrillation=np.zeros(80, np.float32),
        targets=targets.astype(np.int64),
    )


def names(targets: NDArray[np.int64]) -> list[str]:
    """Return what targets are called; - where there is no label."""
    return ["-" if t == UNLABELLED else OUTPUTS[t] for t in targets]


def noises(data: Path, *, seconds: int = 60) -> None:
    """Write records of noise of two leads where models look for them."""
    (data / DATABASE).mkdir()
    for seed, name in enumerate(NOISES):
        noise = np.random.default_rng(seed).normal(0, 0.3, (seconds * 360, 2))
        wfdb.wrsamp(
            name,
            fs=360,
            units=["mV", "mV"],
            sig_name=["noise1", "noise2"],
            p_signal=noise,
            fmt=["16", "16"],
            write_dir=str(data / DATABASE),
        )


def written(folder: Path, records: int, *, database: str = "made") -> list[Path]:
    """Write records 0, 1, ... as the store would, and return their files."""
    files = [folder / "observed" / database / f"{k}-0.npy" for k in range(records)]
    for k, file in enumerate(files):
        write_beats(file, sequence(f"{database}/{k}", seed=k))
    return files

"""Fit the odds of the QRS detector: ``python -m training.detector DATA``.

The detector hears MIT-BIH DS1, the paced records and svdb: as they are, with one lead, and with
noise from stretches of the Noise Stress Test Database's recordings that its own rule leaves
unused. A small network learns which candidates were QRS complexes. What a candidate looks like
depends on what was accepted before it, so repeat the command: each run starts from the weights of
the one before and hears what they lead to.
"""

import argparse
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from torch import nn

from ecg import qrs_weights
from ecg.annotation import Annotations, read_annotations
from ecg.filters import ENGINE_FS
from ecg.reader import read_record, record_names
from training.candidates import Candidates, Filtered, filtered, hear, label
from training.constants import python_of
from training.split import DS1, PACED

NOISES = ("em", "bw", "ma")
HIDDEN = 24
EPOCHS, BATCH, RATE = 16, 4096, 1.5e-2
CLEAN, ONE_LEAD, NOISY = 3.0, 1.0, 0.5
"""How much a candidate weighs in the loss; monitors mostly hear clean signals."""
_BURST_S = (3, 40)
_SNR_DB = (-8.0, 24.0)


def examples(data: Path, records: Sequence[tuple[str, str]]) -> Iterator[Candidates]:
    """Yield candidates of each record (database and name), heard in several ways."""
    noises = [_unused(filtered(read_record(data / "nstdb" / name))) for name in NOISES]
    for database, name in records:
        path = data / database / name
        record = read_record(path)
        truth = read_annotations(path, fs=record.fs, n_samples=record.n_samples)
        clean = filtered(record)
        chance = np.random.default_rng(zlib.crc32(f"{database}/{name}".encode()))
        n_leads = clean.band.shape[1]
        all_leads = tuple(range(n_leads))
        for how, weight in (("clean", CLEAN), ("one lead", ONE_LEAD), ("noisy", NOISY)):
            leads = (int(chance.integers(n_leads)),) if how == "one lead" else all_leads
            heard = clean
            if how == "noisy":
                heard = with_noise(clean, _heights(clean, truth, record.fs), noises, chance)
            looks, at = hear(heard, leads)
            yield label(looks, at, truth, fs=record.fs, weight=weight)


def with_noise(
    signal: Filtered,
    heights_mv: NDArray[np.float64],
    noises: Sequence[Filtered],
    chance: np.random.Generator,
) -> Filtered:
    """Add bursts of noise of chance kind, size and length, to all leads or to one.

    Parameters
    ----------
    signal : Filtered
    heights_mv : ndarray, shape (n_leads,)
        Of the QRS complexes, peak to peak.
    noises : sequence of Filtered
        Two leads each.
    chance : numpy Generator
    """
    trace, band = signal.trace.copy(), signal.band.copy()
    at, n_leads = 0, trace.shape[1]
    while at < len(trace):
        noise = noises[int(chance.integers(len(noises)))]
        on, off = (int(s * ENGINE_FS) for s in chance.uniform(*_BURST_S, size=2))
        n = min(on, len(trace) - at, len(noise.trace))
        first = int(chance.integers(len(noise.trace) - n + 1))
        snr_db = chance.uniform(*_SNR_DB)
        alone = int(chance.integers(n_leads)) if chance.random() < 0.4 else None
        for lead in range(n_leads):
            if alone is not None and lead != alone:
                continue
            size = float(noise.trace[:, lead % 2].std())
            gain = np.float32(heights_mv[lead] / np.sqrt(8) / size / 10 ** (snr_db / 20))
            trace[at : at + n, lead] += gain * noise.trace[first : first + n, lead % 2]
            band[at : at + n, lead] += gain * noise.band[first : first + n, lead % 2]
        at += n + off
    return Filtered(trace=trace, band=band)


def fit(examples: Candidates, *, hidden: int = HIDDEN, epochs: int = EPOCHS) -> nn.Sequential:
    """Fit the network; the same bits for the same candidates and machine."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    x, y, w = map(torch.from_numpy, (examples.looks, examples.targets, examples.weights))
    net = nn.Sequential(nn.Linear(x.shape[1], hidden), nn.ReLU(), nn.Linear(hidden, 1))
    mean, scale = x.mean(0), x.std(0).clamp(min=0.05)
    x = (x - mean) / scale
    batch = min(BATCH, len(y))
    steps = epochs * (len(y) // batch)
    optimizer = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps)
    loss_of = nn.BCEWithLogitsLoss(reduction="none")
    shuffle = torch.Generator().manual_seed(1)
    for _ in range(epochs):
        order = torch.randperm(len(y), generator=shuffle)
        for start in range(0, len(y) - batch + 1, batch):
            rows = order[start : start + batch]
            loss = (loss_of(net(x[rows])[:, 0], y[rows]) * w[rows]).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    first = net[0]
    if isinstance(first, nn.Linear):
        with torch.no_grad():  # so that it takes looks as they are
            first.weight.copy_(first.weight / scale)
            first.bias.copy_(first.bias - first.weight @ mean)
    return net


def written(net: nn.Sequential) -> str:
    """Return the text of ``ecg/qrs_weights.py``."""
    values = [tensor.detach().numpy().astype(np.float64) for tensor in net.parameters()]
    values[2:] = [values[2].ravel(), values[3].reshape(())]
    numbers = dict(zip(("HIDDEN", "HIDDEN_BIAS", "OUT", "BIAS"), values, strict=True))
    return python_of(str(qrs_weights.__doc__), numbers)


def main() -> None:
    """Hear the records, fit, and write the weights."""
    parser = argparse.ArgumentParser(prog="python -m training.detector", description=__doc__)
    parser.add_argument("data", type=Path, help="directory that holds mitdb/, svdb/ and nstdb/")
    parser.add_argument("--out", type=Path, default=Path(str(qrs_weights.__file__)))
    options = parser.parse_args()
    console = Console(stderr=True)
    records = [("mitdb", name) for name in (*DS1, *PACED)]
    records += [("svdb", name) for name in record_names(options.data / "svdb")]
    ways = 3
    heard = examples(options.data, records)
    parts = list(track(heard, "hearing", total=ways * len(records), console=console))
    together = Candidates(
        looks=np.concatenate([part.looks for part in parts]),
        targets=np.concatenate([part.targets for part in parts]),
        weights=np.concatenate([part.weights for part in parts]),
    )
    console.print(f"fitting {len(together.targets):,} candidates")
    options.out.write_text(written(fit(together)), encoding="utf-8")


def _heights(signal: Filtered, truth: Annotations, fs: float) -> NDArray[np.float64]:
    beats = (truth.beats()[0] * ENGINE_FS / fs).astype(np.int64)[:300]
    inside = beats[(beats >= 12) & (beats < len(signal.trace) - 12)]
    around = signal.trace[inside[:, None] + np.arange(-12, 13)]
    return np.asarray(np.median(np.ptp(around, axis=1), axis=0), np.float64)


def _unused(noise: Filtered) -> Filtered:
    """Leave out what the rule of the Noise Stress Test Database adds to records."""
    t = np.arange(len(noise.band)) / ENGINE_FS
    kept = ((t - 300) % 240 >= 120) & (t > 3)
    return Filtered(trace=noise.trace[kept], band=noise.band[kept])


if __name__ == "__main__":
    main()

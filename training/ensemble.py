"""Fit the ensemble: each member without some patients, who then examine it.

The patients are dealt into as many parts as there are members; member k does
not learn from part k. So every patient is judged once by a member who does not know
the patient, which gives figures and calibration without a fit that is thrown away.
"""

import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing.queues import SimpleQueue
from threading import Thread

import numpy as np
import torch
from numpy.typing import NDArray

from ecg.model import BeatEnsemble, BeatLSTM, BeatLSTMSize
from training.dataset import BeatSequence
from training.fit import Epoch, FitSettings, fit, judge_sequence
from training.split import person_of

PROCESSES = 2
"""Members fitted at a time; each takes one core and a copy of the beats."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """An ensemble and what its members said of the patients they did not know.

    Parameters
    ----------
    model : BeatEnsemble
    epochs : list of list of Epoch
        Of each member.
    logits : list of ndarray, each of shape (n_beats, len(OUTPUTS))
        Of each sequence that was given, by the one member that did not learn from it.
    """

    model: BeatEnsemble
    epochs: list[list[Epoch]]
    logits: list[NDArray[np.float32]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Member:
    weights: dict[str, NDArray[np.float32]]
    epochs: list[Epoch]
    logits: dict[int, NDArray[np.float32]]


def deal(records: Sequence[str], parts: int) -> list[int]:
    """Return for each record the part it belongs to; records of one person belong together.

    Persons are dealt in order, each round one further, so that no part gets every
    fourth record of a list that has an order.

    Examples
    --------
    >>> deal(["mitdb/201", "mitdb/202", "mitdb/203", "svdb/800", "svdb/801"], 2)
    [0, 0, 1, 1, 0]
    """
    places: dict[str, int] = {}
    dealt = []
    for record in records:
        database, name = record.rsplit("/", 1)
        k = places.setdefault(f"{database}/{person_of(name)}", len(places))
        dealt.append((k + k // parts) % parts)
    return dealt


def fit_ensemble(
    sequences: Sequence[BeatSequence],
    settings: FitSettings,
    *,
    size: BeatLSTMSize | None = None,
    progress: Callable[[int, Epoch], None] | None = None,
) -> Fitted:
    """Fit all members, ``PROCESSES`` at a time; the same bits for the same seed and machine.

    Parameters
    ----------
    sequences : sequence of BeatSequence
        Records to learn from.
    settings : FitSettings
        Of each member; they differ in their seed and in who is left out.
    size : BeatLSTMSize, optional
        Of each member.
    progress : callable, optional
        Told the member and each of its epochs.

    Raises
    ------
    ValueError
        If there are fewer persons than members, or records are too short.
    """
    size = size or BeatLSTMSize()
    parts = deal([s.record for s in sequences], settings.members)
    if len(set(parts)) < settings.members:
        raise ValueError(
            f"{settings.members} members need as many persons to leave out, got {len(set(parts))}"
        )
    spawn = multiprocessing.get_context("spawn")  # a fork of a process with threads may hang
    news: SimpleQueue[tuple[int, Epoch] | None] = spawn.SimpleQueue()

    def tell() -> None:
        while (said := news.get()) is not None:
            if progress is not None:
                progress(*said)

    teller = Thread(target=tell, daemon=True)
    teller.start()
    with ProcessPoolExecutor(
        min(PROCESSES, settings.members),
        mp_context=spawn,
        initializer=_begin,
        initargs=(list(sequences), parts, settings, size, news),
    ) as pool:
        members = list(pool.map(_fit_member, range(settings.members)))
    # not where a process was killed: it may have held the queue's lock, and we would wait for ever
    news.put(None)
    teller.join()
    models = []
    for member in members:
        model = BeatLSTM(size)
        model.load_state_dict({name: torch.from_numpy(w) for name, w in member.weights.items()})
        models.append(model.eval())
    return Fitted(
        model=BeatEnsemble(models),
        epochs=[member.epochs for member in members],
        logits=[members[parts[k]].logits[k] for k in range(len(sequences))],
    )


_Work = tuple[
    list[BeatSequence],
    list[int],
    FitSettings,
    BeatLSTMSize,
    "SimpleQueue[tuple[int, Epoch] | None]",
]
_work: list[_Work] = []
"""What a process of the pool was started with."""


def _begin(*work: object) -> None:
    torch.set_num_threads(1)
    _work[:] = [work]  # type: ignore[list-item]  # the pool hands over what fit_ensemble gave it


def _fit_member(k: int) -> _Member:
    sequences, parts, settings, size, news = _work[0]
    rest = [s for s, part in zip(sequences, parts, strict=True) if part != k]
    left_out = {n: s for n, (s, part) in enumerate(zip(sequences, parts, strict=True)) if part == k}
    model, epochs = fit(
        rest,
        list(left_out.values()),
        replace(settings, seed=settings.seed * settings.members + k),
        size=size,
        progress=lambda epoch: news.put((k, epoch)),
    )
    return _Member(
        weights={name: tensor.numpy() for name, tensor in model.state_dict().items()},
        epochs=epochs,
        logits={n: judge_sequence(model, s).numpy() for n, s in left_out.items()},
    )

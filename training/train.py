"""``rhythmwatch train``: from recordings to weights, cards and report.

The members of a beat model are each fitted without some of the patients. What they then say
of those is the cross-validation, and sets the temperature. There may be models of several
seeds; what ships is made of all of them by a fixed rule, and never chosen among them.
"""

import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, cast, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import softmax

from ecg.call import call
from ecg.checkpoint import count_parameters, save
from ecg.device import choose_device
from ecg.model import BeatEnsemble, BeatLSTM
from training.calibration import calibrate
from training.curves import write_curves
from training.dataset import BeatSequence, class_counts
from training.distil import student_of, temperature_of
from training.ensemble import Fitted, assemble, members_of
from training.fit import Epoch, FitSettings, scores_by_class
from training.lesson import carry_out
from training.records import (
    DATABASES,
    NOISE,
    SOURCES,
    beat_kind,
    noisy_copies,
    opinion_records,
    rhythm_records,
    training_paths,
)
from training.rhythm_model import Taught, teach
from training.store import NOISY, Kind, default_work, observe, read_beats, record_of

Ship = Literal["ensemble", "student"]
"""What is made of the models of all seeds: all their members together, or one student of them."""

LICENCE = (
    "Trained on PhysioNet recordings (Goldberger et al., Circulation 2000;101(23):e215-e220), "
    "Open Data Commons Attribution License v1.0."
)
INTENDED_USE = (
    "Research and demonstration of live ECG monitoring. Not a medical device; not for clinical use."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """What a training run left behind."""

    weights: Path
    card: Path
    report: Path
    version: str
    seeds: list[Path]
    """Weights of the models of single seeds, if they were asked for."""
    figures: dict[str, dict[str, dict[str, float]]]
    """By database, and by output: se, ppv and f1 of the detected beats of all patients, each
    judged by the one member of the first seed that did not know the patient."""


def train(
    data: Path,
    *,
    out: Path,
    work: Path | None = None,
    databases: tuple[str, ...] = DATABASES,
    settings: FitSettings | None = None,
    seeds: int = 1,
    seeds_to: Path | None = None,
    ship: Ship = "ensemble",
    fresh: bool = False,
    on_record: Callable[[str, int, int], None] | None = None,
    on_epoch: Callable[[int, int], None] | None = None,
) -> Trained:
    """Train the beat model.

    Parameters
    ----------
    data : Path
        Directory that holds ``mitdb`` and, if used, ``svdb``.
    out : Path
        The weights file, ``.safetensors``; card and report go beside it.
    work : Path, optional
        Where observations and finished fits are kept; in the user's cache if not given.
    databases : tuple of str
        Which of ``DATABASES`` to learn from; mitdb is always needed.
    settings : FitSettings, optional
        Its seed is that of the first model.
    seeds : int
        Models to fit, each an ensemble with a seed of its own.
    seeds_to : Path, optional
        Directory for each of them as ``seed-0.safetensors`` and so on, with cards.
    ship : {"ensemble", "student"}
        What to make of them.
    fresh : bool
        Start over: use nothing that a former run has kept.
    on_record : callable, optional
        Told the record's name, how many are done, and of how many.
    on_epoch : callable, optional
        Told how many epochs are done, and of how many.

    Returns
    -------
    Trained

    Raises
    ------
    RecordError
        If recordings are absent or cannot be read.
    ProcessDiedError
        If a process that works for this one ends early.
    ValueError
        If a database is unknown, or settings cannot be used.
    """
    torch.set_num_threads(1)  # small LSTMs are slower on two
    settings, work = settings or FitSettings(), work or default_work()
    paths = training_paths(data, databases)
    asked = [(path, beat_kind(path)) for path in paths] + rhythm_records(data, databases)
    if NOISE in databases:
        asked += noisy_copies(paths)
    if ship == "student":
        asked += opinion_records(data, databases)
    found = observe(asked, work, fresh=fresh, progress=on_record)
    of = {
        kind: [f for f, (_, k) in zip(found, asked, strict=True) if k == kind]
        for kind in get_args(Kind)
    }
    rhythm = teach([*of["seconds"], *of["organised"]], seed=settings.seed)
    files = [*of["detected"], *of["fibrillating"], *of["tachycardia"]]
    noisy = [file for kind in NOISY for file in of[kind]]
    sequences = [read_beats(file) for file in files]
    of_seeds = [
        members_of(files, replace(settings, seed=settings.seed + k), copies=noisy)
        for k in range(seeds)
    ]
    lessons = [lesson for members in of_seeds for lesson in members]
    student = None
    if ship == "student":
        unlabelled = [*noisy, *of["normal"], *of["unmarked"]]
        student = student_of(lessons, files, unlabelled, settings)
    everything = [*lessons, student] if student else lessons
    total = sum(lesson.settings.epochs for lesson in everything)
    finished: set[tuple[int, int]] = set()

    def tell(k: int, epoch: Epoch) -> None:
        finished.add((k, epoch.number))
        if on_epoch is not None:
            on_epoch(len(finished), total)

    learnt = carry_out(lessons, work, fresh=fresh, progress=tell)
    n = settings.members
    fitted = [assemble(files, learnt[k * n : (k + 1) * n]) for k in range(seeds)]
    targets = np.concatenate([s.targets for s in sequences])
    card = {
        "intended_use": INTENDED_USE,
        "licence": LICENCE,
        **_origin(databases),
        "records": [s.record for s in sequences],
        "beats": class_counts(sequences),
        "rhythm": rhythm.card,
        "settings": settings.as_dict(),
        "made_with": {
            "command": _command(databases, settings, seeds, ship),
            "torch": torch.__version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
            "device": choose_device(settings.device).type,
        },
    }
    temperatures = [calibrate(np.concatenate(one.logits), targets) for one in fitted]
    figures = [
        cross_validation(sequences, one.logits, temperature)
        for one, temperature in zip(fitted, temperatures, strict=True)
    ]
    written = []
    for k in range(seeds if seeds_to else 0):
        path = cast(Path, seeds_to) / f"seed-{settings.seed + k}.safetensors"
        about = {
            **card,
            "seed": settings.seed + k,
            **_about(fitted[k].model, rhythm, figures[k]),
        }
        save(fitted[k].model, rhythm.model, path, temperature=temperatures[k], card=about)
        written.append(path)
    epochs = [epochs for one in fitted for epochs in one.epochs]
    if student is None:
        model = _together(fitted)
        # nobody is a stranger to all members: their mean is taken to be as sure as each of them
        temperature = float(np.mean(temperatures).round(4))
    else:
        (taught,) = carry_out(
            [student],
            work,
            fresh=fresh,
            progress=lambda _, epoch: tell(len(lessons), epoch),
        )
        model = BeatEnsemble([cast(BeatLSTM, taught.model)])
        card["opinions"] = [record_of(file) for file in (*of["normal"], *of["unmarked"])]
        temperature = temperature_of(taught.logits, [one.logits for one in fitted], temperatures)
        epochs.append(taught.epochs)
    card["made_of"] = {
        "seeds": [settings.seed + k for k in range(seeds)],
        "rule": "one student of all members" if student else "all members together",
    }
    version = save(
        model,
        rhythm.model,
        out,
        temperature=temperature,
        card={**card, **_about(model, rhythm, figures[0])},
    )
    report = out.with_suffix(".html")
    write_curves(epochs, report, title=f"Fit of the members of {version}")
    return Trained(
        weights=out,
        card=out.with_suffix(".json"),
        report=report,
        version=version,
        seeds=written,
        figures=figures[0],
    )


def _together(fitted: Sequence[Fitted]) -> BeatEnsemble:
    return BeatEnsemble([cast(BeatLSTM, member) for one in fitted for member in one.model.members])


def _about(
    model: BeatEnsemble, rhythm: Taught, figures: dict[str, dict[str, dict[str, float]]]
) -> dict[str, Any]:
    return {
        "cross_validation_of_single_members": figures,
        "parameters": {"beats": count_parameters(model), "rhythm": count_parameters(rhythm.model)},
    }


def _origin(databases: tuple[str, ...]) -> dict[str, list[str]]:
    return {"databases": list(databases), "sources": [SOURCES[name] for name in databases]}


def _command(databases: tuple[str, ...], settings: FitSettings, seeds: int, ship: Ship) -> str:
    return (
        f"rhythmwatch train --databases {','.join(databases)} --epochs {settings.epochs} "
        f"--seed {settings.seed} --seeds {seeds} --ship {ship}"
    )


def cross_validation(
    sequences: list[BeatSequence], logits: list[NDArray[np.float32]], temperature: float
) -> dict[str, dict[str, dict[str, float]]]:
    """Score what unknown patients' beats are called, by database and for all.

    See ``Trained.figures``. A beat is called as the monitor calls it; how likely it is that the
    atria fibrillate comes from ``ecg.fibrillation``, which may have heard these patients.
    """
    called = [
        call(softmax(one / temperature, axis=1), sequence.fibrillation)[1]
        for one, sequence in zip(logits, sequences, strict=True)
    ]
    databases = [s.record.split("/")[0] for s in sequences]
    figures = {}
    for name in (*dict.fromkeys(databases), "all"):
        chosen = [k for k, database in enumerate(databases) if name in (database, "all")]
        figures[name] = scores_by_class(
            np.concatenate([called[k] for k in chosen]),
            np.concatenate([sequences[k].targets for k in chosen]),
        )
    return figures

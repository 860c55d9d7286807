"""``rhythmwatch train``: from recordings to weights, card and report.

The members of the beat model are each fitted without some of the patients. What they then say
of those is the cross-validation, and sets the temperature; all members together are shipped.
"""

import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ecg.checkpoint import count_parameters, save
from ecg.errors import RecordError
from ecg.record import record_names
from training.curves import write_curves
from training.dataset import (
    BeatSequence,
    class_counts,
    fibrillation_records,
    observe_fibrillation,
    observe_records,
)
from training.ensemble import fit_ensemble
from training.fit import Epoch, FitSettings, calibrate, scores_by_class
from training.rhythm import fit_rhythm, observe_rhythms, seconds_scored, simulated_rhythms
from training.split import DS1, DS2, check_apart

BEAT_DATABASES = ("mitdb", "svdb")
"""Databases whose beats can be learnt from; of mitdb only DS1."""

FIBRILLATION = "challenge2017"
"""Database of short records whose rhythm is known; those of atrial fibrillation teach."""

DATABASES = (*BEAT_DATABASES, "vfdb", FIBRILLATION)
"""The same and databases of rhythms."""

SIMULATED = 12
"""Scripted patients who teach the rhythm model asystole, of which recordings have seconds."""

SOURCES = {
    "mitdb": "MIT-BIH Arrhythmia Database 1.0.0 (Moody & Mark, IEEE EMB 2001;20(3):45-50)",
    "vfdb": "MIT-BIH Malignant Ventricular Ectopy Database 1.0.0 (Greenwald, MS thesis, MIT, 1986)",
    FIBRILLATION: "PhysioNet/CinC Challenge 2017 (Clifford et al., Computing in Cardiology 2017)",
    "svdb": "MIT-BIH Supraventricular Arrhythmia Database 1.0.0 (Greenwald, PhD thesis, 1990)",
}
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
    figures: dict[str, dict[str, dict[str, float]]]
    """By database, and by output: se, ppv and f1 of the detected beats of all patients, each
    judged by the one member that did not know the patient."""


def train(
    data: Path,
    *,
    out: Path,
    databases: tuple[str, ...] = DATABASES,
    settings: FitSettings | None = None,
    on_record: Callable[[str, int, int], None] | None = None,
    on_epoch: Callable[[int, Epoch], None] | None = None,
) -> Trained:
    """Train the beat model.

    Parameters
    ----------
    data : Path
        Directory that holds ``mitdb`` and, if used, ``svdb``.
    out : Path
        The weights file, ``.safetensors``; card and report go beside it.
    databases : tuple of str
        Which of ``DATABASES`` to learn from; mitdb is always needed.
    settings : FitSettings, optional
    on_record : callable, optional
        Told the record's name, how many are done, and of how many.
    on_epoch : callable, optional
        Told the member and its epoch.

    Returns
    -------
    Trained

    Raises
    ------
    RecordError
        If recordings are absent or cannot be read.
    ValueError
        If a database is unknown, or settings cannot be used.
    """
    torch.set_num_threads(1)  # small LSTMs are slower on two
    settings = settings or FitSettings()
    paths = training_paths(data, databases)
    of_rhythms = [path for path in paths if path.parent.name in ("vfdb", "mitdb")]
    of_beats = [path for path in paths if path.parent.name in BEAT_DATABASES]
    fibrillating = [path for path in paths if path.parent.name == FIBRILLATION]
    done: list[str] = []

    def read(name: str) -> None:
        done.append(name)
        if on_record is not None:
            on_record(name, len(done), len(of_beats) + len(of_rhythms) + len(fibrillating))

    seconds = observe_rhythms(of_rhythms, progress=read)
    seconds += simulated_rhythms(SIMULATED, seed=settings.seed)
    rhythm = fit_rhythm(seconds, seed=settings.seed)
    sequences = observe_records(of_beats, progress=read)
    for path in fibrillating:
        sequences.append(observe_fibrillation(path))
        read(sequences[-1].record)
    fitted = fit_ensemble(sequences, settings, progress=on_epoch)
    figures = cross_validation(sequences, fitted.logits)
    version = save(
        fitted.model,
        rhythm,
        out,
        temperature=calibrate(
            np.concatenate(fitted.logits), np.concatenate([s.targets for s in sequences])
        ),
        card={
            "intended_use": INTENDED_USE,
            "licence": LICENCE,
            "sources": [SOURCES[name] for name in databases],
            "records": [s.record for s in sequences],
            "beats": class_counts(sequences),
            "cross_validation_of_single_members": figures,
            "rhythm": {
                "records": [s.record for s in seconds],
                "vf_seconds_of_the_training_records": seconds_scored(rhythm, seconds),
            },
            "settings": settings.as_dict(),
            "parameters": {
                "beats": count_parameters(fitted.model),
                "rhythm": count_parameters(rhythm),
            },
            "made_with": {
                "command": f"rhythmwatch train --databases {','.join(databases)} "
                f"--epochs {settings.epochs} --seed {settings.seed}",
                "torch": torch.__version__,
                "numpy": np.__version__,
                "python": platform.python_version(),
            },
        },
    )
    report = out.with_suffix(".html")
    write_curves(fitted.epochs, report, title=f"Fit of the members of {version}")
    return Trained(
        weights=out,
        card=out.with_suffix(".json"),
        report=report,
        version=version,
        figures=figures,
    )


def cross_validation(
    sequences: list[BeatSequence], logits: list[NDArray[np.float32]]
) -> dict[str, dict[str, dict[str, float]]]:
    """Score what was said of unknown patients, by database and for all; see ``Trained.figures``."""
    databases = [s.record.split("/")[0] for s in sequences]
    figures = {}
    for name in (*dict.fromkeys(databases), "all"):
        chosen = [k for k, database in enumerate(databases) if name in (database, "all")]
        figures[name] = scores_by_class(
            np.concatenate([logits[k] for k in chosen]).argmax(axis=1),
            np.concatenate([sequences[k].targets for k in chosen]),
        )
    return figures


def training_paths(data: Path, databases: tuple[str, ...]) -> list[Path]:
    """Return the records to learn from, and make sure that no examined person is among them.

    Raises
    ------
    RecordError
        If a database is not in ``data``.
    ValueError
        If a database is unknown, mitdb is not among them, or a person is on both sides.
    """
    unknown = sorted(set(databases) - set(DATABASES))
    if unknown or "mitdb" not in databases:
        raise ValueError(
            f"databases must be mitdb and any of {', '.join(DATABASES)}, got {', '.join(databases)}"
        )
    # 201 teaches although its person's other record, 202, examines: the field's split, and said
    check_apart(DS1, [name for name in DS2 if name != "202"])
    paths: list[Path] = []
    for database in databases:
        directory = data / database
        if not directory.is_dir():
            raise RecordError(
                f"no {database} in {data}: fetch it with: rhythmwatch records download {database}, "
                f"or leave it out with --databases"
            )
        paths += [directory / name for name in _names(directory)]
    return paths


def _names(directory: Path) -> Sequence[str]:
    if directory.name == "mitdb":
        return DS1
    if directory.name == FIBRILLATION:
        return fibrillation_records(directory)
    return record_names(directory)

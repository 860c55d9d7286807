"""``rhythmwatch train``: from recordings to weights, card and report.

The beat model is fitted twice with the same settings: once without the validation patients, to
see the curves and to set the temperature, and once with all of DS1, to ship.
Nothing is chosen by the validation patients but the temperature.
"""

import platform
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ecg.checkpoint import count_parameters, save
from ecg.errors import RecordError
from ecg.record import record_names
from training.curves import write_curves
from training.dataset import class_counts, observe_records
from training.fit import Epoch, FitSettings, calibrate, fit
from training.rhythm import fit_rhythm, observe_rhythms, seconds_scored, simulated_rhythms
from training.split import DS1, DS2, check_apart

VALIDATION = ("106", "119", "124", "203", "209", "223")
"""DS1 patients who are only looked at: between them they have all classes."""

BEAT_DATABASES = ("mitdb", "svdb")
"""Databases whose beats can be learnt from; of mitdb only DS1."""

DATABASES = (*BEAT_DATABASES, "vfdb")
"""The same and a database of rhythms."""

SIMULATED = 12
"""Scripted patients who teach the rhythm model asystole, of which recordings have seconds."""

SOURCES = {
    "mitdb": "MIT-BIH Arrhythmia Database 1.0.0 (Moody & Mark, IEEE EMB 2001;20(3):45-50)",
    "vfdb": "MIT-BIH Malignant Ventricular Ectopy Database 1.0.0 (Greenwald, MS thesis, MIT, 1986)",
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
    validation: dict[str, float]
    """F1 of each output on the validation patients' detected beats."""


def train(
    data: Path,
    *,
    out: Path,
    databases: tuple[str, ...] = DATABASES,
    settings: FitSettings | None = None,
    on_record: Callable[[str, int, int], None] | None = None,
    on_epoch: Callable[[str, Epoch, int], None] | None = None,
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
        Told which of the two fits ("validation" or "final"), the epoch, and of how many.

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
    done: list[str] = []

    def read(name: str) -> None:
        done.append(name)
        if on_record is not None:
            on_record(name, len(done), len(of_beats) + len(of_rhythms))

    def told(which: str) -> Callable[[Epoch], None]:
        def tell(epoch: Epoch) -> None:
            if on_epoch is not None:
                on_epoch(which, epoch, settings.epochs)

        return tell

    seconds = observe_rhythms(of_rhythms, progress=read)
    seconds += simulated_rhythms(SIMULATED, seed=settings.seed)
    rhythm = fit_rhythm(seconds, seed=settings.seed)
    sequences = observe_records(of_beats, progress=read)
    held = [s for s in sequences if s.record in {f"mitdb/{name}" for name in VALIDATION}]
    rest = [s for s in sequences if s not in held]
    looked_at, epochs = fit(rest, held, settings, progress=told("validation"))
    temperature = calibrate(looked_at, held)
    beats, _ = fit(sequences, [], settings, progress=told("final"))
    version = save(
        beats,
        rhythm,
        out,
        temperature=temperature,
        card={
            "intended_use": INTENDED_USE,
            "licence": LICENCE,
            "sources": [SOURCES[name] for name in databases],
            "records": [s.record for s in sequences],
            "beats": class_counts(sequences),
            "validation": {
                "records": [s.record for s in held],
                "f1_of_detected_beats_before_the_final_fit": epochs[-1].f1,
            },
            "rhythm": {
                "records": [s.record for s in seconds],
                "vf_seconds_of_the_training_records": seconds_scored(rhythm, seconds),
            },
            "settings": settings.as_dict(),
            "parameters": {"beats": count_parameters(beats), "rhythm": count_parameters(rhythm)},
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
    write_curves(epochs, report, title=f"Fit of {version} without the validation patients")
    return Trained(
        weights=out,
        card=out.with_suffix(".json"),
        report=report,
        version=version,
        validation=epochs[-1].f1,
    )


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
        names = DS1 if database == "mitdb" else record_names(directory)
        paths += [directory / name for name in names]
    return paths

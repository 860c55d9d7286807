"""Models of several seeds on the same records: and how much of a figure is chance.

The detector, the features and what is fit to be judged are the same for every
model, so records are heard once. Each model then judges the beats that were found,
as ``Monitor`` would let it: in their order, with a memory of its own for each
patient, empty again where leads are chosen for others, and with the beats dropped
that it is sure are artefacts.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecg.device import one_thread
from ecg.draft import Draft, add_beats
from ecg.errors import CheckpointError
from ecg.finding import Beat
from ecg.judge import Judge
from ecg.lead import LeadChoice
from ecg.roster import Place
from training.heard import Heard
from training.hearing import with_beats
from training.scorecard import brief


@dataclass(slots=True)
class _Seen:
    """What a model would see of one record, from where it knows nothing on."""

    place: Place
    choice: LeadChoice
    rows: list[np.void] = field(default_factory=list)
    windows: list[NDArray[np.float32]] = field(default_factory=list)
    contexts: list[NDArray[np.float32]] = field(default_factory=list)

    def said(self, probabilities: NDArray[np.float32], model: str) -> list[Beat]:
        """Return what the monitor says of these beats, of a model that thinks so."""
        rows = np.array(self.rows, dtype=self.rows[0].dtype)
        draft = Draft(self.place)
        worst = rows["unfit"][:, : len(self.choice.leads)].min(axis=1)
        slots = {int(slot): draft for slot in np.unique(rows["slot"])}
        add_beats(slots, rows, worst, probabilities, model)
        return draft.beats or []


class Beats:
    """Keeps the beats that a monitor finds, before they are judged; give it as ``on_beat``."""

    def __init__(self) -> None:
        self._of: dict[str, list[_Seen]] = {}

    def __call__(
        self,
        place: Place,
        row: np.void,
        window: NDArray[np.float32],
        context: NDArray[np.float32],
    ) -> None:
        """Keep one beat."""
        parts = self._of.setdefault(place.patient, [])
        # where a lead trial ends with other leads the place starts anew, and its memory with it
        if not parts or parts[-1].choice.columns != place.choice.columns:
            parts.append(_Seen(place, place.choice))
        seen = parts[-1]
        seen.rows.append(row.copy())
        seen.windows.append(window.copy())
        seen.contexts.append(context.copy())

    def judged(self, heard: Sequence[Heard], judge: Judge) -> list[Heard]:
        """Return what would have been heard with another model.

        Parameters
        ----------
        heard : sequence of Heard
            The records that were heard while this kept their beats.
        judge : Judge
            The other model. What it would say of the rhythm is not asked.
        """
        found = [seen for one in heard for seen in self._of.get(one.name, ())]
        beats: dict[str, list[Beat]] = {}
        if found:
            slots = np.repeat(np.arange(len(found)), [len(seen.rows) for seen in found])
            memory = np.zeros((len(found), 2, judge.hidden), np.float32)
            with one_thread():
                probabilities = judge.judge_beats(
                    slots,
                    np.stack([window for seen in found for window in seen.windows]),
                    np.stack([context for seen in found for context in seen.contexts]),
                    memory,
                )
            for slot, seen in enumerate(found):
                said = seen.said(probabilities[slots == slot], judge.version)
                beats.setdefault(seen.place.patient, []).extend(said)
        return [with_beats(one, beats.get(one.name, [])) for one in heard]


def checkpoints(paths: Sequence[Path]) -> list[Path]:
    """Return the weights that are meant, a directory standing for those of its seeds.

    Parameters
    ----------
    paths : sequence of Path
        Weights, or directories that hold ``seed-0.safetensors``, ``seed-1.safetensors``, ...

    Raises
    ------
    CheckpointError
        If a path does not exist, or a directory holds none.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            of_seeds = sorted(path.glob("seed-*.safetensors"), key=_seed)
            if not of_seeds:
                raise CheckpointError(
                    f"no seed-0.safetensors, seed-1.safetensors, ... in {path}: "
                    "name the directory to which train wrote the models of its seeds"
                )
            found += of_seeds
        elif path.is_file():
            found.append(path)
        else:
            raise CheckpointError(f"no weights {path}: name a .safetensors file or a directory")
    return found


def compared(of_seeds: Sequence[Sequence[Heard]], *, from_s: float) -> dict[str, Any]:
    """Return the figures of each seed, their mean and standard deviation.

    Parameters
    ----------
    of_seeds : sequence of sequence of Heard
        What each model said of the records.
    from_s : float
        Learning time, in s, that is not scored.

    Returns
    -------
    dict
        ``seeds``, a list with V, S, S_without_232_219, F, qrs and accuracy of each;
        ``seeds_mean`` and ``seeds_sd`` (of a sample, n - 1) of the same. Where one
        seed has no figure, mean and standard deviation have none.
    """
    seeds = [brief(heard, from_s=from_s) for heard in of_seeds]
    return {
        "seeds": seeds,
        "seeds_mean": _over(seeds, 0),
        "seeds_sd": _over(seeds, 1),
    }


def _over(values: Sequence[Any], moment: int) -> Any:
    """Return mean or standard deviation of figures in dicts of the same form."""
    first = values[0]
    if isinstance(first, dict):
        return {key: _over([value[key] for value in values], moment) for key in first}
    if any(value is None for value in values):
        return None
    if moment == 0:
        return round(float(np.mean(values)), 6)
    return round(float(np.std(values, ddof=1)), 6) if len(values) > 1 else None


def _seed(path: Path) -> tuple[int, str]:
    number = path.stem.rpartition("-")[2]
    return (int(number) if number.isdecimal() else 0, path.stem)

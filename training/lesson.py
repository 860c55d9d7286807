"""Lessons: fits that are carried out in processes of their own, each once.

A lesson says who teaches, who is examined afterwards, and how. Its file in the
work directory is named after everything that decides its result; whoever asks
for the same lesson again gets it from there, and one that was killed goes on.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

import ecg
from ecg.device import choose_device
from ecg.model import BeatLSTMSize
from training.files import digest_of, write_whole
from training.fit import Epoch, FitSettings, fit, judge_sequence
from training.processes import PROCESSES, Tell, run_apart
from training.store import read_beats
from training.variant import Variant

_SOURCES = (
    "augment.py",
    "balance.py",
    "batch.py",
    "fit.py",
    "lesson.py",
    "loss.py",
    "resume.py",
    "variant.py",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """A fit.

    Parameters
    ----------
    taught : tuple of Path
        Observed records to learn from.
    examined : tuple of Path
        Observed records that the model judges after every epoch and at the end.
    settings : FitSettings
    size : BeatLSTMSize
    variant : Variant
    teachers : tuple of Lesson
        Models whose opinion is learnt in place of the labels.
    """

    taught: tuple[Path, ...]
    examined: tuple[Path, ...]
    settings: FitSettings
    size: BeatLSTMSize = field(default_factory=BeatLSTMSize)
    variant: Variant = field(default_factory=Variant)
    teachers: tuple["Lesson", ...] = ()

    def key(self) -> str:
        """Return a name that changes with everything that decides the result."""
        here = Path(__file__).parent
        said = {
            # the names of observed records change with their bytes
            "taught": ["/".join(file.parts[-4:]) for file in self.taught],
            "examined": ["/".join(file.parts[-4:]) for file in self.examined],
            # "auto" is another device on another machine, and other bits
            "settings": {
                **self.settings.as_dict(),
                "device": choose_device(self.settings.device).type,
            },
            "size": self.size.as_dict(),
            "variant": self.variant.as_dict(),
            "teachers": [teacher.key() for teacher in self.teachers],
            "torch": torch.__version__,
            "numpy": np.__version__,
        }
        sources = [*(here / name for name in _SOURCES), Path(ecg.__file__).with_name("model.py")]
        return digest_of(sources, json.dumps(said, sort_keys=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class Learnt:
    """What a lesson came to.

    Parameters
    ----------
    model : Module
        On the CPU, ready to judge.
    epochs : list of Epoch
    logits : list of ndarray, each of shape (n_beats, len(OUTPUTS))
        Of the examined records, in the lesson's order.
    """

    model: nn.Module
    epochs: list[Epoch]
    logits: list[NDArray[np.float32]]


def carry_out(
    lessons: Sequence[Lesson],
    work: Path,
    *,
    fresh: bool = False,
    processes: int = PROCESSES,
    progress: Callable[[int, Epoch], None] | None = None,
) -> list[Learnt]:
    """Carry out lessons, some at a time; what a work directory has is not done again.

    Of lessons that are the same one is carried out.

    Parameters
    ----------
    lessons : sequence of Lesson
    work : Path
        The work directory.
    fresh : bool
        Start over instead.
    processes : int
        Lessons at a time.
    progress : callable, optional
        Told the lesson's position and each of its epochs, those that were kept too.

    Raises
    ------
    ProcessDiedError
        If a process ends before its lesson does.
    ValueError
        If a lesson cannot be learnt from.
    """
    files = [_file(lesson, work) for lesson in lessons]
    if fresh:
        for file in files:
            file.unlink(missing_ok=True)
            _checkpoint(file).unlink(missing_ok=True)
    # lessons that are the same share a file, which one process at a time may write
    to_do: dict[Path, list[int]] = {}
    for k, file in enumerate(files):
        if not file.exists():
            to_do.setdefault(file, []).append(k)
        elif progress is not None:
            for epoch in recall(lessons[k], work).epochs:
                progress(k, epoch)
    alike = list(to_do.values())

    def tell(position: int, news: object) -> None:
        if progress is not None:
            for k in alike[position]:
                progress(k, Epoch(**news))  # type: ignore[arg-type]  # as _learn sends it

    tasks = [(lessons[k], work) for k, *_ in alike]
    run_apart(_learn, tasks, processes=processes, on_news=tell)
    return [recall(lesson, work) for lesson in lessons]


def recall(lesson: Lesson, work: Path) -> Learnt:
    """Return what a lesson that was carried out came to."""
    state = torch.load(_file(lesson, work), map_location="cpu", weights_only=True)
    model = lesson.variant.build(lesson.size, dropout=0.0)
    model.load_state_dict(state["model"])
    return Learnt(
        model=model.eval(),
        epochs=[Epoch(**epoch) for epoch in state["epochs"]],
        logits=[logits.numpy() for logits in state["logits"]],
    )


def _learn(task: tuple[Lesson, Path], tell: Tell) -> None:
    torch.set_num_threads(1)  # small LSTMs are slower on two
    lesson, work = task
    file = _file(lesson, work)
    taught = [read_beats(path) for path in lesson.taught]
    examined = [read_beats(path) for path in lesson.examined]
    teachers = [recall(teacher, work).model for teacher in lesson.teachers]
    model, epochs = fit(
        taught,
        [s for s in examined if len(s)],
        lesson.settings,
        size=lesson.size,
        variant=lesson.variant,
        opinion=Opinion(teachers) if teachers else None,
        checkpoint=_checkpoint(file),
        progress=lambda epoch: tell(asdict(epoch)),
    )
    state = {
        "model": model.state_dict(),
        "epochs": [asdict(epoch) for epoch in epochs],
        "logits": [judge_sequence(model, s) for s in examined],
    }
    write_whole(file, lambda out: torch.save(state, out))
    _checkpoint(file).unlink(missing_ok=True)


class Opinion:
    """The mean of teachers' probabilities, computed where the batch is."""

    def __init__(self, teachers: Sequence[nn.Module]) -> None:
        self._teachers = list(teachers)

    @torch.no_grad()
    def __call__(self, windows: torch.Tensor, contexts: torch.Tensor) -> torch.Tensor:
        """Return probabilities, shape (n_sequences, n_beats, len(OUTPUTS))."""
        said = [
            torch.softmax(teacher.to(windows.device)(windows, contexts), dim=-1)
            for teacher in self._teachers
        ]
        return torch.stack(said).mean(dim=0)


def _file(lesson: Lesson, work: Path) -> Path:
    return work / "lessons" / f"{lesson.key()}.pt"


def _checkpoint(file: Path) -> Path:
    return file.with_suffix(".checkpoint.pt")

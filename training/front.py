"""What all offline commands share: their place in the front door, settings, options, progress."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal, Protocol

import typer

Device = Literal["auto", "cpu", "cuda"]
DeviceOption = Annotated[
    Device | None, typer.Option("--device", help="Where the model runs; else as set.")
]
DataOption = Annotated[
    Path | None,
    typer.Option(
        help="Folder that holds mitdb, svdb, vfdb, challenge2017, nstdb and, for train, "
        "challenge2015; else as set."
    ),
]
WorkOption = Annotated[
    Path | None, typer.Option("--work", help="Where work is kept; else in the user's cache.")
]

app = typer.Typer(rich_markup_mode="rich")
records_app = typer.Typer(
    help="List recordings, or download them from PhysioNet.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)
app.add_typer(records_app, name="records", rich_help_panel="Model")

STEPS = ("records", "epochs of all models")
"""The two progress bars of a fit."""


class Settings(Protocol):
    """What of the settings matters offline."""

    @property
    def data(self) -> Path:
        """Where recordings lie."""

    @property
    def device(self) -> Device:
        """Where the model runs."""


def enter(context: typer.Context) -> Settings:
    """Let the front door read the settings and configure logging."""
    settings: Settings = context.obj.enter(context.info_name)
    return settings


def found_in(folder: Path, settings: Settings) -> Path:
    """Return the folder itself, or the one of that name under the data setting."""
    return folder if folder.is_dir() else settings.data / folder


@contextmanager
def bars(*names: str) -> Iterator[Callable[[str, int, int], None]]:
    """Show a progress bar a name; yields what moves one to so many done of so many."""
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, TimeElapsedColumn

    columns = (*Progress.get_default_columns(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as shown:
        tasks = {name: shown.add_task(name, start=False, total=None) for name in names}

        def show(name: str, done: int, total: int) -> None:
            shown.start_task(tasks[name])
            shown.update(tasks[name], completed=done, total=total)

        yield show

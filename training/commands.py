"""The offline commands, for the front door: recordings, training, evaluation.

Every command imports its package only when it is called, so that help is there at once.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal, Protocol

import typer

Device = Literal["auto", "cpu", "cuda"]
DeviceOption = Annotated[
    Device | None, typer.Option("--device", help="Where the model runs; else as set.")
]

app = typer.Typer(rich_markup_mode="rich")
records_app = typer.Typer(
    help="List recordings, or download them from PhysioNet.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)
app.add_typer(records_app, name="records", rich_help_panel="Model")

_STEPS = ("records", "epochs of the members")


class Settings(Protocol):
    """What of the settings matters offline."""

    @property
    def data(self) -> Path:
        """Where recordings lie."""

    @property
    def device(self) -> Device:
        """Where the model runs."""


def _enter(context: typer.Context) -> Settings:
    """Let the front door read the settings and configure logging."""
    settings: Settings = context.obj.enter(context.info_name)
    return settings


def _found(folder: Path, settings: Settings) -> Path:
    """Return the folder itself, or the one of that name under the data setting."""
    return folder if folder.is_dir() else settings.data / folder


@contextmanager
def _bars(*names: str) -> Iterator[Callable[[str, int, int], None]]:
    """Show a progress bar a name; yields what moves one to so many done of so many."""
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, TimeElapsedColumn

    columns = (*Progress.get_default_columns(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bars:
        tasks = {name: bars.add_task(name, start=False, total=None) for name in names}

        def show(name: str, done: int, total: int) -> None:
            bars.start_task(tasks[name])
            bars.update(tasks[name], completed=done, total=total)

        yield show


@app.command(rich_help_panel="Model")
def train(
    context: typer.Context,
    data: Annotated[
        Path | None, typer.Option(help="Folder that holds mitdb and svdb; else as set.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Weights file to write; else the shipped one.")
    ] = None,
    databases: Annotated[
        str, typer.Option(help="What to learn from, separated by commas.")
    ] = "mitdb,svdb,vfdb,challenge2017",
    epochs: Annotated[int | None, typer.Option(min=1, help="Passes over the beats.")] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same model.")] = 0,
    device: DeviceOption = None,
) -> None:
    """Fit the model on MIT-BIH, and write weights, card and an HTML report of the curves.

    Takes less than 20 minutes on two cores. Learns from DS1 of the usual split
    by patients, never from DS2; without recordings: rhythmwatch records download.

    [bold]Examples[/bold]
      rhythmwatch train
      rhythmwatch train --data /srv/ecg --out mine.safetensors --device cuda
    """
    settings = _enter(context)
    from ecg.checkpoint import SHIPPED
    from training.fit import Epoch, FitSettings
    from training.train import DATABASES, train

    names = tuple(databases.split(","))
    if not {"mitdb"} <= set(names) <= set(DATABASES):
        raise typer.BadParameter(f"must be mitdb and any of {', '.join(DATABASES)}: {databases}")
    fitting = FitSettings(device=device or settings.device, seed=seed)
    if epochs is not None:
        fitting = replace(fitting, epochs=epochs)
    finished: set[tuple[int, int]] = set()
    with _bars(*_STEPS) as show:

        def on_epoch(member: int, epoch: Epoch) -> None:
            finished.add((member, epoch.number))
            show(_STEPS[1], len(finished), fitting.epochs * fitting.members)

        trained = train(
            data or settings.data,
            out=out or SHIPPED,
            databases=names,
            settings=fitting,
            on_record=lambda name, done, total: show("records", done, total),
            on_epoch=on_epoch,
        )
    typer.echo("patients judged by the one member that did not know them, Se / +P / F1:")
    for database, classes in trained.figures.items():
        for name in ("S", "V"):
            shown = " / ".join(f"{classes[name][figure]:.3f}" for figure in ("se", "ppv", "f1"))
            typer.echo(f"  {database:6} {name}: {shown}")
    typer.echo(f"{trained.version}: {trained.weights}, {trained.card}, {trained.report}")


@app.command(rich_help_panel="Model")
def evaluate(
    context: typer.Context,
    directory: Annotated[
        Path, typer.Argument(help="Folder of annotated WFDB records, here or under the data one.")
    ],
    records: Annotated[
        str, typer.Option(help="all, ds1, ds2, ds2-strict, or names with commas between.")
    ] = "all",
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the figures there; - prints them.")
    ] = None,
    annotations: Annotated[
        Path | None, typer.Option(help="Folder for what was found, as WFDB annotations (.rw).")
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="Write an HTML page with the strips judged wrong.")
    ] = None,
    markdown: Annotated[
        Path | None, typer.Option(help="Write a Markdown table, between its markers.")
    ] = None,
    noise: Annotated[
        Path | None, typer.Option(help="Noise figures (benchmarks.qrs --json) for the report.")
    ] = None,
    seeds: Annotated[
        list[Path] | None,
        typer.Option(help="Also judge with these weights, or a folder of seed-0.safetensors, ..."),
    ] = None,
    why: Annotated[str, typer.Option(help="Why DS2 is run; goes into its log.")] = "",
    weights: Annotated[
        Path | None, typer.Option(help="Another model than the shipped one.")
    ] = None,
    device: DeviceOption = None,
) -> None:
    """Score the live path against annotations, by the rules of EC57.

    Records go through the same monitor as live ECG, with its own detector and
    nothing from the future. The first five minutes of each are not scored. Every
    run of DS2 is logged in a checkout, with why.

    [bold]Examples[/bold]
      rhythmwatch evaluate mitdb --records ds2
      rhythmwatch evaluate mitdb --records 100,119 --json - --annotations found
      rhythmwatch evaluate mitdb --records ds1 --report ds1.html
      rhythmwatch evaluate mitdb --records ds2 --seeds seeds --why release
    """
    settings = _enter(context)
    from ecg.checkpoint import SHIPPED
    from training.evaluate import run

    run(
        _found(directory, settings),
        records=records,
        json_file=json_file,
        annotations=annotations,
        report=report,
        noise=noise,
        markdown=markdown,
        seeds=seeds or (),
        why=why,
        weights=weights or SHIPPED,
        device=device or settings.device,
    )


@app.command("model-card", rich_help_panel="Model")
def model_card(
    context: typer.Context,
    weights: Annotated[
        Path | None, typer.Option(help="Another model than the shipped one.")
    ] = None,
    figures: Annotated[
        Path | None, typer.Option(help="Figures of evaluate --json to show; else those it shows.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="The page; else README.md beside the weights.")
    ] = None,
) -> None:
    """Write a page about a model: data, licence, intended use, limits, figures.

    It says what the card beside the weights says, in words.

    [bold]Examples[/bold]
      rhythmwatch model-card
      rhythmwatch model-card --figures ds2.json
    """
    _enter(context)
    from ecg.checkpoint import SHIPPED
    from training.model_card import write_model_card

    typer.echo(f"{write_model_card(weights or SHIPPED, figures=figures, out=out)}")


@records_app.command("list")
def records_list(
    context: typer.Context,
    database: Annotated[
        str | None, typer.Argument(help="A folder of records, here or under the data one.")
    ] = None,
    remote: Annotated[
        bool, typer.Option("--remote", help="What PhysioNet has, not what is here.")
    ] = False,
) -> None:
    """List the records that are here, or on PhysioNet.

    [bold]Examples[/bold]
      rhythmwatch records list
      rhythmwatch records list mitdb
      rhythmwatch records list mitdb --remote
    """
    settings = _enter(context)
    if remote:
        if database is None:
            raise typer.BadParameter("--remote needs the name of a database, for example mitdb")
        from ecg.download import list_remote

        typer.echo(f"{database} on PhysioNet: {' '.join(list_remote(database))}")
        return
    from ecg.record import record_names

    if database is not None:
        folders = [_found(Path(database), settings)]
    else:
        folders = sorted({path.parent for path in settings.data.glob("*/*.hea")})
        if not folders:
            typer.echo(f"no records in {settings.data} yet; rhythmwatch records download mitdb")
    for folder in folders:
        names = record_names(folder)
        typer.echo(f"{folder}: {len(names)} records: {' '.join(names)}")


@records_app.command("download")
def records_download(
    context: typer.Context,
    database: Annotated[str, typer.Argument(help="Its name on PhysioNet: mitdb, svdb, vfdb, ...")],
    records: Annotated[
        str | None, typer.Option(help="Only these, with commas between; else all.")
    ] = None,
    to: Annotated[
        Path | None, typer.Option(help="Folder of databases; else the data setting.")
    ] = None,
) -> None:
    """Download recordings from PhysioNet into the data folder.

    What is there already is not fetched again. Cite PhysioNet and the
    database's own paper where you use them.

    [bold]Examples[/bold]
      rhythmwatch records download mitdb
      rhythmwatch records download mitdb --records 100,119,208
    """
    settings = _enter(context)

    from ecg.download import download

    with _bars(database) as show:
        folder = download(
            database,
            to or settings.data,
            records=records.split(",") if records else None,
            on_progress=lambda done, total, name: show(database, done, total),
        )
    typer.echo(f"{folder}")

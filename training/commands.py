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
DataOption = Annotated[
    Path | None, typer.Option(help="Folder that holds mitdb and svdb; else as set.")
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

_STEPS = ("records", "epochs of all models")


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
    seeds: Annotated[
        int, typer.Option(min=1, help="Models of so many seeds, of which all the shipped is made.")
    ] = 5,
    seeds_to: Annotated[
        Path | None, typer.Option(help="Folder for the models of single seeds.")
    ] = None,
    ship: Annotated[
        Literal["ensemble", "student"],
        typer.Option(help="What is made of them: all together, or one student of all."),
    ] = "student",
    work: WorkOption = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Start over; use nothing that is kept.")
    ] = False,
    device: DeviceOption = None,
) -> None:
    """Fit the model on MIT-BIH, and write weights, card and an HTML report of the curves.

    Takes less than an hour on two cores. Learns from DS1 of the usual split by
    patients, never from DS2; without recordings: rhythmwatch records download.
    What was done is kept: a run that was killed goes on when started again.

    [bold]Examples[/bold]
      rhythmwatch train
      rhythmwatch train --seeds-to seeds
      rhythmwatch train --seeds 1 --ship ensemble --out quick.safetensors
      rhythmwatch train --data /srv/ecg --out mine.safetensors --device cuda
    """
    settings = _enter(context)
    from ecg.checkpoint import SHIPPED
    from training.fit import FitSettings
    from training.train import DATABASES, train

    names = tuple(databases.split(","))
    if not {"mitdb"} <= set(names) <= set(DATABASES):
        raise typer.BadParameter(f"must be mitdb and any of {', '.join(DATABASES)}: {databases}")
    fitting = FitSettings(device=device or settings.device, seed=seed)
    if epochs is not None:
        fitting = replace(fitting, epochs=epochs)
    with _bars(*_STEPS) as show:
        trained = train(
            data or settings.data,
            out=out or SHIPPED,
            work=work,
            databases=names,
            settings=fitting,
            seeds=seeds,
            seeds_to=seeds_to,
            ship=ship,
            fresh=fresh,
            on_record=lambda name, done, total: show("records", done, total),
            on_epoch=lambda done, total: show(_STEPS[1], done, total),
        )
    typer.echo("patients judged by the one member that did not know them, Se / +P / F1:")
    for database, classes in trained.figures.items():
        for name in ("S", "V"):
            shown = " / ".join(f"{classes[name][figure]:.3f}" for figure in ("se", "ppv", "f1"))
            typer.echo(f"  {database:6} {name}: {shown}")
    typer.echo(f"{trained.version}: {trained.weights}, {trained.card}, {trained.report}")


@app.command(rich_help_panel="Model")
def search(
    context: typer.Context,
    space: Annotated[
        list[str] | None,
        typer.Option(help="Values to try: a TOML file, or its text. May be repeated."),
    ] = None,
    trials: Annotated[int, typer.Option(min=1, help="Choices to draw.")] = 8,
    halvings: Annotated[
        int, typer.Option(min=0, help="Rounds that only the better half passes.")
    ] = 2,
    folds: Annotated[int, typer.Option(min=2, help="Parts that people are dealt into.")] = 4,
    seeds: Annotated[int, typer.Option(min=1, help="Fits of each choice and fold.")] = 2,
    epochs: Annotated[int, typer.Option(min=1, help="Of the last round.")] = 4,
    beats: Annotated[int | None, typer.Option(min=1, help="Of an epoch; else all.")] = None,
    data: DataOption = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the figures there.")
    ] = None,
    work: WorkOption = None,
    device: DeviceOption = None,
) -> None:
    """Try hyper-parameters on people held out of the training databases; never on DS2.

    Each round doubles the epochs, and only the better half of the choices passes on.
    What was done is kept: a search that was killed goes on when started again.

    [bold]Examples[/bold]
      rhythmwatch search
      rhythmwatch search --space space.toml --trials 16 --json search.json
    """
    settings = _enter(context)
    from training.fit import FitSettings
    from training.search import json_of, markdown_of, search
    from training.space import read_space
    from training.store import default_work
    from training.train import observed_to_learn

    chosen = read_space(space or [])
    where = work or default_work()
    rounds = tuple(f"epochs of round {k + 1}" for k in range(halvings + 1))
    with _bars("records", *rounds) as show:
        files = observed_to_learn(
            data or settings.data, where, progress=lambda *told: show("records", *told[1:])
        )
        rows = search(
            files,
            where,
            chosen,
            settings=FitSettings(device=device or settings.device, epochs=epochs, beats=beats),
            trials=trials,
            halvings=halvings,
            folds=folds,
            seeds=seeds,
            progress=lambda turn, done, total: show(rounds[turn], done, total),
        )
    typer.echo(markdown_of(rows))
    if json_file is not None:
        json_file.write_text(json_of(rows), encoding="utf-8")


@app.command(rich_help_panel="Model")
def ablate(
    context: typer.Context,
    folds: Annotated[int, typer.Option(min=2, help="Parts that people are dealt into.")] = 3,
    seeds: Annotated[int, typer.Option(min=1, help="Fits of each row and fold.")] = 1,
    epochs: Annotated[int, typer.Option(min=1, help="Of each fit.")] = 2,
    beats: Annotated[int, typer.Option(min=1, help="Of an epoch.")] = 150_000,
    ds2: Annotated[
        bool,
        typer.Option("--ds2", help="Examine by DS2 in place of folds; every such run is logged."),
    ] = False,
    why: Annotated[str, typer.Option(help="Why DS2 is run; goes into its log.")] = "",
    data: DataOption = None,
    page: Annotated[
        Path | None,
        typer.Option("--page", help="Markdown page whose table between markers is replaced."),
    ] = None,
    work: WorkOption = None,
    device: DeviceOption = None,
) -> None:
    """Show what each ingredient of the beat model gave, in one table.

    By people held out of the training databases. The rows have a small budget and
    compare with each other; no row is the model that ships.

    [bold]Examples[/bold]
      rhythmwatch ablate
      rhythmwatch ablate --seeds 3 --page docs/concepts/ablation.md
    """
    settings = _enter(context)
    from training.ablation import ablate, conditions_of, live_of, markdown_of
    from training.ds2_log import bar_from_ci, log_run
    from training.fit import FitSettings
    from training.page import put_between
    from training.split import DS2
    from training.store import default_work
    from training.train import observed_both_ways

    bar_from_ci(DS2 if ds2 else ())
    where, source = work or default_work(), data or settings.data
    fitting = FitSettings(
        device=device or settings.device, members=folds, epochs=epochs, beats=beats
    )
    with _bars("records", _STEPS[1]) as show:
        examined = observed_both_ways(source, where, ds2=True) if ds2 else None
        results = ablate(
            observed_both_ways(source, where, progress=lambda *told: show("records", *told[1:])),
            where,
            fitting,
            seeds=seeds,
            ds2=examined,
            progress=lambda done, total: show(_STEPS[1], done, total),
        )
    command = f"rhythmwatch ablate --folds {folds} --seeds {seeds} --epochs {epochs}"
    command += f" --beats {beats}" + (" --ds2" if ds2 else "")
    if ds2:  # before anybody can see a figure
        log_run(live_of(results), model="none that ships", why=f"ablation: {why}")
    text = f"{conditions_of(fitting, seeds=seeds, command=command)}\n\n{markdown_of(results)}"
    typer.echo(text)
    if page is not None:
        put_between(page, text, name="ablation on ds2" if ds2 else "ablation")


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
        list[Path] | None,
        typer.Option(help="Page to write a table into, between its markers; may be repeated."),
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
        markdown=markdown or (),
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

"""``train``, ``search``, ``ablate``: what fits models."""

import shlex
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import typer

from training.front import (
    STEPS,
    DataOption,
    DeviceOption,
    WorkOption,
    app,
    bars,
    enter,
)


@app.command(rich_help_panel="Model")
def train(
    context: typer.Context,
    data: DataOption = None,
    out: Annotated[
        Path | None, typer.Option(help="Weights file to write; else the shipped one.")
    ] = None,
    databases: Annotated[
        str, typer.Option(help="What to learn from, separated by commas.")
    ] = "mitdb,svdb,vfdb,challenge2017,challenge2015,nstdb",
    epochs: Annotated[int | None, typer.Option(min=1, help="Passes over the beats.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same model.")] = 0,
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
    settings = enter(context)
    from ecg.checkpoint import SHIPPED
    from training.files import check_file, check_folder
    from training.fit import FitSettings
    from training.records import DATABASES
    from training.train import train

    check_file(out or SHIPPED)
    if seeds_to is not None:
        check_folder(seeds_to)
    names = tuple(dict.fromkeys(name.strip() for name in databases.split(",")))
    if not {"mitdb"} <= set(names) <= set(DATABASES):
        raise typer.BadParameter(f"must be mitdb and any of {', '.join(DATABASES)}: {databases}")
    fitting = FitSettings(device=device or settings.device, seed=seed)
    if epochs is not None:
        fitting = replace(fitting, epochs=epochs)
    with bars(*STEPS) as show:
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
            on_epoch=lambda done, total: show(STEPS[1], done, total),
        )
    typer.echo("patients judged by the one member that did not know them, Se / +P / F1:")
    for database, classes in trained.figures.items():
        if not any(classes[name]["f1"] for name in ("S", "V")):
            continue  # nobody has named its S and V
        for name in ("S", "V"):
            shown = " / ".join(f"{classes[name][figure]:.3f}" for figure in ("se", "ppv", "f1"))
            known = bool(classes[name]["f1"])  # all are 0 where nobody named the class
            typer.echo(f"  {database:6} {name}: {shown if known else '-'}")
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
    settings = enter(context)
    from training.files import check_file
    from training.fit import FitSettings
    from training.records import observed_to_learn
    from training.search import json_of, markdown_of, search
    from training.space import read_space
    from training.store import default_work

    chosen = read_space(space or [])
    if json_file is not None:
        check_file(json_file)
    where = work or default_work()
    rounds = tuple(f"epochs of round {k + 1}" for k in range(halvings + 1))
    with bars("records", *rounds) as show:
        files, copies = observed_to_learn(
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
            copies=copies,
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
    rows: Annotated[
        list[str] | None,
        typer.Option(help="Only rows with this in their name; may be repeated."),
    ] = None,
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
      rhythmwatch ablate --rows logistic --rows "causal: live"
    """
    settings = enter(context)
    from training.ablation import ablate, conditions_of, live_of, markdown_of
    from training.ds2_log import bar_from_ci, log_run
    from training.fit import FitSettings
    from training.ingredients import LIVE, rows_named
    from training.page import check_place, put_between
    from training.records import observed_both_ways
    from training.split import DS2
    from training.store import default_work

    bar_from_ci(DS2 if ds2 else ())
    try:
        chosen = rows_named(rows or ())
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--rows") from error
    if ds2 and LIVE not in [row.name for row in chosen]:
        raise typer.BadParameter(
            f"the log of DS2 notes the row {LIVE!r}: name it, too", param_hint="--rows"
        )
    place = "ablation on ds2" if ds2 else "ablation"
    if page is not None:
        check_place(page, name=place)
    where, source = work or default_work(), data or settings.data
    fitting = FitSettings(
        device=device or settings.device, members=folds, epochs=epochs, beats=beats
    )
    with bars("records", STEPS[1]) as show:
        examined = observed_both_ways(source, where, ds2=True) if ds2 else None
        results = ablate(
            observed_both_ways(source, where, progress=lambda *told: show("records", *told[1:])),
            where,
            fitting,
            seeds=seeds,
            ds2=examined,
            rows=chosen,
            progress=lambda done, total: show(STEPS[1], done, total),
        )
    command = f"rhythmwatch ablate --folds {folds} --seeds {seeds} --epochs {epochs}"
    command += f" --beats {beats}" + (" --ds2" if ds2 else "")
    command += "".join(f" --rows {shlex.quote(word)}" for word in rows or ())
    if ds2:  # before anybody can see a figure
        log_run(live_of(results), model="none that ships", what="ablation", why=why)
    text = f"{conditions_of(fitting, seeds=seeds, command=command)}\n\n{markdown_of(results)}"
    typer.echo(text)
    if page is not None:
        put_between(page, text, name=place)

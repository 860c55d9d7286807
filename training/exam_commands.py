"""``evaluate`` and ``model-card``: what examines a model and says what it is."""

from pathlib import Path
from typing import Annotated

import typer

from training.front import (
    DeviceOption,
    app,
    enter,
    found_in,
)


@app.command(rich_help_panel="Model")
def evaluate(
    context: typer.Context,
    directory: Annotated[
        Path,
        typer.Argument(
            help="Folder of annotated records (NAME.atr; of an EDF file NAME.edf.atr), here or "
            "under the data one."
        ),
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
      rhythmwatch evaluate mitdb --records 101,119 --json - --annotations found
      rhythmwatch evaluate mitdb --records ds1 --report ds1.html
      rhythmwatch evaluate mitdb --records ds2 --seeds seeds --why release
    """
    settings = enter(context)
    from ecg.checkpoint import SHIPPED
    from training.evaluate import run

    run(
        found_in(directory, settings),
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
    enter(context)
    from ecg.checkpoint import SHIPPED
    from training.model_card import write_model_card

    typer.echo(f"{write_model_card(weights or SHIPPED, figures=figures, out=out)}")

"""``records``: recordings that are here, or on PhysioNet."""

from pathlib import Path
from typing import Annotated

import typer

from training.front import (
    bars,
    enter,
    found_in,
    records_app,
)


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
    settings = enter(context)
    if remote:
        if database is None:
            raise typer.BadParameter("--remote needs the name of a database, for example mitdb")
        from ecg.download import list_remote

        typer.echo(f"{database} on PhysioNet: {' '.join(list_remote(database))}")
        return
    from ecg.reader import record_names

    if database is not None:
        folders = [found_in(Path(database), settings)]
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
      rhythmwatch records download mitdb --records 101,119,208
    """
    settings = enter(context)

    from ecg.download import download

    with bars(database) as show:
        folder = download(
            database,
            to or settings.data,
            records=records.split(",") if records else None,
            on_progress=lambda done, total, name: show(database, done, total),
        )
    typer.echo(f"{folder}")

"""The commands that send ECG, recorded or simulated."""

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from stream.front import BootstrapOption, app, cluster, door

if TYPE_CHECKING:
    from stream.pace import Progress

StreamOption = Annotated[
    str | None,
    typer.Option("--stream-id", help="Id of this stream; else a new one, as it should be."),
]
ChunkOption = Annotated[
    int, typer.Option("--chunk-ms", min=50, max=1000, help="Signal in a message, in ms.")
]


@contextlib.contextmanager
def _bar(*, shown: bool) -> "Iterator[Callable[[Progress], None] | None]":
    """Show a progress bar of samples sent; yields what moves it, None where there is none."""
    if not shown:
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress as Bars

    with Bars(console=Console(stderr=True)) as bars:
        task = bars.add_task("samples sent", total=None)
        yield lambda progress: bars.update(
            task, completed=progress.samples, total=progress.total_samples
        )


@app.command(rich_help_panel="Sources of ECG")
def replay(
    context: typer.Context,
    records: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RECORD]...",
            help="WFDB records or folders of them, here or under the data setting; "
            "demo is the five minutes of MIT-BIH 208 that come along.",
        ),
    ] = None,
    speed: Annotated[float, typer.Option(min=0.01, help="Times real time.")] = 1.0,
    fast: Annotated[bool, typer.Option("--fast", help="As fast as the broker takes it.")] = False,
    loop: Annotated[bool, typer.Option("--loop", help="Start again at the end.")] = False,
    patient: Annotated[
        str | None, typer.Option(help="Patient id, for a single record; else made of its name.")
    ] = None,
    stream_id: StreamOption = None,
    chunk_ms: ChunkOption = 250,
    bootstrap: BootstrapOption = None,
) -> None:
    """Send recorded ECGs as if they were live, each record as a patient of its own.

    [bold]Examples[/bold]
      rhythmwatch replay
      rhythmwatch replay mitdb/101 mitdb/208 --loop
      rhythmwatch replay /srv/ecg/mitdb --speed 10
    """
    settings = door(context).enter(context.info_name)
    from stream.replay import run_replay
    from stream.sources import sources_of

    with _bar(shown=fast and not loop) as on_progress:
        run_replay(
            cluster=cluster(settings, bootstrap),
            sources=sources_of(records or ["demo"], data=settings.data, patient=patient),
            stop=door(context).until_signalled(),
            stream_id=stream_id,
            speed=None if fast else speed,
            loop=loop,
            chunk_ms=chunk_ms,
            on_progress=on_progress,
        )


@app.command(rich_help_panel="Sources of ECG")
def simulate(
    context: typer.Context,
    patients: Annotated[int, typer.Option(min=1, help="How many.")] = 1,
    fs: Annotated[float, typer.Option(help="Sampling frequency, in Hz.")] = 250.0,
    seed: Annotated[int, typer.Option(min=0, help="Another seed is another patient.")] = 0,
    speed: Annotated[float, typer.Option(min=0.01, help="Times real time.")] = 1.0,
    loop: Annotated[bool, typer.Option("--loop", help="Start again at the end.")] = False,
    stream_id: StreamOption = None,
    chunk_ms: ChunkOption = 250,
    bootstrap: BootstrapOption = None,
) -> None:
    """Send simulated patients, labelled as such, whose truth is known.

    Within two minutes each goes through noise, a lead that falls off,
    ventricular tachycardia, ventricular fibrillation and asystole.

    [bold]Examples[/bold]
      rhythmwatch simulate --loop
      rhythmwatch simulate --patients 64 --seed 7
    """
    settings = door(context).enter(context.info_name)
    from stream.replay import run_replay
    from stream.sources import simulated_sources

    run_replay(
        cluster=cluster(settings, bootstrap),
        sources=simulated_sources(patients, fs=fs, seed=seed),
        stop=door(context).until_signalled(),
        stream_id=stream_id,
        speed=speed,
        loop=loop,
        chunk_ms=chunk_ms,
    )

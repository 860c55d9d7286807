"""The commands of the online roles, for the front door: what each takes, and what it calls.

Every command imports its role only when it is called, so that help is there at once.
"""

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Protocol

import typer

from ecg.errors import CheckpointError

if TYPE_CHECKING:
    from stream.endpoint import Endpoint
    from stream.kafka import Cluster
    from stream.pace import Progress
    from stream.settings import Settings

logger = logging.getLogger(__name__)

app = typer.Typer(rich_markup_mode="rich")

WatchingRole = Literal["score", "alarm", "notify", "archive"]
BootstrapOption = Annotated[
    str | None,
    typer.Option("--bootstrap", help="Kafka brokers as host:port,host:port; else as set."),
]
DeviceOption = Annotated[
    Literal["auto", "cpu", "cuda"] | None,
    typer.Option("--device", help="Where the model runs; else as set."),
]
StreamOption = Annotated[
    str | None,
    typer.Option("--stream-id", help="Id of this stream; else a new one, as it should be."),
]
ChunkOption = Annotated[
    int, typer.Option("--chunk-ms", min=50, max=1000, help="Signal in a message, in ms.")
]
MetricsOption = Annotated[
    int | None,
    typer.Option("--metrics-port", help="Serve Prometheus metrics there, on 127.0.0.1."),
]


class Door(Protocol):
    """What the front door gives to a command, as ``context.obj``."""

    def enter(self, command: str | None) -> "Settings":
        """Read the settings and configure logging."""

    def until_signalled(self) -> threading.Event:
        """Return an event that Ctrl-C and SIGTERM set."""


def _door(context: typer.Context) -> Door:
    door: Door = context.obj
    return door


def cluster(settings: "Settings", bootstrap: str | None) -> "Cluster":
    """Return the cluster that was asked for, else the one that is set."""
    from stream.kafka import Cluster

    return Cluster(bootstrap or settings.bootstrap, prefix=settings.prefix)


def _endpoints(settings: "Settings") -> "list[Endpoint]":
    from stream.endpoint import Endpoint

    return [
        Endpoint(
            **endpoint.model_dump(exclude={"secrets"}),
            secrets=tuple(secret.get_secret_value() for secret in endpoint.secrets),
        )
        for endpoint in settings.all_endpoints()
    ]


@app.command(rich_help_panel="Roles")
def topics(
    context: typer.Context,
    bootstrap: BootstrapOption = None,
    partitions: Annotated[
        int | None, typer.Option(min=1, help="Of every topic; else as set.")
    ] = None,
    replication: Annotated[
        int | None, typer.Option(min=1, help="Copies of every partition; else as set.")
    ] = None,
) -> None:
    """Create the topics that are not there yet, and list them.

    Waits for the broker. Every topic gets the same number of partitions, so
    that all messages of a patient are in the same one everywhere.

    [bold]Examples[/bold]
      rhythmwatch topics
      rhythmwatch topics --bootstrap kafka:9092 --partitions 32 --replication 3
    """
    settings = _door(context).enter(context.info_name)
    from stream.kafka import create_topics, wait_for_broker
    from stream.topics import TOPICS

    kafka = cluster(settings, bootstrap)
    if not wait_for_broker(kafka, stop=_door(context).until_signalled()):
        raise typer.Exit(130)
    wanted = settings.retained(TOPICS)
    number = partitions or settings.partitions
    created = create_topics(
        kafka, wanted, partitions=number, replication=replication or settings.replication
    )
    for topic in wanted:
        kept = "newest of each patient" if topic.compacted else f"{topic.retention_ms / 3.6e6:g} h"
        state = "created" if topic.name in created else "there"
        typer.echo(f"{topic.name:<18} {number} partitions  keeps {kept:<23} {state}")


@app.command(rich_help_panel="Roles")
def score(
    context: typer.Context,
    bootstrap: BootstrapOption = None,
    device: DeviceOption = None,
    weights: Annotated[
        Path | None, typer.Option(help="Another model than the shipped one.")
    ] = None,
    metrics_port: MetricsOption = None,
) -> None:
    """Judge beats and signals: ecg.waveforms in, ecg.findings out.

    Start as many as you need: they share the patients, and one that dies is
    taken over where it stood.

    [bold]Examples[/bold]
      rhythmwatch score
      rhythmwatch score --bootstrap kafka:9092 --device cuda
    """
    settings = _door(context).enter(context.info_name)
    stop = _door(context).until_signalled()
    from ecg.checkpoint import SHIPPED, load
    from ecg.judge import Judge
    from ecg.monitor import Monitor
    from ecg.warm import warm_up
    from stream.memory import keep_what_is_loaded
    from stream.score import run_score

    judge: Judge | None = None
    try:
        judge = load(weights or SHIPPED, device=device or settings.device)
    except CheckpointError as error:
        if weights is not None:
            raise
        # rates and signal quality need no model, and every finding says that there is none
        logger.error("beats are not classified: %s", error)
    warm_up(judge)
    keep_what_is_loaded()
    run_score(
        cluster(settings, bootstrap),
        lambda: Monitor(judge),
        stop=stop,
        metrics_port=metrics_port,
    )


@app.command(rich_help_panel="Roles")
def alarm(
    context: typer.Context,
    bootstrap: BootstrapOption = None,
    metrics_port: MetricsOption = None,
) -> None:
    """Raise, latch and end alarms: ecg.findings and ecg.actions in, ecg.alarms out.

    Start as many as you need, as with score. Lethal alarms stay until somebody
    acknowledges them, also across restarts.

    [bold]Examples[/bold]
      rhythmwatch alarm
      rhythmwatch alarm --bootstrap kafka:9092 --metrics-port 9101
    """
    settings = _door(context).enter(context.info_name)
    from stream.alarm import run_alarm
    from stream.memory import keep_what_is_loaded

    keep_what_is_loaded()
    run_alarm(
        cluster(settings, bootstrap),
        stop=_door(context).until_signalled(),
        metrics_port=metrics_port,
    )


@app.command(rich_help_panel="Roles")
def notify(
    context: typer.Context, bootstrap: BootstrapOption = None, metrics_port: MetricsOption = None
) -> None:
    """Post alarms to webhooks, signed: ecg.alarms in.

    Where to is a matter of the settings: [[endpoints]] tables in the file, or
    RHYTHMWATCH_WEBHOOK_URL and RHYTHMWATCH_WEBHOOK_SECRET.

    [bold]Examples[/bold]
      rhythmwatch notify
      rhythmwatch --settings pager.toml notify
    """
    settings = _door(context).enter(context.info_name)
    from stream.notify import run_notify

    run_notify(
        cluster=cluster(settings, bootstrap),
        endpoints=_endpoints(settings),
        stop=_door(context).until_signalled(),
        metrics_port=metrics_port,
    )


@app.command(rich_help_panel="Roles")
def archive(
    context: typer.Context,
    to: Annotated[
        Path | None, typer.Option(help="The archive's folder, made if absent; else as set.")
    ] = None,
    every: Annotated[
        float,
        typer.Option(min=1, max=3600, help="Write so often, in s; until then Kafka keeps it."),
    ] = 30.0,
    bootstrap: BootstrapOption = None,
    metrics_port: MetricsOption = None,
) -> None:
    """Keep everything as WFDB records: ecg.waveforms and ecg.findings in, files out.

    A folder for each patient, a record for each hour of a stream, what the model
    said beside it as annotations (.rw). Every PhysioNet tool opens them. Killed
    at any moment, it goes on where it stood: no sample is lost or there twice.

    [bold]Examples[/bold]
      rhythmwatch archive
      rhythmwatch archive --to /srv/ecg/archive --metrics-port 9102
    """
    settings = _door(context).enter(context.info_name)
    from stream.archive import run_archive

    run_archive(
        cluster(settings, bootstrap),
        to or settings.archive,
        stop=_door(context).until_signalled(),
        every_s=every,
        metrics_port=metrics_port,
    )


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
      rhythmwatch replay mitdb/100 mitdb/208 --loop
      rhythmwatch replay /srv/ecg/mitdb --speed 10
    """
    settings = _door(context).enter(context.info_name)
    from stream.replay import run_replay
    from stream.source import sources_of

    with _bar(shown=fast and not loop) as on_progress:
        run_replay(
            cluster=cluster(settings, bootstrap),
            sources=sources_of(records or ["demo"], data=settings.data, patient=patient),
            stop=_door(context).until_signalled(),
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
    seed: Annotated[int, typer.Option(help="Another seed is another patient.")] = 0,
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
    settings = _door(context).enter(context.info_name)
    from stream.replay import run_replay
    from stream.source import simulated_sources

    run_replay(
        cluster=cluster(settings, bootstrap),
        sources=simulated_sources(patients, fs=fs, seed=seed),
        stop=_door(context).until_signalled(),
        stream_id=stream_id,
        speed=speed,
        loop=loop,
        chunk_ms=chunk_ms,
    )


@app.command(rich_help_panel="Tools")
def receiver(
    context: typer.Context,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 9000,
) -> None:
    """Receive webhooks, verify them, and print each: to see what a receiver gets.

    It verifies with the secrets that notify signs with, from the same settings.

    [bold]Examples[/bold]
      rhythmwatch receiver
      rhythmwatch receiver --host 0.0.0.0 --port 9000
    """
    settings = _door(context).enter(context.info_name)
    from stream.receiver import run_receiver

    run_receiver(
        secrets=[secret for endpoint in _endpoints(settings) for secret in endpoint.secrets],
        stop=_door(context).until_signalled(),
        on_received=lambda received: typer.echo(str(received)),
        host=host,
        port=port,
    )


@app.command(rich_help_panel="Tools")
def health(
    context: typer.Context,
    role: Annotated[WatchingRole, typer.Argument(help="The role to ask about.")],
    bootstrap: BootstrapOption = None,
) -> None:
    """Say whether somebody does a role's work, for every patient.

    The exit status is 0 if every partition is watched, else 1: a health check.

    [bold]Examples[/bold]
      rhythmwatch health score
      rhythmwatch health alarm --bootstrap kafka:9092
    """
    settings = _door(context).enter(context.info_name)
    from stream.health import unwatched

    silent = unwatched(cluster(settings, bootstrap), role)
    if silent:
        typer.echo(f"no {role} watches partitions {', '.join(map(str, sorted(silent)))}", err=True)
        raise typer.Exit(1)
    typer.echo(f"every partition has a {role}")

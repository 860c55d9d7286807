"""The front door: one command; each subcommand imports its package only when called.

The one place that reads the settings and configures logging; both are passed
down, to roles that know neither.
"""

import json
import logging
import signal
import sys
import threading
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ecg.errors import CheckpointError, EcgError
from stream.errors import SettingsError, StreamError

if TYPE_CHECKING:
    from stream.endpoint import Endpoint
    from stream.kafka import Cluster
    from stream.settings import Settings

app = typer.Typer(
    name="rhythmwatch",
    help="Watch many people's ECG live: Kafka in, an LSTM judges every beat, alarms out.\n\n"
    "Start with [bold]rhythmwatch demo[/bold]. Not a medical device; not for clinical use.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
records_app = typer.Typer(
    help="List recordings, or download them from PhysioNet.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)
app.add_typer(records_app, name="records", rich_help_panel="Model")

_STEPS = ("records", "validation fit", "final fit")
Device = Literal["auto", "cpu", "cuda"]
WatchingRole = Literal["score", "alarm", "notify"]
LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR"]
SettingsOption = Annotated[
    Path | None,
    typer.Option(
        "--settings",
        help="The settings file; without it the one that RHYTHMWATCH_SETTINGS names, "
        "else rhythmwatch.toml here.",
    ),
]
LogLevelOption = Annotated[
    LogLevel | None, typer.Option("--log-level", help="How much is said; else as set.")
]
BootstrapOption = Annotated[
    str | None,
    typer.Option("--bootstrap", help="Kafka brokers as host:port,host:port; else as set."),
]

DeviceOption = Annotated[
    Device | None, typer.Option("--device", help="Where the model runs; else as set.")
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


class _Lines(logging.Formatter):
    """One line a message, at its end where it stands: record=topic[partition]@offset."""

    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record)
        place = getattr(record, "record", None)
        return line if place is None else f"{line} record={place}"


@app.callback()
def door(
    context: typer.Context, settings: SettingsOption = None, log_level: LogLevelOption = None
) -> None:
    """Remember what every command may need."""
    context.obj = (settings, log_level)


def _enter(context: typer.Context) -> "Settings":
    """Read the settings and configure logging, for the command that is called."""
    from stream.settings import load

    file, log_level = context.obj
    settings = load(file)
    handler = logging.StreamHandler()
    handler.setFormatter(
        _Lines(f"%(asctime)s %(levelname)-7s {context.info_name}: %(message)s", datefmt="%H:%M:%S")
    )
    logging.basicConfig(level=log_level or settings.log_level, handlers=[handler], force=True)
    for loud in ("kafka", "httpx", "httpcore", "numba"):
        logging.getLogger(loud).setLevel(logging.ERROR)
    return settings


def _cluster(settings: "Settings", bootstrap: str | None) -> "Cluster":
    from stream.kafka import Cluster

    return Cluster(bootstrap or settings.bootstrap, prefix=settings.prefix)


def _found(folder: Path, settings: "Settings") -> Path:
    """Return the folder itself, or the one of that name under the data setting."""
    return folder if folder.is_dir() else settings.data / folder


def _endpoints(settings: "Settings") -> "list[Endpoint]":
    from stream.endpoint import Endpoint

    return [
        Endpoint(
            **endpoint.model_dump(exclude={"secrets"}),
            secrets=tuple(secret.get_secret_value() for secret in endpoint.secrets),
        )
        for endpoint in settings.all_endpoints()
    ]


def _until_signalled() -> threading.Event:
    """Return an event that SIGINT and SIGTERM set; a second one ends the process at once."""
    stop = threading.Event()

    def ask(number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, ask)
    return stop


@app.command(rich_help_panel="Start here")
def demo(
    context: typer.Context,
    records: Annotated[
        list[str] | None,
        typer.Option(
            help="More patients: a WFDB record or a folder of them, here or under the data "
            "setting. May be repeated."
        ),
    ] = None,
    headless: Annotated[bool, typer.Option("--headless", help="Without the dashboard.")] = False,
    seconds: Annotated[
        float | None, typer.Option(min=1, help="End so long after the first sample was sent.")
    ] = None,
    json_file: Annotated[
        Path | None,
        typer.Option("--json", help="Write the figures of the run there; - prints them."),
    ] = None,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Port of the dashboard; else as set.")
    ] = None,
    device: DeviceOption = None,
) -> None:
    """Run everything on this machine: broker, patients, roles, webhooks, dashboard.

    One patient is five minutes of MIT-BIH record 208, a record that the model
    was trained on: it shows the path and not the accuracy. The other one is
    simulated. Ctrl-C ends everything that was started.

    [bold]Examples[/bold]
      rhythmwatch demo
      rhythmwatch demo --records mitdb/119 --records mitdb/207
      rhythmwatch demo --headless --seconds 150 --json out.json
    """
    settings = _enter(context)
    stop = _until_signalled()
    from stream.demo import Plan, run_demo

    plan = Plan(
        records=tuple(records or ()),
        data=settings.data,
        device=device or settings.device,
        dashboard_port=None if headless else port or settings.dashboard_port,
        seconds=seconds,
    )
    figures = run_demo(plan, stop=stop, say=lambda line: typer.echo(line, err=True))
    if json_file is not None:
        text = json.dumps(figures, indent=2)
        if str(json_file) == "-":
            typer.echo(text)
        else:
            json_file.write_text(text + "\n", encoding="utf-8")


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
    settings = _enter(context)
    from stream.kafka import create_topics, wait_for_broker
    from stream.topics import TOPICS

    cluster = _cluster(settings, bootstrap)
    if not wait_for_broker(cluster, stop=_until_signalled()):
        raise typer.Exit(130)
    wanted = settings.retained(TOPICS)
    number = partitions or settings.partitions
    created = create_topics(
        cluster, wanted, partitions=number, replication=replication or settings.replication
    )
    for topic in wanted:
        kept = "newest of each patient" if topic.compacted else f"{topic.retention_ms / 3.6e6:g} h"
        state = "created" if topic.name in created else "there"
        typer.echo(f"{topic.name:<18} {number} partitions  keeps {kept:<23} {state}")


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
    settings = _enter(context)
    from stream.replay import run_replay
    from stream.source import sources_of

    run_replay(
        cluster=_cluster(settings, bootstrap),
        sources=sources_of(records or ["demo"], data=settings.data, patient=patient),
        stop=_until_signalled(),
        stream_id=stream_id,
        speed=None if fast else speed,
        loop=loop,
        chunk_ms=chunk_ms,
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
    settings = _enter(context)
    from stream.replay import run_replay
    from stream.source import simulated_sources

    run_replay(
        cluster=_cluster(settings, bootstrap),
        sources=simulated_sources(patients, fs=fs, seed=seed),
        stop=_until_signalled(),
        stream_id=stream_id,
        speed=speed,
        loop=loop,
        chunk_ms=chunk_ms,
    )


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
    settings = _enter(context)
    stop = _until_signalled()
    from ecg.checkpoint import SHIPPED, load
    from ecg.judge import Judge
    from ecg.monitor import Monitor
    from ecg.warm import warm_up
    from stream.score import run_score

    judge: Judge | None = None
    try:
        judge = load(weights or SHIPPED, device=device or settings.device)
    except CheckpointError as error:
        if weights is not None:
            raise
        # rates and signal quality need no model, and every finding says that there is none
        logging.getLogger(__name__).error("beats are not classified: %s", error)
    warm_up(judge)
    run_score(
        _cluster(settings, bootstrap),
        lambda: Monitor(judge),
        stop=stop,
        metrics_port=metrics_port,
    )


@app.command(rich_help_panel="Roles")
def notify(context: typer.Context, bootstrap: BootstrapOption = None) -> None:
    """Post alarms to webhooks, signed: ecg.alarms in.

    Where to is a matter of the settings: [[endpoints]] tables in the file, or
    RHYTHMWATCH_WEBHOOK_URL and RHYTHMWATCH_WEBHOOK_SECRET.

    [bold]Examples[/bold]
      rhythmwatch notify
      rhythmwatch --settings pager.toml notify
    """
    settings = _enter(context)
    from stream.notify import run_notify

    run_notify(
        cluster=_cluster(settings, bootstrap),
        endpoints=_endpoints(settings),
        stop=_until_signalled(),
    )


@app.command(rich_help_panel="Roles")
def dashboard(
    context: typer.Context,
    host: Annotated[str | None, typer.Option(help="Address to bind; else as set.")] = None,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Port to bind; else as set.")
    ] = None,
    bootstrap: BootstrapOption = None,
) -> None:
    """Serve the screens: all patients, one patient, alarms.

    Whoever can reach the address can acknowledge alarms: there is no login.

    [bold]Examples[/bold]
      rhythmwatch dashboard
      rhythmwatch dashboard --host 0.0.0.0 --port 80
    """
    settings = _enter(context)
    from dashboard.run import run_dashboard

    run_dashboard(
        bootstrap or settings.bootstrap,
        prefix=settings.prefix,
        host=host or settings.dashboard_host,
        port=port or settings.dashboard_port,
        allowed_hosts=settings.dashboard_names,
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
    settings = _enter(context)
    from stream.receiver import run_receiver

    run_receiver(
        secrets=[secret for endpoint in _endpoints(settings) for secret in endpoint.secrets],
        stop=_until_signalled(),
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
    settings = _enter(context)
    from stream.health import unwatched

    silent = unwatched(_cluster(settings, bootstrap), role)
    if silent:
        typer.echo(f"no {role} watches partitions {', '.join(map(str, sorted(silent)))}", err=True)
        raise typer.Exit(1)
    typer.echo(f"every partition has a {role}")


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
    ] = "mitdb,svdb",
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
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, TimeElapsedColumn

    from ecg.checkpoint import SHIPPED
    from training.fit import Epoch, FitSettings
    from training.train import DATABASES, train

    names = tuple(databases.split(","))
    if not {"mitdb"} <= set(names) <= set(DATABASES):
        raise typer.BadParameter(f"must be mitdb and any of {', '.join(DATABASES)}: {databases}")
    fitting = FitSettings(device=device or settings.device, seed=seed)
    if epochs is not None:
        fitting = replace(fitting, epochs=epochs)
    columns = (*Progress.get_default_columns(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bars:
        tasks = {name: bars.add_task(name, start=False) for name in _STEPS}

        def show(step: str, done: int, total: int) -> None:
            bars.start_task(tasks[step])
            bars.update(tasks[step], completed=done, total=total)

        def on_epoch(which: str, epoch: Epoch, total: int) -> None:
            show(f"{which} fit", epoch.number, total)

        trained = train(
            data or settings.data,
            out=out or SHIPPED,
            databases=names,
            settings=fitting,
            on_record=lambda name, done, total: show("records", done, total),
            on_epoch=on_epoch,
        )
    for name, f1 in trained.validation.items():
        typer.echo(f"F1 of {name} on the validation patients: {f1:.3f}")
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
    weights: Annotated[
        Path | None, typer.Option(help="Another model than the shipped one.")
    ] = None,
    device: DeviceOption = None,
) -> None:
    """Score the live path against annotations, by the rules of EC57.

    Records go through the same monitor as live ECG, with its own detector and
    nothing from the future. The first five minutes of each are not scored.

    [bold]Examples[/bold]
      rhythmwatch evaluate mitdb --records ds2
      rhythmwatch evaluate mitdb --records 100,119 --json - --annotations found
    """
    settings = _enter(context)
    from ecg.checkpoint import SHIPPED
    from training.evaluate import run

    run(
        _found(directory, settings),
        records=records,
        json_file=json_file,
        annotations=annotations,
        weights=weights or SHIPPED,
        device=device or settings.device,
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
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, TimeElapsedColumn

    from ecg.download import download

    columns = (*Progress.get_default_columns(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bars:
        task = bars.add_task(database, total=None)
        folder = download(
            database,
            to or settings.data,
            records=records.split(",") if records else None,
            on_progress=lambda done, total, name: bars.update(task, completed=done, total=total),
        )
    typer.echo(f"{folder}")


def main() -> None:
    """Run the command; our own errors become one message and an exit status.

    1 is an error, 2 a wrong setting or option, 130 an interruption.
    """
    try:
        app(prog_name="rhythmwatch")
    except SettingsError as error:
        _say(error)
        sys.exit(2)
    except (EcgError, StreamError) as error:
        _say(error)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def _say(error: Exception) -> None:
    typer.echo(f"rhythmwatch: {error}", err=True)


if __name__ == "__main__":
    main()

"""The front door: one command; each subcommand imports its package only when called.

The one place that reads the settings and configures logging; both are passed
down, to roles that know neither.
"""

import logging
import signal
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ecg.errors import EcgError
from stream.errors import SettingsError, StreamError

if TYPE_CHECKING:
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

Device = Literal["auto", "cpu", "cuda"]
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


def _until_signalled() -> threading.Event:
    """Return an event that SIGINT and SIGTERM set; a second one ends the process at once."""
    stop = threading.Event()

    def ask(number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, ask)
    return stop


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


@app.command(rich_help_panel="Roles")
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
    stream_id: Annotated[
        str | None, typer.Option(help="Id of this stream; else a new one, as it should be.")
    ] = None,
    chunk_ms: Annotated[
        int, typer.Option(min=50, max=1000, help="Signal in a message, in ms.")
    ] = 250,
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

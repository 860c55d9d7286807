"""The front door: one command, whose subcommands import their packages only when called.

The one place that reads the settings and configures logging; both are passed
down, to roles that know neither. ``stream`` and ``training`` bring their own
commands; here are those that put packages together.
"""

import gc
import json
import logging
import signal
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ecg.errors import EcgError
from stream import commands as online
from stream.errors import SettingsError, StreamError
from stream.front import BootstrapOption, DeviceOption, brokers
from training import commands as offline

if TYPE_CHECKING:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """What every command is given, as ``context.obj``."""

    file: Path | None
    log_level: LogLevel | None

    def enter(self, command: str | None) -> "Settings":
        """Read the settings and configure logging, for the command that is called."""
        from stream.logs import Lines, Sparing
        from stream.settings import load

        settings = load(self.file)
        handler = logging.StreamHandler()
        form = f"%(asctime)s %(levelname)-7s {command}: %(message)s"
        handler.setFormatter(Lines(form, datefmt="%H:%M:%S"))
        handler.addFilter(Sparing())
        level = self.log_level or settings.log_level
        logging.basicConfig(level=level, handlers=[handler], force=True)
        for loud in ("kafka", "httpx", "httpcore", "numba"):
            # what they call errors are their retries; what fails for good, we log ourselves
            logging.getLogger(loud).setLevel(logging.CRITICAL)
        return settings

    def until_signalled(self) -> threading.Event:
        """Return an event that SIGINT and SIGTERM set; a second one ends the process at once."""
        stop = threading.Event()

        def ask(number: int, frame: FrameType | None) -> None:
            signal.signal(number, signal.SIG_DFL)
            stop.set()

        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, ask)
        return stop


@app.callback()
def enter(
    context: typer.Context, settings: SettingsOption = None, log_level: LogLevelOption = None
) -> None:
    """Remember what every command may need."""
    context.obj = Door(file=settings, log_level=log_level)


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
    door: Door = context.obj
    settings = door.enter(context.info_name)
    stop = door.until_signalled()
    from stream.demo import Plan, run_demo

    # said now: at the end the figures would be lost
    if json_file is not None and (json_file.is_dir() or not json_file.parent.is_dir()):
        raise SettingsError(f"no figures can be written to {json_file}: name a file in a folder")
    plan = Plan(
        records=tuple(records or ()),
        data=settings.data,
        device=device or settings.device,
        dashboard_port=None if headless else port or settings.dashboard_port,
        seconds=seconds,
    )
    figures = run_demo(plan, stop=stop, say=lambda line: typer.echo(line, err=True))
    if json_file is not None and figures is None:
        typer.echo("ended before the first sample was judged: there are no figures", err=True)
        raise typer.Exit(130)
    if json_file is not None:
        text = json.dumps(figures, indent=2)
        if str(json_file) == "-":
            typer.echo(text)
        else:
            json_file.write_text(text + "\n", encoding="utf-8")


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
    door: Door = context.obj
    settings = door.enter(context.info_name)
    from dashboard.run import run_dashboard

    run_dashboard(
        brokers(settings, bootstrap),
        prefix=settings.prefix,
        host=host or settings.dashboard_host,
        port=port or settings.dashboard_port,
        allowed_hosts=settings.dashboard_names,
    )


app.add_typer(online.app)
app.add_typer(offline.app)


def main() -> None:
    """Run the command; our own errors become one message and an exit status.

    1 is an error (what the system refuses is one, too), 2 a wrong setting or
    option, 130 an interruption.
    """
    try:
        app(prog_name="rhythmwatch")
    except SettingsError as error:
        _say(error)
        sys.exit(2)
    except (EcgError, StreamError, OSError) as error:
        _say(error)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        # a last look at everything that torch and numba have made takes seconds, for nothing
        gc.freeze()


def _say(error: Exception) -> None:
    typer.echo(f"rhythmwatch: {error}", err=True)


if __name__ == "__main__":
    main()

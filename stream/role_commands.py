"""The commands of the roles: what each takes, and what it calls."""

import logging
from pathlib import Path
from typing import Annotated

import typer

from ecg.errors import CheckpointError
from stream.front import BootstrapOption, DeviceOption, app, cluster, door, endpoints

logger = logging.getLogger(__name__)

MetricsOption = Annotated[
    int | None,
    typer.Option(
        "--metrics-port",
        min=1,
        max=65535,
        help="Serve Prometheus metrics there, on 127.0.0.1.",
    ),
]


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
    settings = door(context).enter(context.info_name)
    stop = door(context).until_signalled()
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
    settings = door(context).enter(context.info_name)
    from stream.alarm import run_alarm
    from stream.memory import keep_what_is_loaded

    keep_what_is_loaded()
    run_alarm(
        cluster(settings, bootstrap),
        stop=door(context).until_signalled(),
        metrics_port=metrics_port,
    )


@app.command(rich_help_panel="Roles")
def notify(
    context: typer.Context, bootstrap: BootstrapOption = None, metrics_port: MetricsOption = None
) -> None:
    r"""Post alarms to webhooks, signed: ecg.alarms in.

    Where to is a matter of the settings: [\[endpoints]] tables in the file, or
    RHYTHMWATCH_WEBHOOK_URL and RHYTHMWATCH_WEBHOOK_SECRET.

    [bold]Examples[/bold]
      rhythmwatch notify
      rhythmwatch --settings pager.toml notify
    """
    settings = door(context).enter(context.info_name)
    from stream.notify import run_notify

    run_notify(
        cluster=cluster(settings, bootstrap),
        endpoints=endpoints(settings),
        stop=door(context).until_signalled(),
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
    settings = door(context).enter(context.info_name)
    from stream.archive import run_archive

    run_archive(
        cluster(settings, bootstrap),
        to or settings.archive,
        stop=door(context).until_signalled(),
        every_s=every,
        metrics_port=metrics_port,
    )

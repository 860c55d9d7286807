"""The commands that look after the rest: topics, a receiver of webhooks, health."""

from typing import Annotated, Literal

import typer

from stream.front import BootstrapOption, app, cluster, door, endpoints

WatchingRole = Literal["score", "alarm", "notify", "archive"]


@app.command(rich_help_panel="Tools")
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
    settings = door(context).enter(context.info_name)
    from stream.kafka import create_topics, wait_for_broker
    from stream.topics import TOPICS

    kafka = cluster(settings, bootstrap)
    if not wait_for_broker(kafka, stop=door(context).until_signalled()):
        raise typer.Exit(130)
    wanted = settings.retained(TOPICS)
    number = partitions or settings.partitions
    created = create_topics(
        kafka, wanted, partitions=number, replication=replication or settings.replication
    )
    for topic in wanted:
        if topic.name not in created:
            said = "was there, and keeps what it was created to keep"
        elif topic.compacted:
            said = "created, keeps the newest of each patient"
        else:
            said = f"created, keeps {topic.retention_ms / 3.6e6:g} h"
        typer.echo(f"{topic.name:<18} {number} partitions  {said}")


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
    settings = door(context).enter(context.info_name)
    from stream.receiver import run_receiver

    run_receiver(
        secrets=[secret for endpoint in endpoints(settings) for secret in endpoint.secrets],
        stop=door(context).until_signalled(),
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
    """Say whether somebody does a role's work, for every patient and endpoint.

    The exit status is 0 if every partition is watched, else 1: a health check.

    [bold]Examples[/bold]
      rhythmwatch health score
      rhythmwatch health alarm --bootstrap kafka:9092
    """
    settings = door(context).enter(context.info_name)
    from stream.health import unwatched
    from stream.inbox import group_of

    keys = [
        group_of(endpoint.name)
        for endpoint in settings.all_endpoints()
        if role == "notify" and not endpoint.escalations_only
    ]
    silent = unwatched(cluster(settings, bootstrap), role, keys=keys)
    if silent:
        typer.echo(f"no {role} watches partitions {', '.join(map(str, sorted(silent)))}", err=True)
        raise typer.Exit(1)
    typer.echo(f"{role} watches every partition")

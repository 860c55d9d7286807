"""What all online commands share: their place in the front door, options, cluster, endpoints."""

import threading
from typing import TYPE_CHECKING, Annotated, Literal, Protocol

import typer

if TYPE_CHECKING:
    from stream.endpoint import Endpoint
    from stream.kafka import Cluster
    from stream.settings import Settings

app = typer.Typer(rich_markup_mode="rich")

BootstrapOption = Annotated[
    str | None,
    typer.Option("--bootstrap", help="Kafka brokers as host:port,host:port; else as set."),
]
DeviceOption = Annotated[
    Literal["auto", "cpu", "cuda"] | None,
    typer.Option("--device", help="Where the model runs; else as set."),
]


class Door(Protocol):
    """What the front door gives to a command, as ``context.obj``."""

    def enter(self, command: str | None) -> "Settings":
        """Read the settings and configure logging."""

    def until_signalled(self) -> threading.Event:
        """Return an event that Ctrl-C and SIGTERM set."""


def door(context: typer.Context) -> Door:
    """Return what the front door gave to a command."""
    given: Door = context.obj
    return given


def brokers(settings: "Settings", bootstrap: str | None) -> str:
    """Return the brokers that were asked for, else those that are set."""
    from stream.errors import SettingsError
    from stream.settings import check_brokers

    if bootstrap is None:
        return settings.bootstrap
    try:
        return check_brokers(bootstrap)
    except ValueError as error:
        raise SettingsError(f"--bootstrap cannot be used: {error}") from error


def cluster(settings: "Settings", bootstrap: str | None) -> "Cluster":
    """Return the cluster that was asked for, else the one that is set."""
    from stream.kafka import Cluster

    return Cluster(brokers(settings, bootstrap), prefix=settings.prefix)


def endpoints(settings: "Settings") -> "list[Endpoint]":
    """Return the endpoints that are set, with their secrets."""
    from stream.endpoint import Endpoint

    return [
        Endpoint(
            **endpoint.model_dump(exclude={"secrets"}),
            secrets=tuple(secret.get_secret_value() for secret in endpoint.secrets),
        )
        for endpoint in settings.all_endpoints()
    ]

"""What a person can set: from ``RHYTHMWATCH_...`` in the environment or from a TOML file.

Read once, by the front door, and passed down as plain arguments: nothing else
in the project reads the environment. The environment wins over the file.
"""

import difflib
import os
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings import SettingsError as SourceError

from stream.endpoint import secret_problem
from stream.errors import SettingsError
from stream.topics import Topic

PREFIX = "RHYTHMWATCH_"
FILE_NAME = "rhythmwatch.toml"
_NOT_OURS = ("RHYTHMWATCH_SETTINGS", "RHYTHMWATCH_TEST_")
"""Names with our prefix that are no settings: where the file is, and what only the tests read."""


def default_data_dir() -> Path:
    """Return where downloaded recordings are kept unless told otherwise."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "rhythmwatch"


def _signing_secret(secret: SecretStr) -> SecretStr:
    problem = secret_problem(secret.get_secret_value())
    if problem is not None:
        raise ValueError(problem)
    return secret


def _web_address(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("not a web address")
    _ = parts.port  # raises where it is none
    return url


def check_brokers(text: str) -> str:
    """Return addresses of brokers as they are.

    Raises
    ------
    ValueError
        If one is not ``host:port``.
    """
    for broker in text.split(","):
        host, _, port = broker.strip().rpartition(":")
        if not host or not port.isdecimal() or not 0 < int(port) < 65536:
            raise ValueError(f"{broker.strip()!r} is not host:port")
    return text


def _folder(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError as error:  # there is no such user
        raise ValueError(str(error)) from error


SigningSecret = Annotated[SecretStr, AfterValidator(_signing_secret)]
WebAddress = Annotated[str, AfterValidator(_web_address)]
Folder = Annotated[Path, AfterValidator(_folder)]
Port = Annotated[int, Field(ge=1, le=65535)]
_SIGNING = "whsec_ followed by the base64 of 24 to 64 random bytes"
_ADDRESS_IS = "an http:// or https:// address"


class EndpointSettings(BaseModel):
    """One webhook receiver."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(
        pattern=r"^[a-z0-9][a-z0-9-]{0,31}$",
        description="1 to 32 small letters, digits and hyphens; it names the consumer group",
    )
    url: WebAddress = Field(description=_ADDRESS_IS)
    secrets: tuple[SigningSecret, ...] = Field(
        min_length=1, description=f"a list of signing secrets, each {_SIGNING}"
    )
    min_priority: Literal["high", "medium", "low"] = Field(
        default="low", description="the lowest priority that is sent: high, medium or low"
    )
    fallback: str | None = Field(
        default=None, description="the name of the endpoint that takes over a stuck high alarm"
    )
    allow_private: bool = Field(
        default=False, description="true to allow an address in a private network, else false"
    )
    escalations_only: bool = Field(
        default=False, description="true to get only what other endpoints do not take, else false"
    )


class Settings(BaseSettings):
    """Everything that can be set; each description says what a right value is."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True)

    bootstrap: Annotated[str, AfterValidator(check_brokers)] = Field(
        default="127.0.0.1:9092",
        description="Kafka brokers as host:port, several separated by commas",
    )
    prefix: str = Field(
        default="",
        pattern=r"^[A-Za-z0-9._-]{0,64}$",
        description="up to 64 letters, digits, '.', '_' and '-' before every topic and group name",
    )
    partitions: int = Field(
        default=8, ge=1, le=1024, description="partitions of every topic, 1 to 1024"
    )
    replication: int = Field(
        default=1, ge=1, le=9, description="copies of every partition, at most one a broker, 1 to 9"
    )
    retention_hours: dict[
        Literal["waveforms", "findings", "alarms", "actions", "trends", "dead-letters"],
        Annotated[float, Field(gt=0, le=876_000)],
    ] = Field(
        default_factory=dict,
        description="hours, more than 0 and at most 876000 (a hundred years), by topic: "
        "waveforms, findings, alarms, actions, trends, dead-letters",
    )
    data: Folder = Field(
        default_factory=default_data_dir,
        description="the folder that holds recordings, one folder a database (mitdb, svdb, ...)",
    )
    archive: Folder = Field(
        default=Path("archive"),
        description="the folder that rhythmwatch archive writes records to",
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto", description="where models run: auto, cpu or cuda"
    )
    dashboard_host: str = Field(
        default="127.0.0.1", min_length=1, description="the address that the dashboard binds"
    )
    dashboard_port: Port = Field(default=8501, description="a port, 1 to 65535")
    dashboard_names: tuple[str, ...] = Field(
        default=(), description="a list of further host names under which browsers reach it"
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="DEBUG, INFO, WARNING or ERROR"
    )
    endpoints: tuple[EndpointSettings, ...] = Field(
        default=(), description="webhook receivers; in the file one [[endpoints]] table each"
    )
    webhook_url: WebAddress | None = Field(
        default=None, description=f"{_ADDRESS_IS}: one webhook receiver without a file"
    )
    webhook_secret: SigningSecret | None = Field(
        default=None, description=f"the secret of webhook_url, {_SIGNING}"
    )
    webhook_allow_private: bool = Field(
        default=False, description="true to allow webhook_url in a private network, else false"
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment win over the file, whose values are the arguments."""
        return env_settings, init_settings

    @model_validator(mode="after")
    def _one_endpoint_is_whole(self) -> "Settings":
        if (self.webhook_url is None) != (self.webhook_secret is None):
            raise ValueError("webhook_url and webhook_secret must be set together")
        return self

    def all_endpoints(self) -> tuple[EndpointSettings, ...]:
        """Return the endpoints of the list, and the one of ``webhook_url``."""
        if self.webhook_url is None or self.webhook_secret is None:
            return self.endpoints
        single = EndpointSettings(
            name="webhook",
            url=self.webhook_url,
            secrets=(self.webhook_secret,),
            allow_private=self.webhook_allow_private,
        )
        return (*self.endpoints, single)

    def retained(self, topics: Iterable[Topic]) -> tuple[Topic, ...]:
        """Return the topics with the retention that was set for them."""
        hours = {f"ecg.{name}": value for name, value in self.retention_hours.items()}
        return tuple(
            replace(topic, retention_ms=round(hours[topic.name] * 3_600_000))
            if topic.name in hours
            else topic
            for topic in topics
        )


def load(file: Path | None = None) -> Settings:
    """Read the settings, once, at the start.

    Parameters
    ----------
    file : Path or None
        The TOML file; None reads the one that ``RHYTHMWATCH_SETTINGS`` names,
        else ``rhythmwatch.toml`` in the working directory if there is one.

    Raises
    ------
    SettingsError
        If the file cannot be read, or a name or value in it or in the
        environment cannot be used; the message names all of them.
    """
    named = file or (Path(text) if (text := os.environ.get("RHYTHMWATCH_SETTINGS")) else None)
    path = named or Path(FILE_NAME)
    values: dict[str, Any] = {}
    if named is not None or path.is_file():
        values = _read(path)
    complaints = [_unknown(key, "the environment") for key in _unknown_variables(os.environ)]
    try:
        settings = Settings(**values)
    except SourceError as error:
        raise SettingsError(
            f"a setting in the environment is not readable: {error}; "
            "there, lists and tables are written as JSON"
        ) from error
    except ValidationError as error:
        problems = error.errors()
        inner = {p["loc"][:-1] for p in problems if p["loc"]} - {()}  # a list is short for these
        complaints += [_complaint(p, path) for p in problems if p["loc"] not in inner]
        raise SettingsError(_message(complaints)) from error
    if complaints:
        raise SettingsError(_message(complaints))
    return settings


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"settings file {path} cannot be read: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"settings file {path} is not TOML: {error}") from error


def _unknown_variables(environ: Mapping[str, str]) -> list[str]:
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    ours = (key for key in sorted(environ) if key.startswith(PREFIX))
    return [key for key in ours if key not in known and not key.startswith(_NOT_OURS)]


def _unknown(key: str, from_: str, known: Iterable[str] = ()) -> str:
    names = list(known) or [PREFIX + name.upper() for name in Settings.model_fields]
    near = difflib.get_close_matches(key.rpartition(".")[2], names, n=1, cutoff=0.5)
    right = f"did you mean {near[0]}?" if near else f"known are {', '.join(sorted(names))}"
    return f"{key} ({from_})\n      there is no such setting; {right}"


def _complaint(problem: Any, path: Path) -> str:
    place = [str(part) for part in problem["loc"]]
    if not place:
        return str(problem["msg"]).removeprefix("Value error, ")
    variable = PREFIX + place[0].upper()
    from_ = variable if variable in os.environ else str(path)
    fields = EndpointSettings.model_fields if place[0] == "endpoints" else Settings.model_fields
    if problem["type"] == "extra_forbidden":
        return _unknown(".".join(place), from_, fields)
    name = next((part for part in reversed(place) if part in fields), place[0])
    field = fields.get(name) or Settings.model_fields[place[0]]
    secret = "secret" in name
    got = "a secret that is not shown" if secret else f"{problem['input']!r}"
    key = ".".join(part for part in place if part != "[key]")
    if problem["type"] == "missing":
        return f"{key} ({from_})\n      is missing; right is: {field.description}"
    why = str(problem["msg"]).removeprefix("Value error, ")
    return f"{key} = {got} ({from_})\n      {why}; right is: {field.description}"


def _message(complaints: list[str]) -> str:
    if len(complaints) == 1:
        return f"a setting cannot be used\n  {complaints[0]}"
    return "\n  ".join([f"{len(complaints)} settings cannot be used", *complaints])

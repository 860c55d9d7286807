"""docker-compose.yml: its commands are ours, it binds loopback, and holds no secret."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from stream import settings
from tests import commandline

ROOT = Path(__file__).parents[1]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}


def test_every_role_has_a_service() -> None:
    roles = {"topics", "score", "alarm", "notify", "dashboard", "replay"}
    assert roles <= set(OURS)
    assert {service["command"][0] for service in OURS.values()} >= roles


@pytest.mark.parametrize("name", OURS)
def test_command_is_ours_with_those_options(name: str) -> None:
    commandline.check(OURS[name]["command"])


@pytest.mark.parametrize("name", OURS)
def test_health_check_is_a_command_that_exists(name: str) -> None:
    kind, program, *words = OURS[name].get("healthcheck", {}).get("test", ["CMD", "python"])
    assert kind == "CMD"
    if program == "rhythmwatch":
        commandline.check(words)
    else:
        assert program == "python"


@pytest.mark.parametrize("name", OURS)
def test_variables_are_settings_that_exist(name: str) -> None:
    known = {settings.PREFIX + field.upper() for field in settings.Settings.model_fields}
    assert set(OURS[name]["environment"]) <= known


@pytest.mark.parametrize("name", SERVICES)
def test_ports_are_open_on_this_machine_only(name: str) -> None:
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[name].get("ports", []))


@pytest.mark.parametrize("name", SERVICES)
def test_no_secret_is_in_the_file(name: str) -> None:
    for key, value in SERVICES[name].get("environment", {}).items():
        if "SECRET" in key or "PASSWORD" in key:
            assert re.fullmatch(r"\$\{\w+:\?.+\}", value), f"{key} must come from outside"


def test_roles_start_after_their_topics_and_these_after_a_healthy_broker() -> None:
    assert SERVICES["topics"]["depends_on"]["kafka"]["condition"] == "service_healthy"
    assert "healthcheck" in SERVICES["kafka"]
    for name in ("score", "alarm", "notify", "dashboard", "replay"):
        waits = SERVICES[name]["depends_on"]["topics"]["condition"]
        assert waits == "service_completed_successfully"
        assert name == "replay" or "healthcheck" in SERVICES[name]

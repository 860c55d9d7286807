"""What a test needs from outside: absent means skip with the reason, and failure under CI=true."""

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest
from playwright.sync_api import sync_playwright


def absent(reason: str) -> NoReturn:
    """Skip the running test, or fail it where everything must be there."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{reason}, and CI=true allows no skipping")
    pytest.skip(reason)


def recordings(database: str) -> Path:
    """Return the directory of a PhysioNet database, e.g. ``mitdb``."""
    where = os.environ.get("RHYTHMWATCH_DATA")
    if not where:
        absent("RHYTHMWATCH_DATA does not say where PhysioNet recordings lie")
    directory = Path(where) / database
    if not directory.is_dir():
        absent(f"{directory} is not there")
    return directory


def kafka() -> str | None:
    """Return the cluster to test against, None where the tests start one themselves."""
    bootstrap = os.environ.get("RHYTHMWATCH_TEST_KAFKA")
    if not bootstrap:
        for program in ("java", "mvn"):
            if shutil.which(program) is None:
                absent(f"no {program}: Apache Kafka cannot be started")
    return bootstrap


def browser() -> str:
    """Return the path of Chromium: the system's, else the one that Playwright has fetched."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return path
    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
    if Path(own).exists():
        return own
    absent("no Chromium: install it, or run `playwright install chromium`")

"""A ward for the browser: a broker, topics, a dashboard process and a page in Chromium."""

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from stream.broker import EmbeddedBroker, free_port
from stream.kafka import Cluster, create_topics
from stream.topics import TOPICS
from tests import need
from tests.browser.hospital import PARTITIONS, Bed, Hospital

ROOT = Path(__file__).parents[2]
START = """import sys
from dashboard.run import run_dashboard
run_dashboard(sys.argv[1], port=int(sys.argv[2]))
"""
FLAGS = (
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-gpu",
    "--no-first-run",
)


class Dashboard:
    """The dashboard as a process of its own, as a user starts it."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap
        self.port = free_port()
        self.start()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it and wait until it answers."""
        self.process = subprocess.Popen(
            [sys.executable, "-c", START, self.bootstrap, str(self.port)],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )
        deadline = time.monotonic() + 60
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.process.kill()
                raise AssertionError(f"the dashboard did not start: {self.process.returncode}")
            time.sleep(0.05)

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=2) as answer:  # noqa: S310  # our own process
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def end(self, number: int = signal.SIGINT) -> int:
        """Send a signal and return the exit status."""
        self.process.send_signal(number)
        try:
            return self.process.wait(timeout=15)
        finally:
            self.process.kill()


# Playwright counts as somebody who has clicked; a page that was only opened may not sound
NOT_CLICKED = """window.AudioContext = class extends AudioContext {
  constructor() {
    super();
    this.suspend();
  }
};"""


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """Yield the browser, for this package only: its event loop would be in others' way."""
    path = need.browser()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """Yield a fresh page; a script error on it fails the test."""
    errors: list[str] = []
    page = chromium.new_page(viewport={"width": 1280, "height": 800})
    page.add_init_script(NOT_CLICKED)
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    page.close()
    assert not errors


@pytest.fixture(scope="package")
def ward_broker() -> Iterator[Cluster]:
    """Yield an embedded broker with topics."""
    with EmbeddedBroker() as broker:
        create_topics(broker.cluster, TOPICS, partitions=PARTITIONS)
        yield broker.cluster


@pytest.fixture(scope="package")
def dashboard(chromium: Browser, ward_broker: Cluster) -> Iterator[Dashboard]:
    """Yield the dashboard of these tests; it must end on Ctrl-C."""
    dashboard = Dashboard(ward_broker.bootstrap)
    yield dashboard
    assert dashboard.end() == 0


@pytest.fixture(scope="package")
def hospital(ward_broker: Cluster, dashboard: Dashboard) -> Iterator[Hospital]:
    """Yield the patients; each test that changes one uses a bed of its own."""
    beds = [
        Bed(patient="ventricular", bed="Bed 1"),
        Bed(patient="sinus", bed="Bed 2", bpm=95, every_v=0),
        Bed(patient="slow", bed="Bed 3", bpm=58, every_v=3),
        Bed(patient="off", bed="Bed 4", off="lead_off"),
        Bed(patient="quiet", bed="Bed 10", bpm=66, every_v=0),
    ]
    with Hospital(ward_broker, beds) as hospital:
        yield hospital


@pytest.fixture
def bedside(page: Page, dashboard: Dashboard, hospital: Hospital) -> Callable[[str], Page]:
    """Return a function that opens a patient's bedside page and waits for the live trace."""

    def open_bedside(patient: str) -> Page:
        page.goto(f"{dashboard.url}/bedside?patient={patient}")
        page.locator(".screen[data-live=true]").wait_for(timeout=20_000)
        return page

    return open_bedside

"""What the pages say when the broker or the server goes, and that they go on by themselves."""

import signal

import pytest
from playwright.sync_api import Browser, Page, expect

from stream.broker import EmbeddedBroker, free_port
from stream.kafka import create_topics
from stream.topics import TOPICS
from tests.browser.conftest import Dashboard
from tests.browser.hospital import PARTITIONS, Bed, Hospital
from tests.browser.test_screens import DOWN_MS, pen, until

pytestmark = pytest.mark.browser


def test_pages_say_what_is_gone_and_go_on_when_it_is_back(chromium: Browser, page: Page) -> None:
    port = free_port()
    dashboard = Dashboard(f"127.0.0.1:{port}")
    try:
        # no broker yet
        page.goto(dashboard.url)
        down = page.locator(".down")
        expect(down).to_contain_text("broker: no answer from the Kafka broker", timeout=20_000)

        with EmbeddedBroker(port=port) as broker:
            expect(down).to_contain_text("create the topics first", timeout=15_000)
            create_topics(broker.cluster, TOPICS, partitions=PARTITIONS)
            expect(down).to_be_hidden(timeout=10_000)
            expect(page.locator(".empty")).to_contain_text("No patients yet")
            page.goto(f"{dashboard.url}/bedside")
            expect(page.get_by_text("No patient is being monitored yet")).to_be_visible()
            with Hospital(broker.cluster, [Bed(patient="p100", bed="Bed 1")]):
                page.locator(".screen[data-live=true]").wait_for(timeout=15_000)
                expect(page.locator(".hr .number")).to_have_text("72")

                # the server is killed and comes back: the page finds it alone
                refused: list[str] = []
                page.on("requestfailed", lambda request: refused.append(request.url))
                dashboard.end(signal.SIGKILL)
                expect(down).to_contain_text("connection: nothing heard", timeout=DOWN_MS)
                until(page, lambda: pen(page)["green"] == 0)
                # Streamlit, too, has lost the server by now, and lays nothing over these words
                until(page, lambda: len(refused) > 12)
                down.locator(".step").click(trial=True)
                dashboard.start()
                expect(down).to_be_hidden(timeout=20_000)
                page.locator(".screen[data-live=true]").wait_for(timeout=15_000)
                until(page, lambda: pen(page)["green"] > 50)

        expect(down).to_contain_text("broker: no answer", timeout=DOWN_MS)
        expect(page.locator(".hr .number")).to_have_text("--")
        until(page, lambda: pen(page)["green"] == 0)
    finally:
        dashboard.end()

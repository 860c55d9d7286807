"""What the pages do when the network between them and the dashboard is bad."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Dashboard
from tests.browser.hospital import Hospital
from tests.browser.proxy import Proxy
from tests.browser.test_screens import COUNT_TONES, DOWN_MS, until

pytestmark = pytest.mark.browser


@pytest.fixture
def proxy(dashboard: Dashboard) -> Iterator[Proxy]:
    """Yield the network between the page and the dashboard."""
    with Proxy(dashboard) as proxy:
        yield proxy


@pytest.mark.slow
def test_slow_link_shows_nothing_old_as_live_and_alarms_soon(
    page: Page, proxy: Proxy, hospital: Hospital
) -> None:
    page.goto(proxy.url)
    live = page.locator(".sector[data-live=true]")
    expect(live).to_have_count(len(hospital.beds), timeout=20_000)
    proxy.rate = 1500
    try:
        expect(page.locator(".down")).to_contain_text("what arrives is", timeout=15_000)
        expect(live).to_have_count(0)
        # what waits on the way is left behind: an alarm does not come after all of it
        alarm = hospital.alarm("sinus", "vf", "high", "VF")
        expect(page.locator("[data-patient=sinus]")).to_have_attribute(
            "data-priority", "high", timeout=20_000
        )
    finally:
        proxy.rate = None
    hospital.change(alarm, event="ended", holds=False, acknowledged=True)
    expect(live).to_have_count(len(hospital.beds), timeout=20_000)
    expect(page.locator(".down")).to_be_hidden()


@pytest.mark.slow
def test_connection_lost_on_the_way_is_left_for_a_new_one(
    page: Page, proxy: Proxy, hospital: Hospital
) -> None:
    page.goto(f"{proxy.url}/bedside?patient=sinus")
    page.locator(".screen[data-live=true]").wait_for(timeout=20_000)
    alarm = hospital.alarm("sinus", "hr_high", "medium", "HR 134>120")
    page.locator(".ack").wait_for()
    proxy.lose()
    page.locator(".ack").click()
    expect(page.locator(".down")).to_contain_text("nothing heard", timeout=DOWN_MS)
    expect(page.locator(".down")).to_be_hidden(timeout=20_000)
    page.locator(".screen[data-live=true]").wait_for()
    expect(page.locator(".reply")).to_have_text("Not acknowledged: no answer. Try again.")
    expect(page.locator(".ack")).to_be_enabled()
    hospital.change(alarm, event="ended", holds=False, acknowledged=True)
    expect(page.locator(".reply")).to_have_text("")


@pytest.mark.slow
def test_acknowledgement_that_got_lost_can_be_asked_for_again(
    page: Page, proxy: Proxy, hospital: Hospital
) -> None:
    page.goto(f"{proxy.url}/bedside?patient=quiet")
    alarm = hospital.alarm("quiet", "hr_high", "medium", "HR 134>120")
    button = page.locator(".ack")
    button.wait_for(timeout=20_000)
    proxy.deaf = True
    button.click()
    expect(button).to_have_text("sending…")
    expect(page.locator(".reply")).to_have_text(
        "Not acknowledged: no answer. Try again.", timeout=15_000
    )
    expect(button).to_have_text("Acknowledge")
    hospital.change(alarm, event="ended", holds=False, acknowledged=True)


@pytest.mark.slow
def test_page_of_alarms_says_that_its_connection_is_lost(
    page: Page, proxy: Proxy, hospital: Hospital
) -> None:
    page.goto(f"{proxy.url}/alarms")
    expect(page.locator(".clock")).not_to_have_text("--:--:--", timeout=20_000)
    page.get_by_role("tab", name="Current alarms").wait_for()
    proxy.lose()
    expect(page.locator(".down")).to_contain_text("nothing heard", timeout=DOWN_MS)
    expect(page.locator(".down")).to_be_hidden(timeout=20_000)


def test_known_alarm_goes_on_sounding_without_a_connection(
    page: Page, proxy: Proxy, hospital: Hospital
) -> None:
    page.goto(proxy.url)
    alarm = hospital.alarm("sinus", "vt", "high", "VT 142>100")
    try:
        expect(page.locator(".head .tag")).to_contain_text("*** VT 142>100", timeout=20_000)
        page.evaluate(COUNT_TONES)
        page.get_by_role("button", name="Enable alarm sound").click()
        proxy.refusing = True
        proxy.lose()
        expect(page.locator(".down")).to_be_visible(timeout=DOWN_MS)
        tones = page.evaluate("tones")
        until(page, lambda: page.evaluate("tones") > tones)
    finally:
        hospital.change(alarm, event="ended", holds=False, acknowledged=True)

"""The central station's sectors, of a ward that is only told: what they say and what they cut."""

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Dashboard

pytestmark = pytest.mark.browser

SHOW = """async (patients) => {
  const { Central } = await import("/ecg/assets/central.js");
  const { Store } = await import("/ecg/assets/store.js");
  const { el } = await import("/ecg/assets/dom.js");
  const store = new Store();
  const known = patients.map(({ patient }) => patient);
  store.messages([
    { type: "state", sent_s: 1, server_ms: 0, order: known, known, down: [], patients },
  ]);
  const link = { silentMs: () => 0, slow: false };
  const central = new Central({ store, link, sound: { on: true, call() {} }, open() {} });
  const style = el("link", { rel: "stylesheet", href: "/ecg/assets/monitor.css" });
  const loaded = new Promise((done) => style.addEventListener("load", done));
  document.body.replaceChildren(style, central.element);
  central.update(performance.now());
  await loaded;
}"""
CUT = """(parts) => parts.filter(
  (part) => part.scrollWidth > part.clientWidth || part.scrollHeight > part.clientHeight + 2
).map((part) => part.textContent)"""


@pytest.fixture
def told(page: Page, dashboard: Dashboard) -> Page:
    """Return an empty page of the dashboard's own origin."""
    page.goto(f"{dashboard.url}/ecg/health")
    return page


def alarm(priority: str, text: str, *, acknowledged: bool = False) -> dict[str, Any]:
    return {"priority": priority, "text": text, "acknowledged": acknowledged, "onset_ms": 0}


def bed(n: int, *alarms: dict[str, Any], **what: Any) -> dict[str, Any]:
    return {"patient": f"p-{n}", "bed": f"Bed {n}", "label": "SIMULATED", "alarms": alarms} | what


def test_alarm_that_somebody_has_seen_is_not_hidden_by_a_lesser_one(told: Page) -> None:
    vf = alarm("high", "VF", acknowledged=True)
    noisy = alarm("low", "LEAD NOISY V1")
    told.evaluate(SHOW, [bed(1, vf, noisy), bed(2, vf), bed(3, noisy)])
    sectors = told.locator(".sector")
    shown = [
        [sector.get_attribute("data-priority"), *sector.locator(".tag").all_inner_texts()]
        for sector in sectors.all()
    ]
    assert shown == [
        ["high", "*** VF", "* LEAD NOISY V1"],
        ["high", "*** VF", ""],
        ["low", "", "* LEAD NOISY V1"],
    ]
    expect(sectors.nth(0).locator(".seen")).to_have_css("animation-name", "none")


def test_sector_says_standby_before_no_data_and_that_its_sound_is_paused(told: Page) -> None:
    told.evaluate(SHOW, [bed(1), bed(2, standby=True), bed(3, silenced_until_ms=60_000)])
    assert told.locator(".sector .words").all_inner_texts() == [
        "NO DATA yet",
        "STANDBY",
        "NO DATA yet",
    ]
    assert told.locator(".sector .note").all_inner_texts() == ["", "", "audio paused"]


@pytest.mark.parametrize(
    ("beds", "width", "height"),
    [
        (5, 1366, 768),
        (5, 390, 844),
        (12, 1920, 1080),
        (12, 1366, 768),
        (12, 390, 844),
        (64, 1920, 1080),
    ],
)
def test_nothing_of_an_alarm_is_cut(told: Page, beds: int, width: int, height: int) -> None:
    told.set_viewport_size({"width": width, "height": height})
    patients = [bed(n) for n in range(1, beds + 1)]
    patients[3] = bed(4, alarm("high", "EXTREME TACHY 196>180"), standby=True)
    patients[4] = bed(
        5, alarm("high", "EXTREME BRADY 34<40", acknowledged=True), alarm("low", "LEAD NOISY V1")
    )
    told.evaluate(SHOW, patients)
    assert told.locator(".head .tag, .sector .tag, .words, .note").evaluate_all(CUT) == []
    if beds == 64:
        # a whole ward is seen at once on a large screen
        assert told.locator(".sectors").evaluate_all(CUT) == []


def test_time_of_another_day_says_its_day(told: Page) -> None:
    words = told.evaluate(
        """async () => {
          const { timeWords } = await import("/ecg/assets/dom.js");
          return [0, 26].map((hours) => timeWords(Date.now() - hours * 3_600_000).length);
        }"""
    )
    assert words[0] == len("10:24:40")
    assert words[1] > words[0]

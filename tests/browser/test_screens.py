"""The real pages in Chromium: what a nurse sees, hears of, and can do."""

import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from ecg.alarm import Action
from stream.kafka import Cluster, Reader
from stream.messages import ActionMessage
from stream.topics import ACTIONS
from stream.wire import decode
from tests.browser.conftest import Dashboard
from tests.browser.hospital import Hospital

pytestmark = pytest.mark.browser

IMAGES = Path(__file__).parents[2] / "docs" / "images"
SCREENSHOTS = "RHYTHMWATCH_TEST_SCREENSHOTS"
DOWN_MS = 5000
"""What the screen promises: SYSTEM DOWN within 5 s."""
PIXELS = """(name) => {
  const find = (root) => {
    const own = root.querySelector(`canvas.${name}`);
    if (own) return own;
    for (const element of root.querySelectorAll("*")) {
      const found = element.shadowRoot && find(element.shadowRoot);
      if (found) return found;
    }
    return null;
  };
  const canvas = find(document);
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  const seen = { green: 0, red: 0, hash: 0 };
  for (let i = 0; i < data.length; i += 4) {
    if (data[i + 3] < 128) continue;
    if (data[i + 1] > 180 && data[i] < 120) seen.green++;
    if (data[i] > 200 && data[i + 1] < 120) seen.red++;
    seen.hash = (seen.hash * 31 + i) | 0;
  }
  return seen;
}"""
FRAMES = """(ms) => new Promise((done) => {
  let frames = 0;
  const start = performance.now();
  const count = (now) => {
    if (now - start > ms) done(frames / ((now - start) / 1000));
    else { frames++; requestAnimationFrame(count); }
  };
  requestAnimationFrame(count);
})"""
COUNT_TONES = """() => {
  window.tones = 0;
  const create = AudioContext.prototype.createOscillator;
  AudioContext.prototype.createOscillator = function () {
    window.tones++;
    return create.call(this);
  };
}"""
CUT = "(element) => element.scrollWidth - element.clientWidth"
AUTHOR = "sessionStorage.getItem('rhythmwatch-author')"
Open = Callable[[str], Page]


def pen(page: Page) -> dict[str, int]:
    """Return how many green and red pixels the trace has, and a hash of which ones."""
    found: dict[str, int] = page.evaluate(PIXELS, "pen")
    return found


def inside(part: Locator, whole: Locator) -> bool:
    """Return whether a part lies within the sides of a whole, as laid out on the page."""
    inner, outer = part.bounding_box(), whole.bounding_box()
    assert inner is not None
    assert outer is not None
    return (
        outer["x"] <= inner["x"]
        and inner["x"] + inner["width"] <= outer["x"] + outer["width"]
        and outer["y"] <= inner["y"]
        and inner["y"] + inner["height"] <= outer["y"] + outer["height"]
    )


def until(page: Page, what: Callable[[], bool], *, seconds: float = 15.0) -> None:
    """Wait until something holds on the page."""
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it did not come to hold"
        page.wait_for_timeout(50)


def screenshot(page: Page, name: str) -> None:
    """Write a picture for the documents when the environment asks for it."""
    if os.environ.get(SCREENSHOTS):
        IMAGES.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=IMAGES / name)


def actions(cluster: Cluster, patient: str, *, at_least: int) -> list[Action]:
    """Return the actions asked for, once there are enough."""
    found: list[Action] = []
    deadline = time.monotonic() + 15
    with Reader(cluster, [ACTIONS.name]) as reader:
        while len(found) < at_least and time.monotonic() < deadline:
            for message in reader.poll(0.1):
                action = decode(message.value or b"", ActionMessage).action
                if action.patient == patient:
                    found.append(action)
    return found


def test_bedside_moves_and_marks_beats(
    bedside: Open, record_property: Callable[[str, object], None]
) -> None:
    page = bedside("ventricular")
    until(page, lambda: pen(page)["green"] > 500)
    first = pen(page)
    until(page, lambda: pen(page)["hash"] != first["hash"])
    # red: the letter and the score of a ventricular beat
    until(page, lambda: pen(page)["red"] > 30)
    expect(page.locator(".hr .number")).to_have_text("72")
    expect(page.locator(".title")).to_contain_text("Bed 1 · ventricular · ADULT")
    expect(page.locator(".lead").first).to_contain_text("40 Hz · 10 mm/mV · 25 mm/s")
    expect(page.locator(".notice")).to_contain_text("Not a medical device")
    expect(page.locator(".sound-off")).to_be_visible()
    frames = page.evaluate(FRAMES, 2000)
    record_property("frames_per_second", round(frames, 1))
    assert frames > 5


def test_long_name_hides_nothing_of_how_the_patient_is_judged(
    bedside: Open, hospital: Hospital
) -> None:
    page = bedside("slow")
    name = "Intensive care unit of the heart centre, room 12, window"
    hospital.register("slow", bed=name, adult=False, paced=True, standby=True)
    facts = page.locator(".title .facts")
    expect(facts).to_have_text(" · CHILD · PACED · STANDBY")
    assert facts.evaluate(CUT) == 0
    assert inside(facts, page.locator(".title"))
    hospital.register("slow")
    expect(facts).to_have_text(" · ADULT")


def test_alarm_is_announced_and_acknowledged_by_its_id(
    bedside: Open, hospital: Hospital, ward_broker: Cluster
) -> None:
    page = bedside("ventricular")
    alarm = hospital.alarm("ventricular", "v_per_min", "medium", "V/min 14>10")
    tag = page.get_by_role("alert").filter(has_text="** V/min 14>10")
    expect(tag).to_be_visible(timeout=5000)
    expect(tag).to_have_attribute("data-priority", "medium")
    until(page, lambda: pen(page)["red"] > 60)
    screenshot(page, "bedside.png")
    page.locator(f"button[data-alarm='{alarm.alarm_id}']").click()
    asked = actions(ward_broker, "ventricular", at_least=1)
    assert [(a.kind, a.alarm_id, a.author) for a in asked] == [
        ("acknowledge", alarm.alarm_id, "unnamed")
    ]
    acknowledged = hospital.change(alarm, event="acknowledged", acknowledged=True, author="unnamed")
    expect(page.locator(".list li")).to_contain_text("active, acknowledged by unnamed")
    expect(tag).to_have_count(0)
    hospital.change(acknowledged, event="ended", holds=False)
    expect(page.locator(".none")).to_be_visible()


def test_key_acknowledges_the_most_serious_alarm(
    bedside: Open, hospital: Hospital, ward_broker: Cluster
) -> None:
    page = bedside("slow")
    hr_low = hospital.alarm("slow", "hr_low", "medium", "HR 44<50")
    vt = hospital.alarm("slow", "vt", "high", "VT 142>100")
    expect(page.locator(".head .tag")).to_have_text("*** VT 142>100", timeout=5000)
    expect(page.locator(".head .more")).to_have_text("and 1 more")
    # a held key repeats, and asks once
    for key in ("a", "p"):
        for _ in range(4):
            page.keyboard.down(key)
        page.keyboard.up(key)
    # vt is asked for already
    page.keyboard.press("a")
    asked = actions(ward_broker, "slow", at_least=3)
    assert [action.alarm_id for action in asked] == [vt.alarm_id, None, hr_low.alarm_id]
    assert asked[1].kind == "silence"
    assert asked[1].until_ns is not None
    assert 119 < (asked[1].until_ns - asked[1].at_ns) / 1e9 < 121


def test_button_stays_under_the_finger_and_keeps_the_focus(
    bedside: Open, hospital: Hospital, ward_broker: Cluster
) -> None:
    page = bedside("off")
    alarm = hospital.alarm("off", "hr_high", "medium", "HR 134>120")
    button = page.locator(f"button[data-alarm='{alarm.alarm_id}']")
    button.hover(timeout=5000)
    page.mouse.down()
    alarm = hospital.change(alarm, event="updated", text="HR 136>120")
    expect(page.locator(".list .text")).to_have_text("HR 136>120")
    page.mouse.up()
    asked = actions(ward_broker, "off", at_least=1)
    assert [action.alarm_id for action in asked] == [alarm.alarm_id]

    low = hospital.alarm("off", "lead_off", "low", "Lead off: II")
    button = page.locator(f"button[data-alarm='{low.alarm_id}']")
    button.focus()
    vt = hospital.alarm("off", "vt", "high", "VT 142>100")
    hospital.change(alarm, event="acknowledged", acknowledged=True)
    expect(page.locator(".list .text")).to_have_text(["VT 142>100", "HR 136>120", "Lead off: II"])
    expect(page.locator(".list .since").nth(1)).to_contain_text("acknowledged")
    expect(button).to_be_focused()
    for event in (alarm, low, vt):
        hospital.change(replace(event, sequence=9), event="ended", holds=False, acknowledged=True)
    expect(page.locator(".list li")).to_have_count(0)


@pytest.mark.parametrize(("width", "height"), [(390, 844), (844, 390), (768, 1024), (1280, 800)])
def test_small_screen_has_everything_inside_its_sides(
    bedside: Open, hospital: Hospital, width: int, height: int
) -> None:
    page = bedside("sinus")
    page.set_viewport_size({"width": width, "height": height})
    alarm = hospital.alarm("sinus", "vt", "high", "VT 142>100")
    try:
        for part in (".clock", ".enable", ".head .tag", ".list .text", ".list .since", ".ack"):
            expect(page.locator(part)).to_be_visible()
            box = page.locator(part).bounding_box()
            assert box is not None
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= width, part
            assert page.locator(part).evaluate(CUT) == 0, part
    finally:
        hospital.change(alarm, event="ended", holds=False, acknowledged=True)


def test_sound_can_be_enabled(bedside: Open) -> None:
    page = bedside("sinus")
    expect(page.locator(".title .label")).to_have_text("SIMULATED")
    page.get_by_role("button", name="Enable alarm sound").click()
    expect(page.locator(".sound-off")).to_be_hidden()


def test_kiosk_sounds_without_a_click(
    chromium: Browser, dashboard: Dashboard, hospital: Hospital
) -> None:
    page = chromium.new_page()
    page.goto(f"{dashboard.url}/bedside?patient=sinus")
    page.locator(".screen[data-live=true]").wait_for(timeout=20_000)
    expect(page.locator(".sound-off")).to_be_hidden()
    expect(page.locator(".enable")).to_be_hidden()
    page.close()


def test_page_that_loads_itself_anew_knows_who_is_there(
    bedside: Open, hospital: Hospital, ward_broker: Cluster
) -> None:
    page = bedside("quiet")
    page.locator("[data-testid=stExpander] summary").click()
    page.get_by_label("Your name").fill("Nurse Joy")
    page.get_by_label("Your name").press("Enter")
    until(page, lambda: page.evaluate(AUTHOR) == "Nurse Joy")
    page.reload()
    page.locator(".screen[data-live=true]").wait_for(timeout=20_000)
    page.locator("[data-testid=stExpander] summary").click()
    expect(page.get_by_label("Your name")).to_have_value("Nurse Joy")
    alarm = hospital.alarm("quiet", "hr_high", "medium", "HR 134>120")
    page.locator(f"button[data-alarm='{alarm.alarm_id}']").click(timeout=5000)
    asked = actions(ward_broker, "quiet", at_least=1)
    assert [action.author for action in asked] == ["Nurse Joy"]
    hospital.change(alarm, event="ended", holds=False, acknowledged=True)


def test_known_alarm_goes_on_sounding_while_nobody_looks_for_alarms(
    bedside: Open, hospital: Hospital
) -> None:
    page = bedside("sinus")
    alarm = hospital.alarm("sinus", "asystole", "high", "ASYSTOLE")
    expect(page.locator(".head .tag")).to_have_text("*** ASYSTOLE", timeout=5000)
    page.evaluate(COUNT_TONES)
    page.get_by_role("button", name="Enable alarm sound").click()
    hospital.alarm_runs = False
    try:
        expect(page.locator(".down")).to_be_visible(timeout=DOWN_MS)
        tones = page.evaluate("tones")
        until(page, lambda: page.evaluate("tones") > tones)
    finally:
        hospital.alarm_runs = True
        hospital.change(alarm, event="ended", holds=False, acknowledged=True)


def test_alarm_sounds_on_the_page_of_alarms_too(
    page: Page, dashboard: Dashboard, hospital: Hospital
) -> None:
    page.goto(dashboard.url)
    page.evaluate(COUNT_TONES)
    page.get_by_role("button", name="Enable alarm sound").click(timeout=20_000)
    page.get_by_role("link", name="Alarms and trends").click()
    page.get_by_role("tab", name="Current alarms").wait_for(timeout=20_000)
    expect(page.locator(".sound-off")).to_be_hidden()
    tones = page.evaluate("tones")
    alarm = hospital.alarm("quiet", "vf", "high", "VF")
    try:
        expect(page.locator(".head .tag")).to_contain_text("*** VF", timeout=5000)
        until(page, lambda: page.evaluate("tones") > tones)
    finally:
        hospital.change(alarm, event="ended", holds=False, acknowledged=True)


@pytest.mark.slow
def test_history_goes_on_while_it_is_looked_at(
    page: Page, dashboard: Dashboard, hospital: Hospital
) -> None:
    alarm = hospital.alarm("quiet", "hr_high", "medium", "HR 134>120")
    page.goto(f"{dashboard.url}/alarms")
    page.get_by_role("tab", name="History and strips").click(timeout=20_000)
    table = page.locator("[role=grid]")
    table.wait_for(state="attached")
    rows = int(table.get_attribute("aria-rowcount") or 0)
    hospital.change(alarm, event="ended", holds=False, acknowledged=True)
    expect(table).to_have_attribute("aria-rowcount", str(rows + 1), timeout=15_000)


def test_lead_off_is_words_and_no_line(bedside: Open) -> None:
    page = bedside("off")
    expect(page.locator(".screen .words")).to_contain_text("LEAD OFF")
    until(page, lambda: pen(page)["green"] == 0)
    expect(page.locator(".hr .number")).to_have_text("--")


def test_traces_keep_their_names_when_another_lead_is_judged(
    bedside: Open, hospital: Hospital
) -> None:
    page = bedside("slow")
    names = page.locator(".lead b")
    expect(names).to_have_text(["II", "V1"])
    # at first a new stream's leads come as they are recorded, then the judged one first
    hospital.begin_again("slow", stream="s2", judged=("V1", "II"))
    expect(names).to_have_text(["V1", "II"])


def test_silent_patient_is_no_data_and_comes_back(bedside: Open, hospital: Hospital) -> None:
    page = bedside("quiet")
    expect(page.locator(".hr .number")).to_have_text("66")
    hospital.beds["quiet"].silent = True
    try:
        expect(page.locator(".screen .words")).to_contain_text("NO DATA", timeout=5000)
        until(page, lambda: pen(page)["green"] == 0)
        expect(page.locator(".hr .number")).to_have_text("--")
        expect(page.locator(".down")).to_be_hidden()
        hospital.register("quiet", standby=True)
        expect(page.locator(".screen .words")).to_have_text("STANDBY")
    finally:
        hospital.register("quiet")
        hospital.beds["quiet"].silent = False
    expect(page.locator(".screen .words")).to_be_hidden(timeout=10_000)
    until(page, lambda: pen(page)["green"] > 50)


def test_patient_whom_nobody_watches_is_never_without_alarms(
    bedside: Open, hospital: Hospital
) -> None:
    page = bedside("quiet")
    words = page.locator(".screen .words")
    expect(page.locator(".none")).to_be_visible()
    try:
        # the source goes on: what it sends is judged by nobody
        hospital.register("quiet", discharged=True)
        expect(words).to_have_text("DISCHARGED — nobody watches")
        expect(page.locator(".none")).to_be_hidden()
        expect(page.locator(".hr .number")).to_have_text("--")
        until(page, lambda: pen(page)["green"] == 0)
        hospital.register("quiet")
        expect(words).to_be_hidden()
        until(page, lambda: pen(page)["green"] > 50)
        hospital.beds["quiet"].silent = True
        expect(words).to_contain_text("NO DATA")
        hospital.remove("quiet")
        expect(words).to_contain_text("NOT KNOWN — nobody watches quiet")
        expect(page.locator(".none")).to_be_hidden()
        expect(page.locator(".title .name")).to_have_text("quiet")
    finally:
        hospital.beds["quiet"].silent = False
        hospital.register("quiet")
    page.locator(".screen[data-live=true]").wait_for(timeout=10_000)


def test_dead_roles_are_system_down_within_5_s(bedside: Open, hospital: Hospital) -> None:
    page = bedside("sinus")
    down = page.locator(".down")
    expect(down).to_be_hidden()
    for name, words in (
        ("score_runs", "score: this ECG is not being judged"),
        ("alarm_runs", "alarm: nobody looks for alarms"),
    ):
        setattr(hospital, name, False)
        try:
            expect(down).to_contain_text(words, timeout=DOWN_MS)
            until(page, lambda: pen(page)["green"] == 0)
        finally:
            setattr(hospital, name, True)
        expect(down).to_be_hidden(timeout=10_000)


def test_central_station_shows_every_patient_and_opens_a_bed(
    page: Page, dashboard: Dashboard, hospital: Hospital
) -> None:
    lead_off = hospital.alarm("off", "lead_off", "low", "Lead off: II")
    page.goto(dashboard.url)
    sectors = page.locator(".sector")
    expect(sectors).to_have_count(len(hospital.beds), timeout=20_000)
    expect(sectors.locator(".name")).to_have_text(
        ["Bed 1 · ventricular", "Bed 2 · sinus", "Bed 3 · slow", "Bed 4 · off", "Bed 10 · quiet"]
    )
    expect(page.locator("[data-patient=off]")).to_have_attribute("data-priority", "low")
    expect(page.locator("[data-patient=off] .calling")).to_have_text("* Lead off: II")
    expect(page.locator("[data-patient=sinus] .number")).to_have_text("95")
    until(page, lambda: pen(page)["green"] > 300)
    screenshot(page, "central.png")
    hospital.change(lead_off, event="ended", holds=False)
    expect(page.locator("[data-patient=off]")).to_have_attribute("data-priority", "none")
    # a long name gives way to the words of an alarm
    hospital.register("slow", bed="Intensive care unit of the heart centre, room 12, window")
    vt = hospital.alarm("slow", "vt", "high", "VT 142>100")
    tag = page.locator("[data-patient=slow] .calling")
    expect(tag).to_have_text("*** VT 142>100")
    expect(page.locator("[data-patient=slow] .name")).to_contain_text("Intensive care")
    assert tag.evaluate(CUT) == 0
    assert inside(tag, page.locator("[data-patient=slow]"))
    assert inside(page.locator(".head .what"), page.locator(".head .tag"))
    hospital.change(vt, event="ended", holds=False, acknowledged=True)
    hospital.register("slow")
    with page.context.expect_page() as opened:
        page.locator("[data-patient=slow]").click(modifiers=["Control"])
    assert "patient=slow" in opened.value.url
    opened.value.close()
    page.locator("[data-patient=sinus]").click()
    expect(page.locator(".bedside .title")).to_contain_text("Bed 2 · sinus", timeout=15_000)
    assert "patient=sinus" in page.url
    page.go_back()
    expect(sectors).to_have_count(len(hospital.beds), timeout=15_000)

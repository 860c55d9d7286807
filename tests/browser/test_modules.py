"""The component's modules, one by one, in the browser that runs them."""

import base64
import math
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page

from dashboard.feed import frame
from ecg.chunk import MISSING
from stream.messages import Signal
from stream.view import Stretch
from tests.browser.conftest import Dashboard

pytestmark = pytest.mark.browser


@pytest.fixture
def modules(page: Page, dashboard: Dashboard) -> Page:
    """Return an empty page of the dashboard's own origin."""
    page.goto(f"{dashboard.url}/ecg/health")
    return page


def run(page: Page, file: str, script: str, argument: object = None) -> Any:
    """Run a script with a module of the component as ``m`` and an argument as ``a``."""
    source = f"async (a) => {{ const m = await import('/ecg/assets/{file}'); {script} }}"
    return page.evaluate(source, argument)


def test_browser_reads_the_frames_that_the_feed_writes(modules: Page) -> None:
    samples = np.array([[1, -1], [MISSING, 2], [32767, -32767]], dtype=np.int16)
    signals = (Signal(name="II", kind="ecg", unit="mV", gain=200.0, baseline=0),) * 2
    stretch = Stretch(
        stream="s", fs=250.0, signals=signals, first_sample=2**40 + 7, samples=samples
    )
    one = Stretch(
        stream="s", fs=250.0, signals=signals[:1], first_sample=5, samples=samples[:2, :1]
    )
    binary_frame = frame([(3, stretch, 250.5), (65535, one, 0.0)], sent_s=7.25)
    binary = base64.b64encode(binary_frame).decode()
    found = run(
        modules,
        "frame.js",
        """const bytes = Uint8Array.from(atob(a), (c) => c.charCodeAt(0));
        const { sentS, blocks } = m.decodeFrame(bytes.buffer);
        return { sentS, blocks: blocks.map((b) => ({ ...b, values: [...b.values] })) };""",
        binary,
    )
    assert found["sentS"] == 7.25
    assert found["blocks"] == [
        {
            "slot": 3,
            "leads": 2,
            "count": 3,
            "first": 2**40 + 7,
            "ageMs": 250.5,
            "values": [1, -32768, 32767, -1, 2, -32767],
        },
        {"slot": 65535, "leads": 1, "count": 2, "first": 5, "ageMs": 0, "values": [1, -32768]},
    ]


def test_pen_follows_bursts_evenly_and_near(modules: Page) -> None:
    """Bursts of 250 ms at 360 Hz for 20 s, 60 frames a second."""
    heads = run(
        modules,
        "playout.js",
        """const pen = new m.Playout(360); const found = []; let end = 0;
        for (let ms = 0; ms < 20000; ms += 1000 / 60) {
          const due = Math.floor(ms / 250) * 90;
          if (due > end) { end = due; pen.arrived(end); }
          found.push([pen.step(ms), end]);
        }
        return found;""",
    )
    steady = [(head, end) for head, end in heads[600:] if head is not None]
    steps = np.diff([head for head, _ in steady])
    assert steps.min() > 0.9 * 360 / 60
    assert steps.max() < 1.1 * 360 / 60
    behind_s = np.array([(end - head) / 360 for head, end in steady])
    assert behind_s.min() >= 0
    assert behind_s.max() < 0.55


def test_pen_jumps_to_the_present_after_a_hidden_tab(modules: Page) -> None:
    behind_s = run(
        modules,
        "playout.js",
        """const pen = new m.Playout(250); pen.arrived(250); pen.step(0); pen.step(16);
        for (let end = 300; end <= 250 * 61; end += 50) pen.arrived(end);
        pen.step(60016);
        return (250 * 61 - pen.step(60032)) / 250;""",
    )
    assert 0 <= behind_s < 0.6


def test_monitor_band_takes_the_baseline_away_and_keeps_the_beat(modules: Page) -> None:
    fs = 250
    found = run(
        modules,
        "filter.js",
        """const gain = (hz) => {
          const band = new m.MonitorBand(a); let most = 0;
          for (let n = 0; n < 20 * a; n++) {
            const y = band.step(5 + Math.sin((2 * Math.PI * hz * n) / a));
            if (n > 10 * a) most = Math.max(most, Math.abs(y));
          }
          return most;
        };
        const band = new m.MonitorBand(a);
        const constant = band.step(3.3);
        return { constant, slow: gain(0.05), beat: gain(10), mains: gain(100),
                 missing: Number.isNaN(band.step(NaN)), after: band.step(-7) };""",
        fs,
    )
    assert found["constant"] == pytest.approx(0, abs=1e-9)
    assert found["slow"] < 0.05
    assert found["beat"] == pytest.approx(1, abs=0.05)
    assert found["mains"] < 0.15
    assert found["missing"]
    assert found["after"] == pytest.approx(0, abs=1e-9)


def test_trace_cuts_repeats_and_leaves_gaps(modules: Page) -> None:
    found = run(
        modules,
        "trace.js",
        """const trace = new m.Trace({ stream: "s", fs: 100,
          leads: [{ name: "II", gain: 100, baseline: 0 }] });
        trace.bands = [{ step: (x) => x }];
        const block = (first, values) => trace.push(
          { first, count: values.length, leads: 1, values: Int16Array.from(values) });
        const taken = [block(10, [100, 200]), block(10, [9, 9]), block(11, [9, 300]),
                       block(14, [-32768, 400])];
        return { taken, end: trace.end,
          values: [...Array(8).keys()].map((n) => trace.at(0, 9 + n)) };""",
    )
    assert found["taken"] == [True, False, True, True]
    assert found["end"] == 16
    shown = [None if math.isnan(value) else value for value in found["values"]]
    assert shown == [None, 1, 2, 3, None, None, 4, None]


def test_alarms_are_in_the_order_of_urgency(modules: Page) -> None:
    alarms = [
        {"alarm_id": "low", "priority": "low", "acknowledged": False, "onset_ms": 9},
        {"alarm_id": "seen", "priority": "high", "acknowledged": True, "onset_ms": 8},
        {"alarm_id": "old", "priority": "medium", "acknowledged": False, "onset_ms": 1},
        {"alarm_id": "new", "priority": "medium", "acknowledged": False, "onset_ms": 2},
    ]
    found = run(
        modules,
        "alarms.js",
        """return { order: m.byUrgency(a).map((x) => x.alarm_id),
                 calling: m.calling(a).alarm_id, worst: m.worst(a).alarm_id };""",
        alarms,
    )
    assert found == {"order": ["seen", "new", "old", "low"], "calling": "new", "worst": "seen"}


def test_unknown_is_never_called_good(modules: Page) -> None:
    base = {"judged": True, "fit": True, "reason": None, "warm_up": False, "model": "m"}
    states = [
        base,
        None,
        base | {"judged": False},
        base | {"fit": False, "reason": "lead_off"},
        base | {"model": None},
        base | {"warm_up": True},
    ]
    found = run(modules, "alarms.js", "return a.map((s) => m.judgement(s));", states)
    assert [one["good"] for one in found] == [True, False, False, False, False, False]
    assert [one["words"] for one in found] == [
        "signal good",
        "not judged yet",
        "not judged yet",
        "unfit: lead off",
        "no model loaded",
        "learning (first 30 s)",
    ]


def test_nothing_stays_of_patients_who_have_left(modules: Page) -> None:
    found = run(
        modules,
        "store.js",
        """const store = new m.Store();
        const state = (order, patients, known) => store.messages([
          ...patients.map((patient, slot) => (
            { type: "stream", slot, patient, fs: 100, leads: [] })),
          { type: "state", sent_s: 1, server_ms: 0, order, known, down: [],
            patients: patients.map((patient) => ({ patient })) },
        ]);
        state(["a", "b"], ["a", "b"], ["a", "b"]);
        const both = [store.patients.size, store.slots.size];
        state(["b"], [], ["b"]);
        const one = [[...store.patients.keys()], store.slots.size];
        state(null, [], []);
        const { state: left, trace } = store.patient("b");
        return { both, one, left, trace };""",
    )
    assert found == {"both": [2, 2], "one": [["b"], 1], "left": None, "trace": None}


def test_connection_that_was_only_begun_is_not_down(modules: Page) -> None:
    # a page that has been open for a while opens a bed
    modules.wait_for_function("performance.now() > 4000")
    troubles = run(
        modules,
        "store.js",
        """const { Link } = await import("/ecg/assets/socket.js");
        const link = new Link({ token: "none" });
        const found = new m.Store().troubles(link, "p1", performance.now());
        link.leave();
        return found;""",
    )
    assert troubles == []


def test_link_that_stays_slow_is_down_without_a_break(modules: Page) -> None:
    texts = run(
        modules,
        "store.js",
        """const { Link } = await import("/ecg/assets/socket.js");
        const store = new m.Store();
        const link = new Link({ token: "none" });
        let nowMs = performance.now();
        // a connection that is looked at after some seconds, and left if what comes is late
        const connection = (seconds, late) => {
          link.leave();
          const socket = { readyState: WebSocket.OPEN, close() {} };
          Object.assign(link, { socket, retry: null, triedMs: nowMs, onTimeMs: nowMs });
          nowMs += 1000 * seconds;
          link.heardMs = nowMs;
          link.watch(nowMs, late);
          return store.troubles(link, "p1", nowMs).map(({ text }) => text);
        };
        const found = [connection(2, true), connection(2, true), connection(9, false),
                       connection(11, false)];
        link.leave();
        return found;""",
    )
    old = ["what arrived until a moment ago was old"]
    assert texts == [[], old, old, []]


def test_lag_is_what_a_message_took_longer_than_the_fastest(modules: Page) -> None:
    found = run(
        modules,
        "lag.js",
        """const lag = new m.Lag();
        const heard = (sentS, nowMs) => { lag.heard(sentS, nowMs); return lag.ms; };
        const found = [heard(50, 1000), heard(51, 2300), heard(52, 2900), heard(53, 6900)];
        // a clock that is 50 ppm slower, for a day
        for (let s = 60; s < 86_400; s += 60) heard(50 + s * (1 - 5e-5), 1000 + 1000 * s);
        const drifted = lag.ms;
        lag.begin();
        return { found, drifted, anew: heard(7, 90_000_000) };""",
    )
    assert found["found"] == pytest.approx([0, 300, 0, 3000], abs=1)
    assert found["drifted"] < 5
    assert found["anew"] == 0

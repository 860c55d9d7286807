"""What a screen is sent: once, in order, whole after a restart."""

import json
import struct
from typing import Any

import numpy as np
import pytest
from msgspec import structs
from numpy.typing import NDArray

from dashboard.access import Pass
from dashboard.feed import SNAPSHOT_S, STATE_EVERY_S, Feed
from stream.messages import PatientMessage
from stream.topics import PATIENTS
from stream.view import View
from tests.dashboard.synthetic import (
    FS,
    Clocks,
    alarm,
    beat,
    findings,
    hear,
    incoming,
    new_view,
    ramp,
    status,
    waveform,
)

EVERYBODY = Pass(author="nurse", patient=None)


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


@pytest.fixture
def view(clocks: Clocks) -> View:
    return new_view(clocks)


def said(feed: Feed) -> dict[str, list[dict[str, Any]]]:
    """Return one tick's JSON messages by type, and its binary blocks under ``"samples"``."""
    text, binary = feed.tick()
    found: dict[str, list[dict[str, Any]]] = {"samples": blocks(binary) if binary else []}
    for message in json.loads(text) if text else []:
        found.setdefault(message["type"], []).append(message)
    return found


def blocks(binary: bytes) -> list[dict[str, Any]]:
    """Read a frame as the browser does."""
    kind, _, count, _ = struct.unpack_from("<BBHd", binary)
    assert kind == 1
    at, found = 12, []
    for _ in range(count):
        slot, leads, samples, first, age_ms = struct.unpack_from("<HHIdd", binary, at)
        at += 24
        values: NDArray[np.int16] = np.frombuffer(binary, "<i2", leads * samples, at)
        at += 2 * leads * samples
        found.append(
            {
                "slot": slot,
                "first": int(first),
                "age_ms": age_ms,
                "values": values.reshape(leads, samples).T,
            }
        )
    assert at == len(binary)
    return found


def test_first_tick_brings_the_snapshot_and_the_next_only_what_is_new(view: View) -> None:
    hear(view, waveform(0, ramp(0, 2000, 2)), findings(1999, beats=(beat(1900),)))
    feed = Feed(view, Pass(author="nurse", patient="p1"))
    first = said(feed)
    (stream,) = first["stream"]
    assert [lead["name"] for lead in stream["leads"]] == ["MLII", "V1"]
    (block,) = first["samples"]
    assert block["first"] == 2000 - round(SNAPSHOT_S * FS)
    np.testing.assert_array_equal(block["values"], ramp(0, 2000, 2)[block["first"] :])
    assert [b["sample"] for b in first["beats"][0]["beats"]] == [1900]

    assert said(feed) == {"samples": []}
    hear(view, waveform(2000, ramp(2000, 50, 2)), findings(2049, after=1999, beats=(beat(2000),)))
    second = said(feed)
    assert second["samples"][0]["first"] == 2000
    assert [b["sample"] for b in second["beats"][0]["beats"]] == [2000]
    assert "stream" not in second


def test_screen_that_fell_behind_gets_the_present_alone(view: View) -> None:
    old = [status(100 * n) for n in range(1, 20)]
    hear(view, waveform(0, ramp(0, 2000)))
    hear(view, findings(1999, beats=(beat(500), beat(1900)), statuses=tuple(old)))
    whole = said(Feed(view, EVERYBODY))
    assert [b["sample"] for b in whole["beats"][0]["beats"]] == [1900]
    assert [s["sample"] for s in whole["quality"][0]["statuses"]] == list(range(900, 2000, 100))
    feed = Feed(view, EVERYBODY, snapshot_s=0)
    found = said(feed)
    assert (found["samples"], found["beats"][0]["beats"]) == ([], [])
    assert [s["sample"] for s in found["quality"][0]["statuses"]] == [1900]
    hear(view, waveform(2000, ramp(2000, 50)), findings(2049, after=1999, beats=(beat(2000),)))
    after = said(feed)
    assert after["samples"][0]["first"] == 2000
    assert [b["sample"] for b in after["beats"][0]["beats"]] == [2000]


def test_messages_say_when_they_were_sent(view: View, clocks: Clocks) -> None:
    hear(view, waveform(0, ramp(0, 100)))
    clocks.s = 1234.5
    text, binary = Feed(view, EVERYBODY).tick()
    assert json.loads(text or b"")[-1]["sent_s"] == 1234.5
    assert struct.unpack_from("<BBHd", binary or b"")[3] == 1234.5


def test_state_is_repeated_before_a_screen_takes_silence_for_down(
    view: View, clocks: Clocks
) -> None:
    feed = Feed(view, EVERYBODY)
    assert said(feed)["state"][0]["order"] == []
    clocks.s += STATE_EVERY_S / 2
    assert "state" not in said(feed)
    clocks.s += STATE_EVERY_S
    assert said(feed)["state"][0]["patients"] == []


def test_everybody_gets_one_lead_each_the_judged_one(view: View) -> None:
    hear(view, waveform(0, ramp(0, 100, 2)))
    hear(view, findings(99, statuses=(status(99, leads=("V1", "MLII")),)))
    hear(view, waveform(0, ramp(0, 100), patient="p2"))
    found = said(Feed(view, EVERYBODY))
    assert {s["patient"]: [lead["name"] for lead in s["leads"]] for s in found["stream"]} == {
        "p1": ["V1"],
        "p2": ["II"],
    }
    assert [block["slot"] for block in found["samples"]] == [0, 1]


def test_one_patients_screen_is_sent_nobody_else(view: View) -> None:
    hear(view, waveform(0, ramp(0, 100)), waveform(0, ramp(0, 100), patient="p2"))
    found = said(Feed(view, Pass(author="nurse", patient="p2")))
    assert [s["patient"] for s in found["stream"]] == ["p2"]
    assert found["state"][0]["order"] == ["p2"]
    assert [s["patient"] for s in found["state"][0]["patients"]] == ["p2"]


def test_state_carries_alarm_bed_and_label(view: View) -> None:
    hear(view, PatientMessage(patient="p1", bed="Bed 7", label="SIMULATED"))
    hear(view, waveform(0, ramp(0, 100)), alarm(silenced_until_ns=5_000_000_000))
    hear(view, findings(99, statuses=(status(99),)))
    (state,) = said(Feed(view, EVERYBODY))["state"][0]["patients"]
    assert (state["bed"], state["label"], state["heart_rate"]) == ("Bed 7", "SIMULATED", 72.0)
    assert state["silenced_until_ms"] == 5000
    assert state["alarms"][0]["text"] == "VT 142>100"


def test_new_stream_begins_anew_on_the_screen(view: View) -> None:
    hear(view, waveform(0, ramp(0, 1500)))
    feed = Feed(view, EVERYBODY)
    said(feed)
    hear(view, waveform(0, ramp(700, 20), stream="s2"))
    found = said(feed)
    assert found["stream"][0]["stream"] == "s2"
    assert (found["samples"][0]["first"], len(found["samples"][0]["values"])) == (0, 20)


def test_discharged_patient_leaves_the_central_station_and_is_called_so_at_the_bedside(
    view: View,
) -> None:
    hear(view, waveform(0, ramp(0, 100)), waveform(0, ramp(0, 100), patient="p2"))
    central, bedside = Feed(view, EVERYBODY), Feed(view, Pass(author="nurse", patient="p1"))
    assert said(central)["state"][0]["known"] == ["p1", "p2"]
    assert [s["discharged"] for s in said(bedside)["state"][0]["patients"]] == [False]
    hear(view, PatientMessage(patient="p1", discharged=True))
    assert said(central)["state"][0]["order"] == ["p2"]
    (state,) = said(bedside)["state"]
    assert state["known"] == []
    assert [patient["discharged"] for patient in state["patients"]] == [True]
    # who comes again begins anew, in a slot that is nobody else's
    hear(view, PatientMessage(patient="p1"), waveform(100, ramp(100, 50)))
    found = said(central)
    assert [(s["patient"], s["slot"]) for s in found["stream"]] == [("p1", 2)]
    assert [(block["slot"], block["first"]) for block in found["samples"]] == [(2, 0)]


def test_nothing_is_said_of_a_removed_patient(view: View, clocks: Clocks) -> None:
    hear(view, waveform(0, ramp(0, 100)), alarm())
    feed = Feed(view, Pass(author="nurse", patient="p1"))
    said(feed)
    hear(view, alarm(sequence=2, event="acknowledged", acknowledged=True))
    view.take([structs.replace(incoming(PATIENTS, b"", key="p1"), value=None)])
    clocks.s += 1.0
    found = said(feed)
    assert found["samples"] == []
    assert [(state["known"], state["patients"]) for state in found["state"]] == [([], [])]
    hear(view, alarm(sequence=3, event="updated"))
    assert said(feed)["state"][0]["known"] == ["p1"]


def test_gain_travels_in_adu_per_mv_and_a_change_of_it_begins_the_trace_anew(view: View) -> None:
    chunk = waveform(0, ramp(0, 100))
    (mv,) = chunk.signals
    feed = Feed(view, EVERYBODY)
    for n, (unit, gain) in enumerate((("mV", 200.0), ("uV", 0.2), ("V", 400_000.0))):
        signal = structs.replace(mv, unit=unit, gain=gain, baseline=n)
        hear(view, structs.replace(chunk, first_sample=100 * n, signals=(signal,)))
        found = said(feed)
        assert found["stream"][0]["leads"] == [
            {"name": "II", "gain": pytest.approx(400.0 if unit == "V" else 200.0), "baseline": n}
        ]
        assert (found["samples"][0]["first"], len(found["samples"][0]["values"])) == (100 * n, 100)
        assert "stream" not in said(feed)


def test_lead_whose_unit_is_no_voltage_is_not_drawn(view: View) -> None:
    chunk = waveform(0, ramp(0, 100, 2))
    strange = structs.replace(chunk.signals[0], unit="NU")
    hear(view, structs.replace(chunk, signals=(strange, chunk.signals[1])))
    found = said(Feed(view, Pass(author="nurse", patient="p1")))
    assert [lead["name"] for lead in found["stream"][0]["leads"]] == ["V1"]


def test_screen_begins_anew_after_the_broker_was_away(view: View, clocks: Clocks) -> None:
    hear(view, waveform(0, ramp(0, 100)), findings(99, beats=(beat(50),)))
    feed = Feed(view, EVERYBODY)
    said(feed)
    clocks.s += 10
    assert said(feed)["state"][0]["down"][0]["part"] == "broker"
    view.broker_answered()
    assert said(feed)["state"][0]["order"] == []
    hear(view, waveform(0, ramp(0, 100)), findings(99, beats=(beat(50),)))
    found = said(feed)
    assert found["samples"][0]["first"] == 0
    assert found["beats"][0]["beats"][0]["sample"] == 50


def test_age_travels_with_the_samples(view: View, clocks: Clocks) -> None:
    hear(view, waveform(0, ramp(0, 100)))
    clocks.s += 2.5
    assert said(Feed(view, EVERYBODY))["samples"][0]["age_ms"] == pytest.approx(2500)

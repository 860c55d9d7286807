"""The pages as Streamlit runs them, without a browser."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from unittest import mock

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from dashboard import live as shared
from dashboard.access import Gate
from dashboard.live import Live, install
from ecg.alarm import Limits
from stream.actions import Actions, BrokerError
from stream.messages import PatientMessage
from stream.view import DecodeError, Follower
from tests.dashboard.synthetic import (
    START_NS,
    Clocks,
    alarm,
    hear,
    minute,
    new_view,
    ramp,
    waveform,
)

APP = Path(__file__).parents[2] / "dashboard" / "app.py"


@pytest.fixture(autouse=True)
def main_module() -> Iterator[None]:
    """Put back the main module: AppTest leaves its page's script there, and whatever starts a
    process by multiprocessing afterwards would run that script in it."""
    before = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = before


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


@pytest.fixture
def live(clocks: Clocks) -> Live:
    view = new_view(clocks)
    made = Live(view, Follower(view), mock.Mock(spec=Actions), Gate(["localhost"]))
    install(made)
    return made


def _alarms() -> None:
    from dashboard import alarms

    alarms.page()


def _bedside() -> None:
    from dashboard import bedside

    bedside.page()


def alarms_page() -> AppTest:
    return AppTest.from_function(_alarms, default_timeout=60).run()


def bedside_page(**query: str) -> AppTest:
    test = AppTest.from_function(_bedside, default_timeout=60)
    for name, value in query.items():
        test.query_params[name] = value
    return test.run()


def words(test: AppTest) -> str:
    """Return what the page says, without Markdown's escapes."""
    assert not test.exception
    kinds = (test.markdown, test.info, test.success, test.error)
    said = [str(element.value) for kind in kinds for element in kind]
    return "\n".join(said).replace("\\", "")


def test_start_page_is_the_central_station(live: Live) -> None:
    test = AppTest.from_file(str(APP), default_timeout=60).run()
    assert not test.exception
    (component,) = test.get("bidi_component")
    assert '"view": "central"' in component.proto.json
    assert '"patient": null' in component.proto.json


def test_page_without_run_dashboard_says_how_to_start_it() -> None:
    with (
        mock.patch.object(shared, "_installed", []),
        pytest.raises(RuntimeError, match="rhythmwatch dashboard"),
    ):
        shared.live()


def test_bedside_without_patients_says_the_next_step(live: Live, clocks: Clocks) -> None:
    test = bedside_page()
    assert "rhythmwatch replay" in words(test)
    # the line over it says what is down
    (component,) = test.get("bidi_component")
    assert '"view": "watch"' in component.proto.json
    clocks.s += 60
    assert "rhythmwatch replay" not in words(bedside_page())


def test_bedside_shows_the_patient_of_the_address_else_the_first(live: Live) -> None:
    hear(live.view, waveform(0, ramp(0, 100)), waveform(0, ramp(0, 100), patient="p2"))
    for query, patient in (({}, "p1"), ({"patient": "p2"}, "p2")):
        test = bedside_page(**query)
        assert not test.exception
        (component,) = test.get("bidi_component")
        assert f'"patient": "{patient}"' in component.proto.json


def test_name_of_a_bed_is_no_markdown(live: Live) -> None:
    hear(live.view, PatientMessage(patient="p1", bed="[log in](http://evil.test)"))
    (expander,) = bedside_page(patient="p1").expander
    assert r"\[log in\]\(http\://evil\.test\) · p1" in expander.label


@pytest.mark.parametrize("patient", ["[log in](http://evil.test)", "x" * 65, "p 1", "-"])
def test_address_that_names_no_patient_is_refused(live: Live, patient: str) -> None:
    test = bedside_page(patient=patient)
    assert "names no patient" in words(test)
    assert not test.get("bidi_component")


def test_limits_are_asked_for_by_name_and_wrong_ones_refused(live: Live) -> None:
    hear(live.view, PatientMessage(patient="p1", bed="Bed 1", limits=Limits(hr_high=130)))
    test = bedside_page(patient="p1")
    fields = {field.label: n for n, field in enumerate(test.number_input)}
    high, low = fields["HR high, 1/min"], fields["HR low, 1/min"]
    assert (test.number_input[high].value, test.number_input[low].value) == (130, 50)
    test.text_input[0].set_value("nurse Kim").run()
    test.number_input[high].set_value(150)
    test.button[0].click().run()
    assert "Asked for" in words(test)
    acting = live.actions.limits
    assert isinstance(acting, mock.Mock)
    acting.assert_called_once_with("p1", Limits(hr_high=150), author="nurse Kim")
    test.number_input[low].set_value(180)
    test.button[0].click().run()
    assert "hr_low must be below hr_high" in words(test)


def test_limits_can_be_set_again_when_they_hold(live: Live) -> None:
    first = Limits(hr_high=130.5, pause_s=2.25)
    hear(live.view, PatientMessage(patient="p1", limits=first))
    test = bedside_page(patient="p1")
    assert "**In force now:** HR high, 1/min: 130.5 · HR low, 1/min: 50 ·" in words(test)
    test.number_input[0].set_value(135)
    test.button[0].click().run()
    assert "Asked for" in words(test)
    assert "HR high, 1/min: 130.5 ·" in words(test)
    hear(live.view, PatientMessage(patient="p1", limits=replace(first, hr_high=135)))
    test.number_input[0].set_value(145)
    test.button[0].click().run()
    assert "Asked for" in words(test)
    assert "HR high, 1/min: 135 ·" in words(test)
    acting = live.actions.limits
    assert isinstance(acting, mock.Mock)
    # what nobody has touched stays as it was, also where it is no round number
    assert [call.args[1] for call in acting.call_args_list] == [
        replace(first, hr_high=135),
        replace(first, hr_high=145),
    ]


def test_limits_that_somebody_else_has_set_are_shown_before_they_are_changed(live: Live) -> None:
    hear(live.view, PatientMessage(patient="p1"))
    test = bedside_page(patient="p1")
    hear(live.view, PatientMessage(patient="p1", limits=Limits(hr_low=40)))
    test.number_input[0].set_value(145)
    test.button[0].click().run()
    assert "changed meanwhile" in words(test)
    acting = live.actions.limits
    assert isinstance(acting, mock.Mock)
    acting.assert_not_called()
    assert test.number_input[0].value == 120
    assert test.number_input(key="limits-p1-hr_low").value == 40
    test.number_input[0].set_value(145)
    test.button[0].click().run()
    acting.assert_called_once_with("p1", Limits(hr_high=145, hr_low=40), author="unnamed")


def test_alarms_page_acknowledges_by_id(live: Live) -> None:
    hear(live.view, PatientMessage(patient="p1", bed="Bed *1*"), waveform(0, ramp(0, 100)))
    hear(live.view, alarm(), alarm(alarm_id="hr-1", code="hr_high", priority="medium"))
    test = alarms_page()
    assert "Bed *1* · p1: VT 142>100" in words(test)
    test.button(key="ack-vt-1").click().run()
    acting = live.actions.acknowledge
    assert isinstance(acting, mock.Mock)
    acting.assert_called_once_with("p1", "vt-1", author="unnamed")
    acting.side_effect = BrokerError("the broker is away")
    test.button(key="ack-hr-1").click().run()
    assert "Not acknowledged: the broker is away" in words(test)


def test_alarms_page_without_anything_says_so(live: Live) -> None:
    said = words(alarms_page())
    assert "No alarms: no patient is being monitored." in said
    assert "No alarms at this moment." not in said
    assert "No alarm has been raised in the last 12 hours." in said
    assert "No patient is being monitored yet." in said


def test_alarms_page_says_that_the_broker_is_gone(live: Live, clocks: Clocks) -> None:
    clocks.s += 60
    said = words(alarms_page())
    assert "SYSTEM DOWN" in said
    assert "No alarms at this moment." not in said


def test_alarms_page_calls_nothing_quiet_while_nobody_watches(live: Live, clocks: Clocks) -> None:
    for patient, bed in (("p1", "Bed *1*"), ("p2", "Bed 2")):
        hear(live.view, PatientMessage(patient=patient, bed=bed), waveform(0, ramp(0, 100)))
    assert "No alarms at this moment." in words(alarms_page())
    hear(live.view, PatientMessage(patient="p2", bed="Bed 2", standby=True), alarm())
    for _ in range(4):
        clocks.s += 1
        live.view.broker_answered()
    said = words(alarms_page())
    assert "SYSTEM DOWN — alarm of Bed *1* · p1: nobody looks for alarms" in said
    assert "VT 142>100" in said
    hear(live.view, alarm(sequence=2, event="ended", holds=False))
    hear(live.view, PatientMessage(patient="p2", bed="Bed 2"))
    said = words(alarms_page())
    assert "SYSTEM DOWN — alarm of all 2 patients" in said
    assert "No alarms" not in said


def test_history_has_events_and_a_strip(live: Live) -> None:
    hear(live.view, waveform(0, ramp(0, 1500)), alarm(sample=1299))
    hear(live.view, alarm(sequence=2, event="acknowledged", acknowledged=True, author="Kim"))
    test = alarms_page()
    (table,) = test.dataframe
    assert list(table.value["event"]) == ["acknowledged", "raised"]
    assert list(table.value["by"]) == ["Kim", ""]
    assert len(test.get("plotly_chart")) == 1


def test_strip_that_is_looked_at_stays_when_a_new_alarm_comes(live: Live) -> None:
    hear(live.view, alarm(sample=1299))
    with mock.patch.object(Follower, "strip", return_value=None) as read:
        test = alarms_page()
        hear(live.view, alarm(alarm_id="vf-1", code="vf", detected_ns=START_NS + 10**10))
        test.run()
        assert test.selectbox(key="strip").value == "vt-1"
        assert [call.args[0].alarm_id for call in read.call_args_list] == ["vt-1"]
        test.selectbox(key="strip").set_value("vf-1").run()
        assert [call.args[0].alarm_id for call in read.call_args_list] == ["vt-1", "vf-1"]


def test_history_says_how_many_events_it_leaves_out(live: Live) -> None:
    for n in range(101):
        hear(live.view, alarm(alarm_id=f"vt-{n}"), alarm(alarm_id=f"vt-{n}", sequence=2))
    (caption,) = alarms_page().caption
    assert caption.value == "The newest 200 of 202 events; the strips are of all alarms."


@pytest.mark.parametrize("browser", ["Asia/Kolkata", None, "Nowhere/Else"])
def test_times_are_those_of_the_browsers_zone_else_the_servers_by_name(
    live: Live, monkeypatch: pytest.MonkeyPatch, browser: str | None
) -> None:
    monkeypatch.setattr(type(st.context), "timezone", browser)
    hear(live.view, waveform(0, ramp(0, 1500)), alarm(sample=1299))
    here = datetime.fromtimestamp(START_NS / 1e9, tz=UTC).astimezone()
    wanted = "2023-11-15 03:43:20" if browser == "Asia/Kolkata" else f"{here:%Y-%m-%d %H:%M:%S %Z}"
    assert f"since {wanted} ·" in words(alarms_page())


@pytest.mark.parametrize("error", [BrokerError("it is away"), DecodeError("it is garbage")])
def test_strip_that_cannot_be_read_is_said(live: Live, error: Exception) -> None:
    hear(live.view, alarm(sample=1299))
    with mock.patch.object(Follower, "strip", side_effect=error):
        assert f"The strip cannot be read: {error}" in words(alarms_page())


def test_trends_show_what_is_kept(live: Live) -> None:
    hear(live.view, waveform(0, ramp(0, 100)), minute(0, start_ns=START_NS - 60_000_000_000))
    test = alarms_page()
    assert not test.exception
    assert len(test.get("plotly_chart")) == 1

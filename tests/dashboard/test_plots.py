"""Figures: what they show, and what they leave out."""

from dataclasses import replace
from datetime import UTC
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from dashboard.plots import strip_figure, trend_figure
from ecg.chunk import MISSING
from stream.messages import Signal, TrendMessage
from stream.view import Stretch

MINUTE_NS = 60 * 10**9
NOW_NS = 1_700_000_000 * 10**9


def strip(n_leads: int = 2) -> Stretch:
    samples = np.full((1000, n_leads), 1024, dtype=np.int16)
    samples[300, 0] = 1224
    samples[500:550, 0] = MISSING
    signals = tuple(
        Signal(name=name, kind="ecg", unit="mV", gain=200.0, baseline=1024)
        for name in ("II", "V1")[:n_leads]
    )
    return Stretch(stream="s", fs=100.0, signals=signals, first_sample=5000, samples=samples)


def test_strip_is_in_millivolts_with_gaps_where_samples_are_missing() -> None:
    figure = strip_figure(strip())
    lead = figure.data[0]
    assert (lead.name, lead.x0, lead.dx) == ("II", 0.0, 0.01)
    assert lead.y[300] == pytest.approx(1.0)
    assert lead.y[299] == 0.0
    assert np.isnan(lead.y[500:550]).all()
    assert not lead.connectgaps
    assert [trace.name for trace in figure.data] == ["II", "V1"]
    # the second lead lies under the first
    assert figure.data[1].y[0] < -2


def test_strip_is_on_ecg_paper() -> None:
    layout = strip_figure(strip()).layout
    assert (layout.xaxis.dtick, layout.xaxis.minor.dtick) == (0.2, 0.04)
    assert (layout.yaxis.dtick, layout.yaxis.minor.dtick) == (0.5, 0.1)


@pytest.mark.parametrize(("unit", "gain"), [("uV", 0.2), ("µV", 0.2), ("V", 200_000.0)])
def test_strip_is_in_millivolts_whatever_the_unit(unit: str, gain: float) -> None:
    whole = strip(1)
    signal = Signal(name="II", kind="ecg", unit=unit, gain=gain, baseline=1024)
    figure = strip_figure(replace(whole, signals=(signal,)))
    assert figure.data[0].y[300] == pytest.approx(1.0)


def test_names_are_no_markup_in_a_figure() -> None:
    whole = strip(1)
    signal = Signal(name="<b>II</b>", kind="ecg", unit="mV", gain=200.0, baseline=0)
    figure = strip_figure(replace(whole, signals=(signal,)), title="Bed <a href='x'>1 & 2")
    assert figure.layout.title.text == "Bed &lt;a href='x'&gt;1 &amp; 2"
    assert figure.layout.annotations[0].text == "<b>&lt;b&gt;II&lt;/b&gt;</b>"
    assert figure.data[0].name == "&lt;b&gt;II&lt;/b&gt;"


def test_strip_leaves_out_what_is_not_ecg() -> None:
    whole = strip()
    signals = (whole.signals[0], Signal(name="PLETH", kind="ppg", unit="NU", gain=1.0, baseline=0))
    mixed = Stretch(stream="s", fs=100.0, signals=signals, first_sample=0, samples=whole.samples)
    assert [trace.name for trace in strip_figure(mixed).data] == ["II"]


def test_strip_without_any_sample_is_empty_and_no_error() -> None:
    nothing = Stretch(
        stream="s",
        fs=100.0,
        signals=strip(1).signals,
        first_sample=0,
        samples=np.full((10, 1), MISSING, np.int16),
    )
    assert np.isnan(strip_figure(nothing).data[0].y).all()


def minute(minutes_ago: int, mean: float | None, v: int) -> TrendMessage:
    return TrendMessage(
        patient="p1",
        epoch=1,
        stream="s",
        first_sample=0,
        end_sample=6000,
        start_ns=NOW_NS - minutes_ago * MINUTE_NS,
        heart_rate_mean=mean,
        heart_rate_min=None if mean is None else mean - 5,
        heart_rate_max=None if mean is None else mean + 5,
        beats={"N": 60, "V": v},
        unfit_s=0.0 if mean else 60.0,
    )


def test_trend_shows_the_hours_asked_for_and_gaps() -> None:
    # of the second half of the hour nothing has come but its last minutes
    minutes = [minute(180, 60, 9), minute(31, 71, 0), minute(30, 72, 1), minute(2, None, 0)]
    minutes.append(minute(1, 80, 4))
    figure = trend_figure(minutes, hours=1, now_ns=NOW_NS, limits=(50, 120), zone=UTC)
    by_name = {trace.name: trace for trace in figure.data}
    assert list(by_name["HR mean"].y) == [71, 72, None, None, 80]
    assert not by_name["HR mean"].connectgaps
    assert list(by_name["V per minute"].y) == [0, 1, 0, 0, 4]
    assert sorted(shape.y0 for shape in figure.layout.shapes) == [50, 120]


def test_trend_is_in_the_order_of_time_also_after_a_clock_was_ahead() -> None:
    minutes = [minute(9, 72, 0), minute(7, 73, 0), minute(8, 74, 0)]
    figure = trend_figure(minutes, hours=1, now_ns=NOW_NS, limits=None, zone=UTC)
    by_name = {trace.name: trace for trace in figure.data}
    assert list(by_name["HR mean"].y) == [72, 74, 73]


def test_trend_is_in_the_time_of_its_zone_and_names_it() -> None:
    zone = ZoneInfo("Asia/Kolkata")
    figure = trend_figure([minute(30, 72, 0)], hours=1, now_ns=NOW_NS, limits=None, zone=zone)
    # 2023-11-14 22:13:20 UTC
    assert [time.isoformat() for time in figure.data[0].x] == ["2023-11-15T03:13:20"]
    assert figure.layout.xaxis.title.text == "IST"

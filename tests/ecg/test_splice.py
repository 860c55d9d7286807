"""A recording that begins again, from its samples to alarms."""

import pytest
from msgspec.structs import replace

from ecg.alarm import AlarmEvent
from ecg.alarm_cycle import PatientAlarms
from ecg.monitor import Monitor
from ecg.script import Step
from tests.ecg.engine import cut, recorded

TURNS = 3


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("rate_bpm", [55, 90])
def test_a_recording_that_begins_again_raises_no_alarm(rate_bpm: float, seed: int) -> None:
    script = (Step(duration_s=40.3, rate_bpm=rate_bpm),)
    whole = recorded("p1", fs=250.0, seed=seed, script=script)
    monitor, alarms = Monitor(None), PatientAlarms("p1")
    events: list[AlarmEvent] = []
    for turn in range(TURNS):
        for chunk in cut(whole, 250):
            live = replace(
                chunk,
                first_sample=turn * whole.n_samples + chunk.first_sample,
                discontinuity=turn > 0 and chunk.first_sample == 0,
            )
            for findings in monitor.advance([live]):
                events += alarms.fold(findings)
    assert [e.text for e in events if e.kind == "physiological"] == []

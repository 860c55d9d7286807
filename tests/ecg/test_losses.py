"""A radio link that loses a little every few seconds: a standstill is never a silent one."""

import numpy as np
import pytest
from msgspec.structs import replace

from ecg.alarm import AlarmEvent, Limits
from ecg.alarm_cycle import PatientAlarms
from ecg.checkpoint import SHIPPED, load
from ecg.chunk import MISSING, Chunk
from ecg.judge import Judge
from ecg.monitor import Monitor
from ecg.script import Step
from tests.ecg.engine import cut, part, recorded
from tests.story import START_NS

FS = 250
STILL_S = 15


@pytest.fixture(scope="module")
def standstill() -> Chunk:
    script = (Step(duration_s=STILL_S), Step(duration_s=45, rhythm="asystole"))
    return recorded("P1", fs=float(FS), seed=3, script=script)


def told(
    chunks: list[Chunk], *, asystole_s: float = 4.0, judge: Judge | None = None
) -> list[AlarmEvent]:
    """Return what is said of chunks, each with the time at which it comes."""
    monitor, alarms = Monitor(judge), PatientAlarms("P1", limits=Limits(asystole_s=asystole_s))
    events: list[AlarmEvent] = []
    for chunk in chunks:
        now_ns = START_NS + round(chunk.first_sample / FS * 1e9)
        timed = replace(chunk, source_ns=now_ns, sent_ns=now_ns)
        for findings in monitor.advance([timed]):
            events += alarms.fold(findings)
        events += alarms.tick(now_ns)
    return events


def serious(chunks: list[Chunk], *, asystole_s: float = 4.0) -> set[str]:
    """Return the codes of the alarms of high priority that chunks raise."""
    events = told(chunks, asystole_s=asystole_s)
    return {e.code for e in events if e.event == "raised" and e.priority == "high"}


def times(every_s: float) -> list[int]:
    return [round(t * FS) for t in np.arange(STILL_S + 1, STILL_S + 44, every_s)]


@pytest.mark.parametrize("in_band", [True, False], ids=["marked missing", "never sent"])
@pytest.mark.parametrize("asystole_s", [4.0, 10.0])
@pytest.mark.parametrize("every_s", [3.0, 8.0])
@pytest.mark.parametrize("lost", [1, 25, 75], ids="{} samples".format)
def test_asystole_is_alarmed_though_samples_are_lost_again_and_again(
    standstill: Chunk, lost: int, every_s: float, asystole_s: float, in_band: bool
) -> None:
    if in_band:
        samples = standstill.samples.copy()
        for at in times(every_s):
            samples[at : at + lost] = MISSING
        chunks = cut(replace(standstill, samples=samples), 125)
    else:
        edges = [0, *(edge for at in times(every_s) for edge in (at, at + lost))]
        edges.append(standstill.n_samples)
        kept = [part(standstill, a, b) for a, b in zip(edges[::2], edges[1::2], strict=True)]
        chunks = [piece for whole in kept for piece in cut(whole, 125)]
    assert serious(chunks, asystole_s=asystole_s) & {"asystole", "no_data"}


@pytest.mark.parametrize("every", [1, 2, 4, 6])
def test_a_source_that_says_at_every_turn_that_it_begins_anew_is_not_silent(
    standstill: Chunk, every: int
) -> None:
    chunks = [
        replace(chunk, discontinuity=number % every == 0)
        for number, chunk in enumerate(cut(standstill, 125))
    ]
    assert serious(chunks) & {"asystole", "no_data"}


@pytest.mark.parametrize(("rate", "code"), [(170, "extreme_tachy"), (30, "extreme_brady")])
@pytest.mark.parametrize("lost", [25, 75], ids="{} samples".format)
def test_an_extreme_rate_is_alarmed_though_samples_are_lost(
    rate: float, code: str, lost: int
) -> None:
    script = (Step(duration_s=STILL_S), Step(duration_s=65, rate_bpm=rate))
    whole = recorded("P1", fs=float(FS), seed=3, script=script)
    samples = whole.samples.copy()
    for at in range(STILL_S * FS, 80 * FS, 5 * FS):
        samples[at : at + lost] = MISSING
    assert code in serious(cut(replace(whole, samples=samples), 125))


def losing(script: tuple[Step, ...], *, every: int, after_s: float) -> list[Chunk]:
    """Return chunks of 250 ms of which each ``every``-th is lost after a while."""
    whole = recorded("P1", fs=float(FS), seed=3, script=script)
    chunks = enumerate(cut(whole, round(FS / 4)))
    return [chunk for n, chunk in chunks if n % every or n / 4 <= after_s]


@pytest.mark.parametrize("every", [11, 12, 14])
def test_fibrillation_that_has_passed_hides_nothing_on_a_link_that_loses(every: int) -> None:
    script = (
        Step(duration_s=35),
        Step(duration_s=20, rhythm="vf"),
        Step(duration_s=30),
        Step(duration_s=30, rhythm="vt", rate_bpm=170),
    )
    events = told(losing(script, every=every, after_s=55), judge=load(SHIPPED, device="cpu"))
    passed = [e.sample / FS for e in events if e.code == "vf" and not e.holds]
    assert passed[0] < 80
    assert {e.code for e in events if e.event == "raised"} & {"vt", "extreme_tachy"}


@pytest.mark.parametrize("every", [11, 14])
def test_a_rate_of_long_ago_is_not_told_as_that_of_now(every: int) -> None:
    script = (
        Step(duration_s=35),
        Step(duration_s=25, rate_bpm=170),
        Step(duration_s=60, rate_bpm=34),
    )
    events = told(losing(script, every=every, after_s=30))
    tachy = [(e.holds, e.sample / FS) for e in events if e.code == "extreme_tachy"]
    (began, _), (goes_on, ended_s) = tachy[0], tachy[-1]
    assert began
    assert not goes_on
    assert ended_s < 60 + 35

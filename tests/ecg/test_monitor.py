"""The monitor's contracts: same input, same output, whatever the chunks and the company."""

import tracemalloc

import numpy as np
import pytest
from msgspec.structs import replace

from ecg.chunk import MISSING, Chunk
from ecg.errors import ChunkError, RateError, StateError
from ecg.monitor import Monitor
from ecg.script import Step
from ecg.simulator import Simulator
from tests.ecg.engine import beats, cut, judge, part, recorded, said, statuses, watch, windows


@pytest.fixture(scope="module")
def whole() -> Chunk:
    return recorded("P1")


@pytest.mark.parametrize("size", [1, 7, 360])
def test_findings_are_the_same_bits_whatever_the_chunks(whole: Chunk, size: int) -> None:
    # chunks of one sample are slow: fewer of them, with beats, noise and VT among them
    short = part(recorded("P1", fs=100.0), 0, 20 * 100) if size == 1 else whole
    assert said(watch(Monitor(judge()), cut(short, size))) == said(
        Monitor(judge()).advance([short])
    )


def test_findings_are_the_same_bits_alone_and_in_company(whole: Chunk) -> None:
    others = [
        recorded(f"Q{k}", fs=fs, seed=k)
        for k, fs in enumerate([128.0, 250.0, 360.0, 500.0] * 12, start=1)
    ]
    # company of the same rate and of others, with chunks that end elsewhere
    in_company = Monitor(judge())
    crowd = [iter(cut(other, 311 + 13 * k)) for k, other in enumerate(others)]
    found = []
    for chunk in cut(whole, 90):
        found += in_company.advance([*(c for it in crowd if (c := next(it, None))), chunk])
    assert said(found, "P1") == said(watch(Monitor(judge()), cut(whole, 90)))


def test_findings_are_the_same_when_several_chunks_come_at_once(whole: Chunk) -> None:
    chunks = cut(whole, 90)
    at_once = Monitor(judge())
    found = [f for k in range(0, len(chunks), 5) for f in at_once.advance(chunks[k : k + 5])]
    assert said(found) == said(watch(Monitor(judge()), chunks))


@pytest.mark.parametrize("at", [1, 3601, 5040, 9111, 14000])
def test_a_patient_goes_on_as_if_never_interrupted_when_restored(whole: Chunk, at: int) -> None:
    first, second = Monitor(judge()), Monitor(judge())
    chunks = cut(whole, [at, *[90] * 300])
    found = watch(first, chunks[:1])
    exported = first.export("P1")
    watch(second, [recorded("somebody else", seed=3)])
    second.restore("P1", exported)
    assert second.export("P1") == exported
    assert second.next_sample("P1") == at
    assert said(found + watch(second, chunks[1:])) == said(Monitor(judge()).advance([whole]))


def test_exported_state_is_at_most_16_kb(whole: Chunk) -> None:
    monitor = Monitor(judge())
    monitor.advance([whole])
    assert len(monitor.export("P1")) <= 16_000


def test_a_patient_takes_at_most_128_kb_of_memory(whole: Chunk) -> None:
    monitor = Monitor(judge())
    monitor.advance([part(whole, 0, 90)])  # what all patients share is there
    patients = 150
    tracemalloc.start()
    try:
        for at in range(0, 720, 90):
            chunk = part(whole, at, at + 90)
            monitor.advance([replace(chunk, patient=f"Q{k}") for k in range(patients)])
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken / patients <= 128_000


def test_damaged_or_foreign_state_is_refused(whole: Chunk) -> None:
    monitor = Monitor(judge())
    monitor.advance([part(whole, 0, 900)])
    state = monitor.export("P1")
    for bad in (b"", b"RWP1", state[:40], state[:-5000], b"x" + state[1:], state[:4] + b"\0" * 8):
        with pytest.raises(StateError):
            Monitor(judge()).restore("P1", bad)
    with pytest.raises(StateError, match="P1"):
        Monitor(judge()).restore("P2", state)
    with pytest.raises(StateError, match="no patient"):
        monitor.export("P2")


@pytest.mark.parametrize("fs", [100.0, 128.0, 250.0, 300.0, 360.0, 500.0, 1000.0, 257.5])
def test_beats_are_found_on_time_and_in_order_at_every_rate(fs: float) -> None:
    script = (Step(duration_s=30, rate_bpm=75),)
    simulator = Simulator(script, fs=fs, seed=5)
    whole = next(iter(simulator.chunks("P1", "s1", chunk_samples=round(30 * fs))))
    found = beats(Monitor(judge()).advance([whole]))
    truth = [b.sample for b in simulator.truth().beats if b.sample < 27 * fs]
    matched = [min(abs(b.sample - t) for b in found) for t in truth]
    assert max(matched) <= 0.05 * fs
    assert len(found) <= len(truth) + 3
    order = [b.sample for b in found]
    assert order == sorted(order)
    assert [b.decided_sample for b in found] == sorted(b.decided_sample for b in found)
    assert all(0 < b.decided_sample - b.sample <= 2.0 * fs for b in found)


def test_a_status_comes_every_whole_second(whole: Chunk) -> None:
    found = statuses(watch(Monitor(judge()), cut(whole, 90)))
    assert [s.sample for s in found] == [360 * k for k in range(1, len(found) + 1)]
    assert len(found) == 49
    assert all(0 <= s.decided_sample - s.sample < 0.1 * 360 for s in found)
    assert [w.end_sample for w in windows(Monitor(judge()).advance([whole]))] == [
        s.sample for s in found
    ]


def test_what_cannot_be_judged_is_said_and_never_healthy(whole: Chunk) -> None:
    found = watch(Monitor(judge()), cut(whole, 90))
    by_second = {s.sample // 360: s for s in statuses(found)}
    assert by_second[10].fit
    assert by_second[10].warm_up
    assert by_second[10].model == "test"
    assert by_second[15].reason == "noisy"
    assert by_second[23].reason == "missing"
    assert by_second[33].fit  # asystole is no lead fault
    assert by_second[39].reason == "lead_off"
    assert by_second[39].heart_rate_bpm is None
    assert not by_second[49].warm_up
    unfit = [b for b in beats(found) if b.beat_class is None]
    assert unfit
    assert {b.reason for b in unfit} <= {"unfit: noisy", "unfit: missing", "unfit: lead_off",
                                         "unfit: clipped"}  # fmt: skip
    assert all(b.score is None and b.probabilities is None for b in unfit)


def test_without_a_model_beats_are_found_but_not_judged(whole: Chunk) -> None:
    found = Monitor().advance([part(whole, 0, 12 * 360)])
    assert len(beats(found)) > 5
    assert {(b.beat_class, b.reason, b.model) for b in beats(found)} == {(None, "no model", None)}
    assert {(w.rhythm, w.reason) for w in windows(found)} == {(None, "no model")}
    assert {s.model for s in statuses(found)} == {None}


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (lambda t: np.zeros_like(t), "flat"),
        (lambda t: np.full_like(t, 9.5), "lead_off"),
        (lambda t: np.clip(8 * np.sin(2 * np.pi * 1.2 * t), -1.5, 1.5), "clipped"),
        (lambda t: np.random.default_rng(1).normal(0, 0.5, t.shape), "noisy"),
        (lambda t: np.full_like(t, np.nan), "missing"),
    ],
)
def test_a_lead_that_shows_no_heart_is_unfit(values: object, reason: str) -> None:
    assert callable(values)
    t = np.arange(20 * 250) / 250
    mv = values(t)[:, None]
    samples = np.where(np.isnan(mv), MISSING, np.round(np.nan_to_num(mv) * 1000)).astype(np.int16)
    chunk = Chunk(patient="P1", stream="s1", first_sample=0, fs=250.0, leads=("II",),
                  samples=samples, gain=(1000.0,), baseline=(0,))  # fmt: skip
    found = Monitor(judge()).advance([chunk])
    late = [s for s in statuses(found) if s.sample > 4 * 250]
    assert {(s.fit, s.reason, s.heart_rate_bpm) for s in late} == {(False, reason, None)}
    assert {b.beat_class for b in beats(found) if b.sample > 4 * 250} <= {None}


def test_one_lead_off_leaves_the_other_to_be_judged(whole: Chunk) -> None:
    samples = part(whole, 0, 12 * 360).samples.copy()
    samples[:, 1] = 9500
    found = Monitor(judge()).advance([replace(whole, samples=samples)])
    last = statuses(found)[-1]
    assert last.fit
    assert [(q.lead, q.fit, q.reason) for q in last.leads] == [
        ("II", True, None),
        ("V1", False, "lead_off"),
    ]
    assert {b.reason for b in beats(found)} == {None}


def test_chunks_that_contradict_their_stream_are_refused_and_change_nothing(whole: Chunk) -> None:
    monitor = Monitor(judge())
    monitor.advance([part(whole, 0, 900)])
    before = monitor.export("P1")
    good = part(whole, 900, 1800)
    slow = replace(good, patient="P2", fs=50.0)
    for bad, error in (
        (replace(good, fs=250.0), ChunkError),
        (replace(good, leads=("I", "II")), ChunkError),
        (slow, RateError),
    ):
        assert {k: type(e) for k, e in monitor.refusals([good, bad]).items()} == {1: error}
        with pytest.raises(error):
            monitor.advance([good, bad])
        assert monitor.export("P1") == before
    assert len(monitor.advance([good])) == 1


def test_a_chunk_without_leads_or_of_wrong_shape_is_refused(whole: Chunk) -> None:
    with pytest.raises(ChunkError, match="0 lead names"):
        replace(whole, leads=())
    with pytest.raises(ChunkError, match="int16"):
        replace(whole, samples=whole.samples.astype(np.int32))
    with pytest.raises(ChunkError, match="gain"):
        replace(whole, gain=(0.0, 1.0))


def test_leads_asked_for_are_judged_where_a_patient_has_them(whole: Chunk) -> None:
    found = Monitor(judge(), leads=["V1"]).advance([part(whole, 0, 3600)])
    assert {b.lead for b in beats(found)} == {"V1"}
    other = replace(whole, leads=("I", "III"))
    assert {b.lead for b in beats(Monitor(judge(), leads=["V1"]).advance([other]))} == {"I"}


def test_a_discharged_patient_is_forgotten(whole: Chunk) -> None:
    monitor = Monitor(judge())
    monitor.advance([part(whole, 0, 900)])
    monitor.discharge("P1")
    monitor.discharge("never seen")
    assert monitor.next_sample("P1") is None
    with pytest.raises(StateError):
        monitor.export("P1")
    assert said(monitor.advance([whole])) == said(Monitor(judge()).advance([whole]))

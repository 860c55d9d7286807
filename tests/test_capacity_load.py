"""The capacity benchmark's load, latency, search and peers."""

import io
import json
import sys
from contextlib import nullcontext
from types import FunctionType, SimpleNamespace
from typing import Any

import msgspec
import numpy as np
import pytest

from benchmarks.capacity import versus
from benchmarks.capacity.feed import FS, name_of, simulated
from benchmarks.capacity.generator import patients_of
from benchmarks.capacity.listener import Heard, Tally
from benchmarks.capacity.live import problems
from benchmarks.capacity.profiled import OTHER, stage_of
from benchmarks.capacity.search import search
from benchmarks.capacity.table import sheets
from benchmarks.capacity.worker import Worker
from benchmarks.peers.parts import Parts
from benchmarks.peers.run import Meter, Order
from ecg.finding import Findings, RhythmWindow, Span, Status
from stream.chunks import chunk_of
from stream.messages import FindingsMessage
from stream.wire import decode_waveform, encode

FEED = simulated(patients=2, duration_s=4.0)
STEP = 90
SECOND_NS = 1_000_000_000


def test_generator_sends_the_chunks_of_the_feed() -> None:
    patients = patients_of(FEED, 3, STEP)
    first = 0
    for turn in range(20):
        for number, patient in enumerate(patients):
            value, headers = patient.next(10 * turn, 10 * turn + 1)
            message = decode_waveform(value)
            wanted = FEED.chunk(number, first, STEP)
            assert chunk_of(message).samples.tobytes() == wanted.samples.tobytes()
            assert message.discontinuity is wanted.discontinuity
            assert (message.patient, message.first_sample) == (name_of(number), first)
            assert (message.source_ns, message.sent_ns) == (10 * turn, 10 * turn + 1)
            assert dict(headers)["first_sample"] == str(first).encode()
        first += STEP


def findings(*, decided: int, sent_ns: tuple[int, int]) -> Heard:
    spans = tuple(
        Span(first_sample=k * STEP, n_samples=STEP, source_ns=sent - SECOND_NS // 4, sent_ns=sent)
        for k, sent in enumerate(sent_ns)
    )
    status = Status(
        sample=decided,
        decided_sample=decided,
        last_r=None,
        heart_rate_bpm=None,
        fit=True,
        reason=None,
        warm_up=True,
        model=None,
        leads=(),
    )
    window = RhythmWindow(first_sample=0, end_sample=1, decided_sample=decided, rhythm=None)
    whole = Findings(
        patient="p1",
        stream="s",
        fs=FS,
        after_sample=-1,
        through_sample=2 * STEP - 1,
        spans=spans,
        statuses=(status,),
        windows=(window,),
    )
    return _decoded(encode(FindingsMessage.of(whole, epoch=1)))


def _decoded(value: bytes) -> Heard:

    return msgspec.json.decode(value, type=Heard)


def test_latency_is_from_the_sending_of_the_message_that_held_the_sample() -> None:
    tally = Tally(from_ns=0, until_ns=10 * SECOND_NS)
    heard = findings(decided=STEP - 1, sent_ns=(SECOND_NS, 2 * SECOND_NS))
    tally.add(heard, 3 * SECOND_NS)
    tally.add(findings(decided=STEP, sent_ns=(SECOND_NS, 2 * SECOND_NS)), 3 * SECOND_NS)
    tally.add(findings(decided=5 * STEP, sent_ns=(SECOND_NS, 2 * SECOND_NS)), 3 * SECOND_NS)
    said = tally.report()
    assert (said["findings"], said["statuses"], said["patients"]) == (4, 2, 1)
    assert said["unplaced"] == 2
    assert (said["p50_ms"], said["p99_ms"]) == (1000.0, 2000.0)
    assert said["median_ms_by_second"] == [2000.0, 1000.0]


def test_latency_counts_only_what_was_due_in_time() -> None:
    tally = Tally(from_ns=2 * SECOND_NS, until_ns=10 * SECOND_NS)
    tally.add(findings(decided=0, sent_ns=(SECOND_NS, 2 * SECOND_NS)), 3 * SECOND_NS)
    assert tally.report()["findings"] == 0
    assert tally.report()["p99_ms"] is None


def heard_of(**changed: Any) -> dict[str, Any]:
    return {"p99_ms": 900.0, "median_ms_by_second": [100.0] * 9, "statuses": 6000, **changed}


def test_load_holds_unless_late_growing_unheard_or_undelivered() -> None:
    sent = {"undelivered": 0}
    assert problems(heard_of(), sent, patients=100, seconds=60.0) == []
    wrong = heard_of(p99_ms=1001.0, median_ms_by_second=[100, 100, 700], statuses=5990)
    said = problems(wrong, {"undelivered": 3}, patients=100, seconds=60.0)
    assert len(said) == 4
    assert problems(heard_of(p99_ms=None), sent, patients=100, seconds=60.0)


@pytest.mark.parametrize("capacity", [2_000, 5_000, 7_300, 20_000])
def test_search_finds_what_holds(capacity: int) -> None:
    tried: list[float] = []

    def run(patients: int, seconds: float) -> bool:
        tried.append(seconds)
        return patients <= capacity

    found = search(run, first=5_000, probe_s=60.0, whole_s=600.0)
    assert found is not None
    assert capacity * 0.9 <= found <= capacity
    assert tried.count(600.0) == 1


def test_search_gives_up_where_nothing_holds_and_backs_off_where_it_does_not_last() -> None:
    assert search(lambda _n, _s: False, first=5_000, probe_s=1.0, whole_s=2.0) is None
    lasting = search(
        lambda n, s: n <= (5_000 if s == 1.0 else 4_000), first=5_000, probe_s=1, whole_s=2
    )
    assert lasting is not None
    assert 3_500 <= lasting <= 4_000


def test_meter_counts_after_the_lead_in_up_to_the_end() -> None:
    meter = Meter(Order(lead_in=10, messages=30, cpu_s=100.0))
    for _ in range(8):
        meter.saw(5)
    assert meter.done
    assert meter.run().patient_s == 20 * 0.25


@pytest.mark.parametrize(("window_s", "every_s", "windows"), [(1.0, 1.0, 14), (10.0, 2.0, 3)])
def test_parts_judge_every_window_once(window_s: float, every_s: float, windows: int) -> None:
    lengths: list[int] = []

    def detect(lead: np.ndarray[Any, Any]) -> int:
        lengths.append(len(lead))
        return 1

    parts = Parts(detect, window_s=window_s, every_s=every_s)
    (patient,) = patients_of(FEED, 1, STEP)
    for _ in range(round(14.0 * FS / STEP)):
        parts.take(patient.next(0, 0)[0])
    parts.flush()
    assert (parts.windows, parts.beats) == (windows, windows)
    assert set(lengths) == {round(window_s * FS)}


def here() -> Any:
    return sys._getframe()


def frame_in(module: str, function: str) -> Any:
    code = here.__code__.replace(co_name=function)
    return FunctionType(code, {"__name__": module, "sys": sys})()


def test_stages_are_told_by_module_and_function() -> None:
    assert stage_of(frame_in("ecg.judge", "judge_beats")) == "model"
    assert stage_of(frame_in("stream.wire", "decode_waveform")) == "decode"
    assert stage_of(frame_in("stream.wire", "encode")) == "encode"
    assert stage_of(frame_in("stream.kafka.consumer", "poll")) == "fetch"
    assert stage_of(frame_in("stream.kafka.consumer", "commit")) == "commit"
    assert stage_of(None) == OTHER
    assert stage_of(frame_in("somebody", "other")) == OTHER


def test_runs_of_one_process_are_one_measurement(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [{"patient_s": 100.0, "cpu_s": cpu_s} for cpu_s in (1.0, 4.0)]
    process = SimpleNamespace(read=lambda: json.dumps(runs), close=lambda: None)
    monkeypatch.setattr(versus, "KafkaServer", lambda **_: nullcontext())
    monkeypatch.setattr(Worker, "start", lambda *_, **__: process)
    monkeypatch.setattr(versus.Versus, "_backlog", lambda *_: None)
    monkeypatch.setattr(versus.Versus, "_order", lambda *_: Order())
    monkeypatch.setattr(versus.Versus, "_ours", lambda *_: [200.0, 800.0])
    found = versus.Versus(
        feed=FEED, data=None, quick=True, rounds=3, say=lambda _: None, names=("x",)
    ).measure(io.StringIO())
    assert found == {"ours": pytest.approx([400.0] * 3), "x": pytest.approx([50.0] * 3)}
    ratio = versus.compared(found)["x"]
    assert ratio.ratio == pytest.approx(8.0)
    assert ratio.runs == 3


def test_one_round_is_shown_without_an_interval() -> None:
    for runs, words in (([400.0], "| 8 |"), ([400.0, 400.0], "| 8 (8 to 8) |")):
        found = {"ours": runs, "x": [run / 8 for run in runs]}
        ratio = versus.compared(found)["x"]
        (sheet,) = sheets(
            {
                "peers": {"x": ratio.ratio},
                "peer_intervals": {"x": [ratio.low, ratio.high]},
                "peer_runs": found,
            }
        )
        assert words in sheet.markdown()

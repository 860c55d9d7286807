"""The capacity benchmark: its arithmetic, and that its parts run and count right."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks import guard
from benchmarks.capacity import __main__ as capacity
from benchmarks.capacity import engine, history, limit, machine, report, search
from benchmarks.capacity.feed import simulated
from benchmarks.capacity.live import Live, LiveRow
from benchmarks.capacity.ratios import ratio_of
from benchmarks.capacity.versus import Versus
from benchmarks.peers.names import BARE, NAMES
from ecg.features import CHANNELS, N_CONTEXT
from ecg.model import BeatLSTM, BeatLSTMSize
from ecg.state import WINDOW
from training.page import BEGIN, END

FEED = simulated(patients=2, duration_s=6.0)


def test_feed_gives_every_patient_an_endless_signal_of_its_own() -> None:
    step = 90
    n = len(FEED.tapes[0].samples)
    starts = {FEED.phase(patient, step) for patient in range(0, 12, 2)}
    assert len(starts) == 6
    chunks = [FEED.chunk(4, first, step) for first in range(0, n + step, step)]
    assert [chunk.discontinuity for chunk in chunks].count(True) == 1
    assert np.array_equal(chunks[0].samples, chunks[-1].samples)
    assert {chunk.samples.shape for chunk in chunks} == {(step, 2)}


def test_engine_counts_cost_and_beats_of_each_patient() -> None:
    row = engine.measure(FEED, None, 3, settle_s=1.0, signal_s=5.0, cpu_s=60.0)
    assert row.patients == 3
    assert row.signal_s == 5.0
    assert 0.5 < row.beats_per_s < 2.5
    assert 0 < row.kb_exported <= 16.0
    assert row.patients_per_core > 0


def test_engine_measured_apart_gives_the_row_back() -> None:
    row = engine.measure_apart(FEED, None, 1, settle_s=0.0, signal_s=1.0)
    assert (row.patients, row.signal_s) == (1, 1.0)


def test_ratio_has_the_geometric_mean_and_students_interval() -> None:
    found = ratio_of([10.0, 20.0, 40.0], [10.0, 10.0, 10.0])
    assert found.ratio == pytest.approx(2.0)
    # t(0.975, 2) = 4.3027; the logarithms deviate by ln 2
    half = 4.30265 * math.log(2) / math.sqrt(3)
    assert math.log(found.high / found.ratio) == pytest.approx(half, rel=1e-4)
    assert found.low * found.high == pytest.approx(found.ratio**2)
    assert found.runs == 3


def test_ratio_refuses_what_are_no_pairs() -> None:
    with pytest.raises(ValueError, match="pairs"):
        ratio_of([1.0], [1.0, 2.0])
    with pytest.raises(ValueError, match="positive"):
        ratio_of([1.0], [0.0])


def test_machine_says_when_others_are_at_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "matmul_gflops", lambda **_: 100.0)
    for used, busy in ((0.0, False), (1.0, True)):
        monkeypatch.setattr(machine, "idle_check", lambda _s=0.0, used=used: used)
        monkeypatch.setattr("os.cpu_count", lambda: 2)
        watch = machine.Watch()
        watch.look()
        said = watch.described()
        assert said["busy"] is busy
        assert said["matmul_gflops"] == 100.0


ROW = engine.EngineRow(
    patients=1000,
    patients_per_core=20000.0,
    kb_per_patient=40.0,
    kb_exported=14.0,
    beats_per_s=1.25,
    signal_s=10.0,
    worst_tick_ms=20.0,
)


def live_row(patients: int, chunk_ms: int, seconds: float) -> LiveRow:
    return LiveRow(
        chunk_ms=chunk_ms,
        patients=patients,
        held=patients <= 6000,
        why_not=() if patients <= 6000 else ("p99 latency 1200.0 ms",),
        p50_ms=100.0,
        p99_ms=400.0,
        max_ms=500.0,
        due_p99_ms=410.0,
        lag_growth_s=0.0,
        heard=1.0,
        seconds=seconds,
        scorers=1,
        generator_late_ms={"p50": 1.0, "p99": 5.0, "max": 9.0},
        mb_per_s=10.0,
        cpu={"broker": 0.3, "generator": 0.3, "scorer": 0.6, "listener": 0.1},
        stages={"model": 0.3, "signal": 0.2, "send": 0.1},
    )


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """Return what the command writes, its measurements replaced by quick ones."""
    page = tmp_path / "page.md"
    page.write_text(f"# Capacity\n{BEGIN.format(name='capacity')}\nold\n{END}\nrest\n")
    found = {name: [1000.0, 1100.0] for name in ("ours", *NAMES)}
    monkeypatch.setattr(machine, "matmul_gflops", lambda **_: 100.0)
    monkeypatch.setattr(machine, "idle_check", lambda _s=0.0: 0.0)
    monkeypatch.setattr(report, "load", lambda **_: None)
    monkeypatch.setattr(report, "warm_up", lambda _judge: None)
    monkeypatch.setattr(report, "missing", lambda _parts: [])
    monkeypatch.setattr(report, "data_dir", lambda _data: None)
    monkeypatch.setattr(engine, "measure_apart", lambda *_, **__: ROW)
    monkeypatch.setattr(Live, "run", lambda _self, *load: live_row(*load))
    monkeypatch.setattr(Versus, "measure", lambda _self, _log: found)
    capacity.main(
        ["--quick", "--hold", "90", "--json", str(tmp_path / "x.json"), "--markdown", str(page)]
    )
    said: dict[str, Any] = json.loads((tmp_path / "x.json").read_text())
    said["page"] = page.read_text()
    return said


def test_of_the_engines_runs_the_middle_one_counts_and_the_longest_tick_of_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    speeds = iter([18_000.0] * 4 + [21_000.0] * 4 + [20_000.0] * 4)
    ticks = iter([40.0] * 4 + [20.0] * 8)
    monkeypatch.setattr(
        engine,
        "measure_apart",
        lambda _feed, _judge, patients, **_: replace(
            ROW, patients=patients, patients_per_core=next(speeds), worst_tick_ms=next(ticks)
        ),
    )
    rows = engine.measured(FEED, None, quick=True, on_row=lambda _what: None)
    assert [row["patients"] for row in rows] == list(engine.PATIENTS)
    assert {row["patients_per_core"] for row in rows} == {20_000.0}
    assert {row["worst_tick_ms"] for row in rows} == {40.0}
    assert rows[0]["runs"] == [18_000, 20_000, 21_000]


def test_json_has_the_figures_under_their_names(said: dict[str, Any]) -> None:
    assert all(
        set(row) >= {"patients", "patients_per_core", "kb_per_patient"} for row in said["engine"]
    )
    wanted = {"chunk_ms", "patients", "held", "p50_ms", "p99_ms"}
    assert all(wanted <= set(row) for row in said["kafka"])
    assert [(r["patients"], r["chunk_ms"], r["held"]) for r in said["kafka"]] == [
        (5000, 250, True),
        (10000, 1000, False),
    ]
    assert said["peers"] == dict.fromkeys(NAMES, 1.0)
    assert said["stages"] == {"model": 0.5, "signal": 0.3333, "send": 0.1667}
    assert 0 < said["flop_share"] < 1
    assert {"matmul_gflops", "load"} <= set(said["machine"])
    # a bare consumer reads 1,050 patients of 2 kB/s each on a core, in the middle of its runs
    assert said["limit"]["bare_consumer_mb_per_s"] == pytest.approx(2.1)
    assert said["limit"]["bytes_share"] == pytest.approx(5000 / 1050, abs=1e-4)


def test_page_gets_the_tables_between_its_marks(said: dict[str, Any]) -> None:
    page = said["page"]
    assert page.startswith("# Capacity\n")
    assert page.endswith("rest\n")
    assert "old" not in page
    for words in (
        "| 1,000 | 20,000 |",
        "90 s a load",
        "p99 latency 1200.0 ms",
        "| model | 0.5 |",
        "| waveforms of 5,000 patients through Kafka, as a share of it | 4.76 |",
    ):
        assert words in page


def test_bytes_are_those_of_the_largest_load_that_held_beside_the_median_bare_run() -> None:
    loads = [(5000, 250, 60.0), (6000, 250, 600.0), (7000, 250, 600.0), (9000, 1000, 600.0)]
    rows = search.as_json([live_row(*load) for load in loads])
    bare = {BARE: [19_000.0, 12_000.0, 10_000.0]}
    found = report._limit({"kafka": rows, "peer_runs": bare}, gflops=100.0)
    assert (found["bytes_patients"], found["bytes_share"]) == (6000, 0.5)
    assert report._limit({"kafka": rows[2:], "peer_runs": bare}, gflops=100.0) == {}


def test_flops_are_those_of_the_layers() -> None:
    size = BeatLSTMSize(conv=(8, 16, 16), beat=48, hidden=48)
    whole, lstm = limit.flops_of(BeatLSTM(size), *sequence())
    # the LSTM: four gates of 48 units, each from 48 inputs and 48 of before
    assert lstm == 2 * 4 * 48 * (48 + 48)
    convolutions = 2 * (8 * CHANNELS * 7 * 63 + 16 * 8 * 5 * 32 + 16 * 16 * 3 * 16)
    assert whole > lstm + convolutions


def sequence() -> tuple[torch.Tensor, torch.Tensor]:
    return torch.zeros(1, 1, CHANNELS, WINDOW), torch.zeros(1, 1, N_CONTEXT)


def test_command_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(report, "missing", lambda _parts: ["confluent_kafka", "java"])
    with pytest.raises(SystemExit):
        capacity.main(["--quick"])
    assert "confluent_kafka, java must be there" in capsys.readouterr().err


def kept(gflops: float, *, patients_per_core: float, p99_ms: float, busy: bool = False) -> Any:
    return {
        "kept_at": f"2026-01-01T00:00:{gflops:02.0f}",
        "engine": [
            {"patients": 1000, "patients_per_core": patients_per_core, "kb_per_patient": 40}
        ],
        "kafka": [{"patients": 5000, "chunk_ms": 250, "p99_ms": p99_ms, "cpu": {"scorer": 0.5}}],
        "peers": {"x": 20.0},
        "machine": {"matmul_gflops": gflops, "busy": busy, "cores_used_by_others": 1.5},
    }


def test_guard_scales_by_the_machines_own_peak() -> None:
    before = kept(50, patients_per_core=20_000.0, p99_ms=400.0)
    # a core twice as fast is to carry twice as many, in half the time; memory and ratios stay
    same = guard.compare(kept(100, patients_per_core=40_000.0, p99_ms=200.0), before)
    assert [line.name.rpartition(":")[2].strip() for line in same] == [
        "patients per core",
        "kB a patient",
        "p99 ms",
        "cores of the scorer",
        "ours / x",
    ]
    assert [line.expected for line in same] == [40_000.0, 40, 200.0, 0.25, 20.0]
    assert [round(line.change, 3) for line in same] == [0, 0, 0, -0.5, 0]
    slower = guard.compare(kept(100, patients_per_core=30_000.0, p99_ms=200.0), before)
    assert slower[0].worse
    assert slower[0].change == pytest.approx(-0.25)


def test_guard_keeps_idle_runs_only_and_finds_the_newest(tmp_path: Path) -> None:
    assert guard.last_kept(tmp_path) is None
    with pytest.raises(ValueError, match=r"others used 1\.5 cores"):
        guard.keep(kept(50, patients_per_core=1.0, p99_ms=1.0, busy=True), tmp_path)
    for gflops in (20, 10):
        report_of = kept(gflops, patients_per_core=1.0, p99_ms=1.0)
        (tmp_path / f"{gflops}.json").write_text(json.dumps(report_of))
    newest = guard.last_kept(tmp_path)
    assert newest is not None
    assert newest["machine"]["matmul_gflops"] == 20
    assert guard.keep(newest, tmp_path).parent == tmp_path


def test_guard_prefers_a_run_on_the_same_processor(tmp_path: Path) -> None:
    for gflops, cpu in ((10, "ours"), (20, "another")):
        report_of = kept(gflops, patients_per_core=1.0, p99_ms=1.0)
        report_of["machine"]["cpu"] = cpu
        (tmp_path / f"{gflops}.json").write_text(json.dumps(report_of))
    for asked, found in (("ours", "ours"), ("a third", "another"), (None, "another")):
        newest = guard.last_kept(tmp_path, cpu=asked)
        assert newest is not None
        assert newest["machine"]["cpu"] == found


def test_kept_runs_stand_side_by_side_with_the_largest_load_that_held(tmp_path: Path) -> None:
    early, late = (kept(g, patients_per_core=g * 1000.0, p99_ms=1.0) for g in (10, 20))
    loads = ((250, 7000, 600.0, True), (250, 7800, 60.0, True), (250, 9000, 600.0, False))
    late["kafka"] = [
        {"chunk_ms": ms, "patients": n, "seconds": s, "held": held, "p99_ms": 500.0}
        for ms, n, s, held in loads
    ]
    early["kafka"] = []
    (tmp_path / "other.json").write_text(json.dumps({"alarm": {"patients_per_core": 1.0}}))
    for name, one in (("b", early), ("a", late)):
        one["machine"]["cpu"] = "ours"
        (tmp_path / f"{name}.json").write_text(json.dumps(one))
    first, second = history.sheet(tmp_path).rows
    assert first[:7] == ("2026-01-01 00:00", "ours", 10, 10_000.0, None, None, None)
    assert second[3:7] == (20_000.0, None, "7,000 for 600 s, p99 500 ms", None)
    assert set(second[7:]) == {None}


def test_the_table_of_kept_runs_is_written_without_measuring(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    assert capacity.main(["--history", str(page)]) == 0
    written = page.read_text(encoding="utf-8")
    assert written.startswith("<!-- figures: history -->\nRuns that were kept")
    assert written.count("\n| 20") == len(list(guard.RESULTS.glob("capacity-*.json")))

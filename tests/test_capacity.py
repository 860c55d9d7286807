"""The capacity benchmark: its arithmetic, and that its parts run and count right."""

import math

import numpy as np
import pytest

from benchmarks.capacity import engine, machine
from benchmarks.capacity.feed import FS, simulated
from benchmarks.capacity.ratios import ratio_of
from benchmarks.capacity.table import sheets

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


def test_tables_have_the_rows_of_the_report() -> None:
    row = engine.measure(FEED, None, 1, settle_s=0.0, signal_s=1.0)
    report = {"engine": [{key: getattr(row, key) for key in row.__slots__}]}
    (sheet,) = sheets(report)
    assert sheet.rows[0][0] == 1
    assert sheet.markdown().count("\n|") == 3
    assert FS == 360.0

"""Benchmarks: they run, and count what they say."""

import pytest

from benchmarks import archive, monitor
from stream.kafka import Cluster


def test_benchmark_measures_the_monitor_and_its_peer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitor, "SIGNAL_S", 4.0)
    monkeypatch.setattr(monitor, "REPEATS", 1)
    monkeypatch.setattr(monitor, "PEER_PATIENTS", 1)
    rows = monitor.measured(None, patients=(1, 3))
    assert [(row.what, row.patients) for row in rows] == [
        ("Monitor, everything", 1),
        ("Monitor, no model", 1),
        ("wfdb XQRS, QRS only", 1),
        ("Monitor, everything", 3),
        ("Monitor, no model", 3),
    ]
    for row in rows:
        assert row.times_real_time == pytest.approx(row.patients * 4.0 / row.wall_s)


@pytest.mark.slow
def test_benchmark_of_the_archive_counts_what_it_writes(embedded: Cluster) -> None:
    result = archive.measured(embedded, patients=3, seconds=2.0)
    assert result.kb_per_patient_s <= 4 * 360 / 1000
    assert result.patients_per_core == pytest.approx(1 / result.hour_cpu_s_per_patient_s)
    assert result.hour_cpu_s_per_patient_s > result.cpu_s_per_patient_s > 0

"""Benchmarks: they run, and count what they say."""

import pytest

from benchmarks import alarm, archive
from benchmarks.capacity.feed import simulated
from stream.kafka import Cluster


@pytest.mark.slow
def test_benchmark_of_the_archive_counts_what_it_writes(embedded: Cluster) -> None:
    result = archive.measured(embedded, patients=3, seconds=2.0)
    assert result.kb_per_patient_s <= 4 * 360 / 1000
    assert result.patients_per_core == pytest.approx(1 / result.hour_cpu_s_per_patient_s)
    assert result.hour_cpu_s_per_patient_s > result.cpu_s_per_patient_s > 0


@pytest.mark.slow
def test_benchmark_of_the_alarms_counts_what_was_taken_in(embedded: Cluster) -> None:
    script = alarm.worked_out(simulated(patients=2, duration_s=10), sources=2, seconds=4.0)
    result = alarm.measured(embedded, script, patients=3, sources=2)
    # a status a second of each, and beats
    assert result.messages >= 3 * 4
    assert result.held
    assert result.patients_per_core == pytest.approx(3 * 4 / result.cpu_s)

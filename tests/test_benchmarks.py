"""Benchmarks: they run, and count what they say."""

import pytest

from benchmarks import archive
from stream.kafka import Cluster


@pytest.mark.slow
def test_benchmark_of_the_archive_counts_what_it_writes(embedded: Cluster) -> None:
    result = archive.measured(embedded, patients=3, seconds=2.0)
    assert result.kb_per_patient_s <= 4 * 360 / 1000
    assert result.patients_per_core == pytest.approx(1 / result.hour_cpu_s_per_patient_s)
    assert result.hour_cpu_s_per_patient_s > result.cpu_s_per_patient_s > 0

"""The benchmark of more scorers: what it counts of a backlog, and of a change of the group."""

import pytest

from benchmarks.scaling.changes import AFTER_S, change
from benchmarks.scaling.latency import Seen
from benchmarks.scaling.scorers import PARTITIONS
from benchmarks.scaling.throughput import Progress
from stream.kafka import partition_for


def test_what_was_published_before_the_clocks_started_is_not_counted() -> None:
    progress = Progress(began_ms=1000)
    for patient, through_sample, at_ms in (
        ("a", 249, 900),
        ("a", 499, 1000),
        ("a", 999, 1500),
        ("b", 999, 1400),
    ):
        progress.take(patient, through_sample, at_ms)
    assert progress.samples == 500 + 1000
    assert progress.last_ms == 1500


def seen_of(names: list[str], heard_again: list[str]) -> Seen:
    """Return what is seen of patients before and after all partitions are taken over at 12 s."""
    seen = Seen(moved=[(12.0, partition) for partition in range(PARTITIONS)])
    # the change begins at 10 s; until a partition is taken over its patients may still be heard
    for heard_s, latency_s, patients in (
        (5.0, 0.5, names),
        (10.5, 0.5, names),
        (15.0, 4.5, heard_again),
    ):
        for patient in patients:
            seen.heard_s.append(heard_s)
            seen.latency_s.append(latency_s)
            seen.patient.append(patient)
    return seen


def test_a_patient_who_is_not_heard_after_a_change_has_waited_all_of_the_time() -> None:
    names = [f"sim-{number}" for number in range(10)]
    well = change(seen_of(names, names), "killed", at=10.0, moves=0, usual_s=0.5)
    assert (well.patients, well.held) == (10, True)
    assert well.added_p99_s == pytest.approx(4.0)
    silent = change(seen_of(names, names[:6]), "killed", at=10.0, moves=0, usual_s=0.5)
    assert silent.patients == 10
    assert silent.added_p50_s == pytest.approx(4.0)
    assert silent.added_p99_s == AFTER_S
    assert silent.held is False


def test_patients_of_partitions_that_stay_are_not_concerned() -> None:
    names = [f"sim-{number}" for number in range(10)]
    seen = seen_of(names, names)
    seen.moved = [(12.0, partition_for(names[0], PARTITIONS))]
    concerned = [name for name in names if partition_for(name, PARTITIONS) == seen.moved[0][1]]
    assert change(seen, "joins", at=10.0, moves=0, usual_s=0.5).patients == len(concerned) < 10

"""Intervals by bootstrap over patients: as wide as the patients differ, and no narrower."""

import numpy as np
from numpy.typing import NDArray

from ecg.metrics import BeatCounts
from training.bootstrap import draw, intervals


def table(*, v: int, missed: int = 0, false: int = 0) -> NDArray[np.int64]:
    """Return counts of a record with so many V found, missed and falsely called."""
    counts = np.zeros((6, 7), dtype=np.int64)
    counts[0, 0], counts[0, 2], counts[2, 2], counts[2, 6] = 100, false, v, missed
    return counts


def test_every_draw_has_as_many_patients_as_there_are() -> None:
    drawn = draw(7, replicates=100)
    assert drawn.shape == (100, 7)
    assert set(drawn.sum(axis=1).tolist()) == {7}
    assert np.array_equal(drawn, draw(7, replicates=100))
    assert not np.array_equal(drawn, draw(7, replicates=100, seed=1))


def test_intervals_hold_the_figure_and_widen_with_the_difference_of_patients() -> None:
    alike = [table(v=9, missed=1, false=1)] * 20
    apart = [table(v=18, missed=0, false=0), table(v=0, missed=2, false=2)] * 10
    for tables in (alike, apart):
        gross = sum((BeatCounts(table=one) for one in tables), BeatCounts())
        ends = intervals(tables, [str(k) for k in range(20)])
        for key in ("se", "ppv", "f1"):
            low, high = ends["beats"]["V"][key]
            value = getattr(gross.of("V"), key)
            assert low - 1e-6 <= value <= high + 1e-6
            assert (high - low > 0.02) == (tables is apart)


def test_intervals_agree_with_a_plain_loop_over_draws() -> None:
    generator = np.random.default_rng(3)
    tables = [generator.integers(1, 50, size=(6, 7)) for _ in range(6)]
    f1, accuracy, ppv = [], [], []
    for weights in draw(6, replicates=300):
        counts = BeatCounts(table=sum(w * t for w, t in zip(weights, tables, strict=True)))
        f1.append(counts.of("S").f1)
        accuracy.append(counts.accuracy)
        ppv.append(counts.qrs.ppv)
    ends = intervals(tables, list("abcdef"), replicates=300)
    for found, values in (
        (ends["beats"]["S"]["f1"], f1),
        (ends["accuracy"], accuracy),
        (ends["qrs"]["ppv"], ppv),
    ):
        assert np.allclose(found, np.quantile(np.array(values, float), [0.025, 0.975]), atol=1e-6)


def test_records_of_one_person_are_drawn_together() -> None:
    tables = [table(v=10), table(v=0, missed=10)]
    assert intervals(tables, ["201", "201"])["beats"]["V"]["se"] is None  # one patient only
    two = intervals([*tables, *tables], ["a", "a", "b", "b"])
    assert two["beats"]["V"]["se"] == [0.5, 0.5]


def test_no_interval_is_given_where_too_few_patients_have_the_class() -> None:
    ends = intervals([table(v=5), table(v=0), table(v=0)], list("abc"))
    assert ends["beats"]["V"]["se"] is None
    assert ends["beats"]["F"]["f1"] is None
    assert ends["qrs"]["se"] == [1.0, 1.0]


def test_a_class_that_nobody_named_has_no_interval_as_it_has_no_f1() -> None:
    unnamed = [table(v=0, missed=5)] * 3
    assert BeatCounts(table=np.sum(unnamed, axis=0)).of("V").f1 is None
    ends = intervals(unnamed, list("abc"))["beats"]["V"]
    assert ends == {"se": [0.0, 0.0], "ppv": None, "f1": None}

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from wfdb.processing import compare_annotations

from ecg.annotation import read_annotations
from ecg.episode_metrics import runs_of, score_episodes, score_runs
from ecg.finding import BEAT_CLASSES
from ecg.metrics import (
    NOT_JUDGED,
    BeatCounts,
    Score,
    average,
    count_beats,
    match_beats,
)
from tests import need
from training.split import DS1

W = 54
samples = st.lists(st.integers(0, 400), max_size=6).map(
    lambda values: np.array(sorted(values), dtype=np.int64)
)


def best_pairing(reference: NDArray[np.int64], test: NDArray[np.int64]) -> tuple[int, int]:
    """Most pairs and their least distance, by trying every one without crossings."""
    for n in range(min(len(reference), len(test)), 0, -1):
        costs = [
            int(np.abs(reference[list(r)] - test[list(t)]).sum())
            for r in combinations(range(len(reference)), n)
            for t in combinations(range(len(test)), n)
            if (np.abs(reference[list(r)] - test[list(t)]) <= W).all()
        ]
        if costs:
            return n, min(costs)
    return 0, 0


@given(reference=samples, test=samples)
def test_pairing_is_the_best_there_is(
    reference: NDArray[np.int64], test: NDArray[np.int64]
) -> None:
    partner = match_beats(reference, test, window=W)
    paired = np.flatnonzero(partner >= 0)
    distances = np.abs(reference[paired] - test[partner[paired]])
    assert (len(paired), int(distances.sum())) == best_pairing(reference, test)
    assert (distances <= W).all()
    assert (np.diff(partner[paired]) > 0).all()


@given(
    gaps=st.lists(st.integers(2 * W + 1, 500), min_size=1, max_size=40),
    seed=st.integers(0, 2**31),
)
def test_pairing_agrees_with_wfdb_when_beats_are_apart(gaps: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    reference = np.cumsum(gaps)
    moved = reference + rng.integers(-W, W + 1, len(reference))
    test = np.unique(np.maximum(moved[rng.random(len(moved)) < 0.8], 0))
    if not len(test):
        return
    theirs = compare_annotations(reference, test, W + 1)
    partner = match_beats(reference, test, window=W)
    assert int((partner >= 0).sum()) == theirs.tp


@pytest.mark.recordings
def test_figures_agree_with_wfdb_on_ds1_when_beats_are_lost_added_and_moved() -> None:
    directory = need.recordings("mitdb")
    rng = np.random.default_rng(20)
    for name in DS1:
        reference, classes = read_annotations(directory / name).beats()
        kept = reference[rng.random(len(reference)) < 0.97]
        added = rng.integers(0, 650_000, 20)
        # an addition that contends with a beat is settled otherwise by wfdb's greedy pairing
        free = np.abs(added[:, None] - reference[None]).min(axis=1) > 2 * W
        moved = kept + rng.integers(-20, 21, len(kept))
        test = np.unique(np.concatenate([moved, added[free]]))
        counts = count_beats(
            reference, classes, test, [NOT_JUDGED] * len(test), fs=360.0, from_s=0.0
        )
        theirs = compare_annotations(reference, test, W + 1)
        assert counts.qrs == Score(se=theirs.sensitivity, ppv=theirs.positive_predictivity), name


def test_pairing_makes_both_pairs_when_a_greedy_one_makes_one() -> None:
    assert match_beats(np.array([100, 150]), np.array([50, 101]), window=W).tolist() == [0, 1]


def test_beat_on_the_edge_of_the_window_matches_and_one_sample_later_does_not() -> None:
    assert match_beats(np.array([1000]), np.array([1054]), window=W).tolist() == [0]
    assert match_beats(np.array([1000]), np.array([1055]), window=W).tolist() == [-1]


def test_samples_that_decrease_are_refused() -> None:
    with pytest.raises(ValueError, match="reference samples must not decrease"):
        match_beats(np.array([2, 1]), np.array([1]), window=1)


def made(cells: dict[str, int]) -> BeatCounts:
    """Counts from pairs of letters: annotated (O for no beat), called (U, X for missed)."""
    table = np.zeros((6, 7), dtype=np.int64)
    for pair, n in cells.items():
        table["NSVFQO".index(pair[0]), "NSVFQUX".index(pair[1])] = n
    return BeatCounts(table=table)


def test_scores_of_classes_follow_ec57() -> None:
    counts = made(
        {"NN": 900, "NS": 10, "NV": 5, "NX": 4, "NU": 1, "SS": 40, "SN": 8, "SV": 2}
        | {"VV": 80, "VN": 6, "VS": 4, "VX": 3, "VU": 7, "FV": 20, "FN": 5, "FF": 5}
        | {"QQ": 1, "QV": 9, "QS": 3, "OV": 3, "OS": 1, "ON": 2}
    )
    assert counts.of("V") == Score(se=80 / 100, ppv=80 / (80 + 5 + 2 + 3))
    assert counts.of("S") == Score(se=40 / 50, ppv=40 / (40 + 10 + 4 + 1))
    assert counts.of("F") == Score(se=5 / 30, ppv=1.0)
    assert counts.qrs == Score(se=1106 / 1113, ppv=1106 / 1112)
    assert counts.accuracy == (900 + 40 + 80 + 5 + 1) / 1113
    assert (counts + counts).of("V") == counts.of("V")
    assert (counts + counts).annotated == 2 * 1113


def test_scores_are_none_when_there_is_nothing_to_count() -> None:
    assert BeatCounts().qrs == Score(se=None, ppv=None)
    assert BeatCounts().accuracy is None
    assert Score(se=None, ppv=1.0).f1 is None
    assert Score(se=0.0, ppv=0.0).f1 == 0.0
    assert Score(se=0.5, ppv=1.0).f1 == pytest.approx(2 / 3)
    assert average([]) == Score(se=None, ppv=None)


def test_beats_are_counted_from_the_end_of_learning_on() -> None:
    reference = np.array([10, 995, 1005, 2000])
    test = np.array([12, 1003, 1006, 1500, 2001])
    counts = count_beats(reference, list("NNVV"), test, list("NNVNS"), fs=100.0, from_s=10.0)
    # 995 with 1003 is a pair of the learning time, also where its detection lies after it
    assert counts.table.sum() == 3
    assert counts.of("V") == Score(se=0.5, ppv=1.0)
    assert counts.qrs == Score(se=1.0, ppv=2 / 3)


def test_nothing_is_scored_in_flutter_nor_at_its_borders() -> None:
    reference = np.array([100, 500, 900])
    test = np.array([101, 440, 500, 560, 612, 700, 901])
    counts = count_beats(
        reference,
        list("NVN"),
        test,
        list("NVVVVNN"),
        fs=100.0,
        from_s=0.0,
        excluded=[(450, 600)],
    )
    assert counts.qrs == Score(se=1.0, ppv=2 / 3)
    assert counts.of("V") == Score(se=None, ppv=None)


def test_beat_that_was_not_judged_is_found_but_wrong() -> None:
    beats = np.array([100, 200])
    counts = count_beats(beats, ["V", "V"], beats, ["V", NOT_JUDGED], fs=100.0, from_s=0.0)
    assert counts.qrs == Score(se=1.0, ppv=1.0)
    assert counts.of("V") == Score(se=0.5, ppv=1.0)
    assert counts.accuracy == 0.5


@pytest.mark.parametrize(("reference", "test"), [("X", "N"), ("N", "X"), ("U", "N")])
def test_unknown_classes_are_refused(reference: str, test: str) -> None:
    with pytest.raises(ValueError, match="a class must be one of"):
        count_beats(np.array([1]), [reference], np.array([1]), [test], fs=100.0)
    with pytest.raises(ValueError, match="one class"):
        count_beats(np.array([1]), [], np.array([1]), ["N"], fs=100.0)


@given(st.lists(st.sampled_from(BEAT_CLASSES), min_size=1, max_size=30))
def test_perfect_detection_scores_one_in_every_class_that_there_is(classes: list[str]) -> None:
    beats = np.arange(1, len(classes) + 1) * 300
    counts = count_beats(beats, classes, beats, classes, fs=360.0, from_s=0.0)
    assert counts.accuracy == 1.0
    for beat_class in BEAT_CLASSES:
        present = beat_class in classes
        assert counts.of(beat_class).se == (1.0 if present else None)


def test_runs_are_found_by_overlap_and_length() -> None:
    at = np.arange(20) * 100
    reference = runs_of(at, list("NVVNVVVVNNVVVVVVVNNN"), "V")
    assert [length for _, _, length in reference] == [2, 4, 7]
    test = runs_of(at, list("NVVNVVNNNNVVVVVVVNVV"), "V")
    scores = score_runs(reference, test, window=10)
    assert scores["couplet"] == Score(se=1.0, ppv=2 / 3)
    assert scores["short"] == Score(se=0.0, ppv=None)
    assert scores["long"] == Score(se=1.0, ppv=1.0)


def test_episodes_are_scored_by_overlap_and_by_duration() -> None:
    score = score_episodes([(0, 100), (200, 300), (900, 1000)], [(90, 210), (400, 440)])
    assert score.episodes == Score(se=2 / 3, ppv=1 / 2)
    assert score.duration == Score(se=20 / 300, ppv=20 / 160)


def test_episodes_that_touch_are_one() -> None:
    assert score_episodes([(0, 50), (50, 100)], [(10, 20), (15, 30), (40, 40)]).episodes == Score(
        se=1.0, ppv=1.0
    )
    assert score_episodes([], []).duration == Score(se=None, ppv=None)

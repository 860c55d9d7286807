from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from ecg.annotation import Annotations
from ecg.finding import BEAT_CLASSES
from ecg.model import ARTEFACT
from ecg.monitor import Monitor
from ecg.reader import read_record
from ecg.roster import Place
from ecg.simulator import Simulator, write_wfdb
from tests.ecg.engine import BUSY, judge
from tests.training.observed import names
from training.dataset import (
    UNLABELLED,
    class_counts,
    label,
    observe_record,
)


@pytest.mark.parametrize("fs", [128.0, 360.0])
def test_features_are_the_live_ones_bit_for_bit_when_chunks_and_model_differ(
    tmp_path: Path, fs: float
) -> None:
    write_wfdb(tmp_path, "busy", Simulator(BUSY, fs=fs, seed=5))
    taught = observe_record(tmp_path / "busy")
    live: list[tuple[int, bytes, bytes]] = []

    def observe(
        _: Place, beat: np.void, window: NDArray[np.float32], context: NDArray[np.float32]
    ) -> None:
        live.append((int(beat["sample"]), window.tobytes(), context.tobytes()))

    monitor = Monitor(judge(), on_beat=observe)
    record = read_record(tmp_path / "busy")
    for chunk in record.chunks("p1", "s1", chunk_samples=round(fs)):
        monitor.advance([chunk])
    assert len(live) > 30
    assert live == [
        (int(sample), window.tobytes(), context.tobytes())
        for sample, window, context in zip(
            taught.samples, taught.windows, taught.contexts, strict=True
        )
    ]


def marks(*marked: tuple[int, str], flutter: tuple[tuple[int, int], ...] = ()) -> Annotations:
    return Annotations(
        samples=np.array([sample for sample, _ in marked], dtype=np.int64),
        symbols=tuple(symbol for _, symbol in marked),
        rhythms=(),
        flutter=flutter,
    )


def test_detection_gets_the_class_of_the_nearest_annotation() -> None:
    found = np.array([100, 160, 500, 900])
    targets = label(found, marks((105, "N"), (530, "V"), (1000, "N")), fs=360)
    assert names(targets) == ["N", ARTEFACT, "V", ARTEFACT]


def test_detections_in_flutter_are_unlabelled_because_nobody_marked_its_beats() -> None:
    found = np.array([100, 300, 400, 600])
    annotations = marks((100, "N"), (250, "["), (450, "]"), (600, "V"), flutter=((250, 450),))
    assert names(label(found, annotations, fs=360)) == ["N", "-", "-", "V"]


def test_counts_leave_out_the_unlabelled(tmp_path: Path) -> None:
    write_wfdb(tmp_path, "busy", Simulator(BUSY, fs=250, seed=6))
    sequence = observe_record(tmp_path / "busy")
    counts = class_counts([sequence])
    assert sum(counts.values()) == int((sequence.targets != UNLABELLED).sum())
    assert counts["N"] > counts["V"] > 0
    assert set(counts) == {*BEAT_CLASSES, ARTEFACT}

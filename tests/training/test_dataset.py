from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from ecg.annotation import Annotations
from ecg.errors import RecordError
from ecg.finding import BEAT_CLASSES
from ecg.model import ARTEFACT, OUTPUTS
from ecg.monitor import Monitor
from ecg.reader import read_record
from ecg.roster import Place
from ecg.script import Step
from ecg.simulator import Simulator, write_wfdb
from tests.ecg.engine import BUSY, judge
from training.dataset import (
    UNLABELLED,
    class_counts,
    fibrillation_records,
    label,
    observe_fibrillation,
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


def names(targets: NDArray[np.int64]) -> list[str]:
    return ["-" if t == UNLABELLED else OUTPUTS[t] for t in targets]


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


def test_beats_of_the_usual_shape_are_n_when_only_fibrillation_is_known(tmp_path: Path) -> None:
    script = [Step(duration_s=60, pvc_per_min=12)]
    write_wfdb(tmp_path, "af", Simulator(script, fs=300, seed=1))
    marked, told = observe_record(tmp_path / "af"), observe_fibrillation(tmp_path / "af")
    assert np.array_equal(marked.samples, told.samples)
    assert set(names(told.targets)) == {"N", "-"}
    settled = slice(10, None)  # the template has to be learnt
    truth = np.array(names(marked.targets))[settled]
    kept = np.array(names(told.targets))[settled] == "N"
    assert not kept[truth == "V"].any()
    assert kept[truth == "N"].mean() > 0.8


def test_fibrillation_records_are_those_of_the_list(tmp_path: Path) -> None:
    (tmp_path / "REFERENCE.csv").write_text("A1,A\nA2,N\nA3,A\n", encoding="ascii")
    assert fibrillation_records(tmp_path) == ["A1", "A3"]
    with pytest.raises(RecordError, match="which records are atrial fibrillation"):
        fibrillation_records(tmp_path / "elsewhere")

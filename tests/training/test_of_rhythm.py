from pathlib import Path

import numpy as np
import pytest

from ecg.errors import RecordError
from ecg.script import Step
from ecg.simulator import Simulator, write_wfdb
from tests.training.observed import names
from training.dataset import observe_record
from training.of_rhythm import fibrillation_records, observe_fibrillation


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

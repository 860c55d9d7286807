"""What teaches the rhythm model, and what it then says of people it did not know."""

from pathlib import Path

import numpy as np
import pytest
import torch

from ecg.finding import RHYTHMS
from ecg.rhythm import N_DESCRIPTORS
from ecg.script import Step
from ecg.simulator import Simulator, write_wfdb
from training.dataset import UNLABELLED
from training.records import rhythm_records
from training.rhythm import SecondSequence, observe_organised
from training.rhythm_model import by_strangers, table_of, teach
from training.store import observe, read_seconds

VF = RHYTHMS.index("vf")


def seconds(record: str, targets: list[int]) -> SecondSequence:
    """Return a record of which nothing but the targets matters."""
    return SecondSequence(
        record=record,
        descriptors=np.zeros((len(targets), N_DESCRIPTORS), np.float32),
        targets=np.array(targets, np.int64),
    )


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Return the observed seconds of a few people with VF between beats, and of some without."""
    sick = [Step(duration_s=20), Step(duration_s=15, rhythm="vf"), Step(duration_s=10)]
    asked = []
    for k in range(4):
        folder = tmp_path / ("vfdb" if k < 2 else "svdb")
        folder.mkdir(exist_ok=True)
        script = sick if k < 2 else [Step(duration_s=40, rate_bpm=60 + 20 * k)]
        write_wfdb(folder, f"p{k}", Simulator(script, fs=250, seed=k))
        asked.append((folder / f"p{k}", "seconds" if k < 2 else "organised"))
    return observe(asked, tmp_path / "work", processes=0)  # type: ignore[arg-type]  # the kinds are literals


def test_strangers_tell_fibrillation_from_beats(files: list[Path]) -> None:
    judged = by_strangers(files, files, parts=2, steps=200, processes=0)
    assert [one.record for one, _ in judged] == ["vfdb/p0", "vfdb/p1", "svdb/p2", "svdb/p3"]
    said = np.concatenate([said for _, said in judged])
    truth = np.concatenate([one.targets for one, _ in judged])
    assert ((said == VF) == (truth == VF))[truth != UNLABELLED].mean() > 0.9


def test_the_same_seconds_teach_the_same_bits(files: list[Path]) -> None:
    first, second = (teach(files, seed=1, steps=3, processes=0) for _ in range(2))
    for name, weights in first.model.state_dict().items():
        assert np.array_equal(weights.numpy(), second.model.state_dict()[name].numpy())
    assert first.card["records"][:2] == ["vfdb/p0", "vfdb/p1"]
    assert sum(record.startswith("simulated/") for record in first.card["records"]) > 2


def test_a_fit_in_a_process_of_its_own_comes_back_whole(files: list[Path]) -> None:
    taught = teach(files, seed=0, steps=200)
    assert taught.card["vf_seconds_of_the_training_records"]["se"] > 0.9
    with torch.inference_mode():
        logits, _ = taught.model(torch.from_numpy(read_seconds(files[0]).descriptors)[None])
    assert (logits[0].argmax(dim=-1) == VF).any()


def test_what_is_organised_is_so_throughout(tmp_path: Path) -> None:
    write_wfdb(tmp_path, "p", Simulator([Step(duration_s=12)], fs=250, seed=0))
    targets = observe_organised(tmp_path / "p").targets
    assert set(targets[1:].tolist()) == {RHYTHMS.index("organised")}


def test_records_that_teach_rhythms_have_no_true_lethal_alarm_and_no_noise(tmp_path: Path) -> None:
    for folder, listed, lines in (
        ("challenge2017", "REFERENCE.csv", "a,N\nb,~\nc,A\n"),
        ("challenge2015", "ALARMS", "d,Asystole,1\ne,Asystole,0\nf,Bradycardia,1\n"),
    ):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / listed).write_text(lines)
        (tmp_path / folder / "RECORDS").write_text(
            "".join(f"{line.partition(',')[0]}\n" for line in lines.split())
        )
        for line in lines.split():
            (tmp_path / folder / f"{line[0]}.hea").touch()
    found = rhythm_records(tmp_path, ("challenge2017", "challenge2015"))
    assert [path.name for path, _ in found] == ["a", "c", "e", "f"]
    assert {kind for _, kind in found} == {"organised"}


def test_a_rhythm_between_beats_and_flutter_teaches_neither(tmp_path: Path) -> None:
    (tmp_path / "vfdb").mkdir()
    (tmp_path / "vfdb" / "RECORDS").write_text("418\n419\n")
    for name in ("418", "419"):
        (tmp_path / "vfdb" / f"{name}.hea").touch()
    assert rhythm_records(tmp_path, ("vfdb",)) == [(tmp_path / "vfdb" / "419", "seconds")]


def test_what_is_called_fibrillation_elsewhere_is_counted_and_four_in_a_row_are_an_alarm() -> None:
    organised = seconds("challenge2017/A1", [0] * 3600)
    said = np.zeros(3600, np.int64)
    said[[5, 6, 7, 8, 9, 100, 101, 102]] = VF
    sick = seconds("vfdb/1", [VF] * 10 + [0] * 1800 + [UNLABELLED] * 5)
    found = np.zeros(1815, np.int64)
    found[:7] = VF
    found[-5:] = VF
    table = table_of([(organised, said), (sick, found)], {"A1": "N"})
    assert "| challenge2017, normal rhythm | 1 | 1.0 | 0 | - | 8.0 | 1.00 |" in table
    assert "| vfdb | 1 | 0.5 | 10 | 70.0 | 0.0 | 0.00 |" in table

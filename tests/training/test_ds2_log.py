"""Every run of records that examine is noted, with made-up records under their names."""

import io
import logging
import subprocess
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console

from ecg.checkpoint import save
from ecg.errors import RecordError
from ecg.model import BeatEnsemble, BeatLSTM, BeatLSTMSize, RhythmLSTM
from ecg.script import Step
from ecg.simulator import Simulator, write_wfdb
from training.ds2_log import HERE, LOG, commit_of, log_run
from training.evaluate import run
from training.split import DS1, DS2, DS2_STRICT, PACED

HEAD = "# Log\n\n| date |\n|---|\n"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a checkout with one commit, which holds an empty log."""
    root = tmp_path / "checkout"
    (root / LOG).parent.mkdir(parents=True)
    (root / LOG).write_text(HEAD)
    (root / "code.py").write_text("1\n")
    who = ("-c", "user.name=T", "-c", "user.email=t@example.org")
    for words in (("init", "-q"), ("add", "."), (*who, "commit", "-q", "-m", "first")):
        subprocess.run(["git", "-C", str(root), *words], check=True, capture_output=True)
    return root


@pytest.fixture
def made_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return records of nobody, one of which has the name of a record of DS2."""
    monkeypatch.delenv("CI", raising=False)  # where such names are refused
    directory = tmp_path / "mitdb"
    directory.mkdir()
    for name in ("100", "101"):
        write_wfdb(directory, name, Simulator([Step(duration_s=12)], fs=250, seed=int(name)))
    return directory


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    torch.manual_seed(1)
    path = tmp_path / "w" / "m.safetensors"
    model = BeatEnsemble([BeatLSTM(BeatLSTMSize())])
    save(model, RhythmLSTM(), path, temperature=1.0)
    return path


def card(records: list[str], **more: Any) -> dict[str, Any]:
    none = {"se": None, "ppv": None, "f1": None}
    return {
        "records": records,
        "qrs": {"se": 0.9983, "ppv": 0.9976},
        "beats": {"V": {**none, "f1": 0.91}, "S": {**none, "f1": 0.5}},
        "S_without_232_219": none,
        "accuracy": 0.95,
        **more,
    }


def test_a_run_is_noted_before_its_figures_are_shown(
    checkout: Path, made_up: Path, weights: Path
) -> None:
    out = io.StringIO()
    found = run(
        made_up,
        records="101,100",
        json_file="-",
        weights=weights,
        device="cpu",
        from_s=2.0,
        why="a test | with a bar",
        checkout=checkout,
        console=Console(file=out),
    )
    text = (checkout / LOG).read_text()
    assert text.startswith(HEAD)
    (line,) = text.removeprefix(HEAD).splitlines()
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert len(cells) == 11
    assert cells[1] == commit_of(checkout)
    assert cells[2].startswith("rw-")
    assert cells[3] == "100"
    assert cells[4] == f"{100 * found['qrs']['se']:.2f} / {100 * found['qrs']['ppv']:.2f}"
    assert cells[10] == "a test / with a bar"


def test_a_run_without_records_of_ds2_is_not_noted(
    checkout: Path, made_up: Path, weights: Path
) -> None:
    run(made_up, records="101", weights=weights, device="cpu", checkout=checkout,
        console=Console(file=io.StringIO()))  # fmt: skip
    assert (checkout / LOG).read_text() == HEAD


@pytest.mark.parametrize("value", ["true", "1"])
def test_no_automatic_run_hears_records_that_examine(
    checkout: Path, made_up: Path, weights: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("CI", value)
    with pytest.raises(RecordError, match=f"100 examine and are never .* got CI={value}"):
        run(made_up, records="101,100", weights=weights, device="cpu", checkout=checkout)
    (made_up / "100.edf").touch()
    (made_up / "100.edf.atr").write_bytes((made_up / "100.atr").read_bytes())
    with pytest.raises(RecordError, match="100 examine and are never"):
        run(made_up, records="100.edf", weights=weights, device="cpu", checkout=checkout)
    assert (checkout / LOG).read_text() == HEAD
    run(made_up, records="101", weights=weights, device="cpu", checkout=checkout,
        console=Console(file=io.StringIO()))  # fmt: skip


def test_a_record_of_another_database_is_nobody_who_examines(
    checkout: Path, made_up: Path, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "true")
    other = made_up.rename(made_up.with_name("hospital"))
    run(other, records="100", weights=weights, device="cpu", checkout=checkout,
        console=Console(file=io.StringIO()))  # fmt: skip
    assert (checkout / LOG).read_text() == HEAD


def test_a_list_of_ds2_is_of_those_who_examine_whatever_the_folder_is_called(
    checkout: Path, made_up: Path, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "1")
    other = made_up.rename(made_up.with_name("hospital"))
    for name in DS2_STRICT:
        for suffix in (".hea", ".dat", ".atr"):
            there = (other / f"101{suffix}").read_bytes()
            (other / f"{name}{suffix}").write_bytes(there.replace(b"101", name.encode()))
    with pytest.raises(RecordError, match="examine and are never run automatically"):
        run(other, records="DS2-strict", weights=weights, device="cpu", checkout=checkout)


def test_a_look_at_the_detector_alone_is_noted_with_dashes_for_the_rest(checkout: Path) -> None:
    looked = {"records": ["100", "101"], "qrs": {"se": 0.9991, "ppv": 0.9992}}
    assert log_run(looked, model="none", why="", today=date(2026, 1, 2), checkout=checkout)
    assert "| none | 100 | 99.91 / 99.92 | - | - | - | - |" in (checkout / LOG).read_text()


def test_figures_that_are_not_of_ds2_alone_say_so(checkout: Path) -> None:
    for records in (DS2, (*DS1, *PACED, *DS2)):
        looked = {"records": list(records), "qrs": {"se": 0.9991, "ppv": 0.9992}}
        log_run(looked, model="none", why="", checkout=checkout)
    lines = (checkout / LOG).read_text().removeprefix(HEAD).splitlines()
    assert [line.split(" | ")[3] for line in lines] == ["all 22", "all 22 of 48"]


def test_what_ran_is_noted_before_why(checkout: Path) -> None:
    for why in ("release", ""):
        log_run(card(["100"]), model="rw-1", what="robustness", why=why, checkout=checkout)
    lines = (checkout / LOG).read_text().removeprefix(HEAD).splitlines()
    assert [line.split(" | ")[-1] for line in lines] == [
        "robustness: release |", "robustness: not said |"
    ]  # fmt: skip


def test_a_run_outside_a_checkout_says_that_it_is_not_noted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        noted = log_run(
            card(["100"]), model="rw-1", why="", today=date(2026, 1, 2), checkout=tmp_path
        )
    assert not noted
    assert "not logged" in caplog.text


def test_lines_are_added_below_each_other_with_seeds_and_the_state_of_the_code(
    checkout: Path,
) -> None:
    f1 = {"V": {"f1": 0.9}, "S": {"f1": 0.6}}
    spread = {"V": {"f1": 0.01}, "S": {"f1": 0.05}}
    clean = commit_of(checkout)
    for model, why in (("rw-1", ""), ("rw-2", "seeds")):
        assert log_run(
            card(["100"], seeds=[1, 2], seeds_mean=f1, seeds_sd=spread),
            model=model,
            why=why,
            today=date(2026, 1, 2),
            checkout=checkout,
        )
    first, second = (checkout / LOG).read_text().removeprefix(HEAD).splitlines()
    assert first.startswith(
        f"| 2026-01-02 | {clean} | rw-1 | 100 | 99.83 / 99.76 | 91.00 | 50.00 |"
    )
    assert first.endswith("| 2: V 90.00 ± 1.00, S 60.00 ± 5.00 | not said |")
    assert f"| {clean} | rw-2 |" in second  # the log itself is no change of the code
    (checkout / "code.py").write_text("2\n")
    assert commit_of(checkout) == f"{clean}+"


def test_the_log_of_this_project_ends_with_its_table() -> None:
    lines = (HERE / LOG).read_text().splitlines()
    assert lines[-1].startswith("| 20")
    head = next(line for line in lines if line.startswith("| date"))
    assert {line.count("|") for line in lines if line.startswith("|")} == {head.count("|")}

"""Searches and ablations: every row is fitted, scored on strangers, and shown."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ecg.model import OUTPUTS
from tests.training.observed import SETTINGS, SIZE, sequence, written
from training.ablation import Observed, ablate, markdown_of
from training.errors import SpaceError
from training.exam import Figures, called_other_than_n, examine
from training.ingredients import LIVE, ROWS, Row, rows_named
from training.lesson import carry_out
from training.search import markdown_of as table_of
from training.search import search
from training.space import draw, read_space
from training.store import write_beats
from training.variant import Variant


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fit in this process: others take seconds to start."""
    for module in ("search", "ablation"):
        monkeypatch.setattr(f"training.{module}.carry_out", partial(carry_out, processes=0))


def test_half_of_the_choices_pass_a_round_and_the_best_stands_first(tmp_path: Path) -> None:
    files = [*written(tmp_path, 2, database="mitdb"), *written(tmp_path, 2, database="svdb")]
    space: dict[str, list[Any]] = {
        "learning_rate": [1e-5, 1e-2],
        "hidden": [8],
        "beat": [8],
        "conv": [[4, 4, 4]],
    }
    told: list[tuple[int, int, int]] = []
    rows = search(
        files,
        tmp_path,
        space,
        settings=SETTINGS,
        trials=5,
        halvings=1,
        folds=2,
        seeds=2,
        progress=lambda *news: told.append(news),
    )
    assert [row.epochs for row in rows] == [2, 1]
    assert all(len(row.scores) == 2 for row in rows)
    assert told[-1] == (1, 12, 12)
    table = table_of(rows)
    assert "svdb -> DS1: S" in table
    assert len(table.splitlines()) == 4


def test_spaces_are_read_and_wrong_ones_refused(tmp_path: Path) -> None:
    (tmp_path / "space.toml").write_text("dropout = [0.1]\n", encoding="utf-8")
    space = read_space([str(tmp_path / "space.toml"), "hidden = [32, 48]"])
    assert space == {"dropout": [0.1], "hidden": [32, 48]}
    assert len(draw(read_space([]), 6, seed=0)) == 6
    assert draw(read_space([]), 6, seed=1) == draw(read_space([]), 6, seed=1)
    with pytest.raises(SpaceError, match="no setting 'epochs' can be searched; these can: batch"):
        read_space(["epochs = [1]"])
    with pytest.raises(SpaceError, match="dropout needs a list"):
        read_space(["dropout = 0.1"])
    with pytest.raises(SpaceError, match="a space is a TOML file or text"):
        read_space(["nowhere.toml"])


def test_every_row_of_the_table_is_fitted_and_shown(tmp_path: Path) -> None:
    files = {
        peaks: (
            *written(tmp_path / peaks, 2, database="mitdb"),
            *written(tmp_path / peaks, 2, database="svdb"),
        )
        for peaks in ("detected", "annotated")
    }
    observed = Observed(detected=files["detected"], annotated=files["annotated"])
    results = ablate(observed, tmp_path, SETTINGS, size=SIZE)
    table = markdown_of(results)
    assert "| F1, % | DS1: V | DS1: S | svdb: V | svdb: S |" in table
    assert all(f"| {row.name} |" in table for row in ROWS)
    without_svdb = next(
        line for line in table.splitlines() if line.startswith("| (c) without svdb")
    )
    assert without_svdb.endswith("|  |  |")


def test_rows_are_named_by_a_part_of_their_names() -> None:
    assert rows_named([]) == ROWS
    assert [row.name for row in rows_named(["causal: live", "logistic"])] == [ROWS[1].name, LIVE]
    with pytest.raises(ValueError, match=r"no row of the table has 'quantum' .* `PlainLSTM`"):
        rows_named(["live", "quantum"])


def test_other_records_examine_in_place_of_folds_when_asked(tmp_path: Path) -> None:
    taught = tuple(written(tmp_path / "taught", 2, database="mitdb"))
    other = tuple(written(tmp_path / "other", 3, database="mitdb"))
    (result,) = ablate(
        Observed(detected=taught, annotated=taught),
        tmp_path,
        SETTINGS,
        seeds=2,
        ds2=Observed(detected=other, annotated=other),
        rows=[Row(name="linear", variant=Variant(network="linear"))],
    )
    assert list(result.f1) == [
        f"{column}: {name}" for column in ("DS2", "DS2 without 219, 232") for name in ("V", "S")
    ]
    assert len(result.f1["DS2: V"]) == 2


def test_no_beat_is_s_in_atrial_fibrillation_unless_the_rule_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / "observed" / "mitdb" / "0-0.npy"
    fibrillation = np.where(np.arange(80) < 40, 1.0, 0.0).astype(np.float32)
    beats = replace(
        sequence("mitdb/0", seed=0),
        fibrillation=fibrillation,
        targets=np.full(80, OUTPUTS.index("S"), np.int64),
    )
    write_beats(file, beats)
    sure = np.zeros((80, len(OUTPUTS)), np.float32)
    sure[:, OUTPUTS.index("S")] = 9.0
    assert examine([sure], [file])["S"] == Figures(hits=40, said=40, true=80)
    assert examine([sure], [file], gate=False)["S"] == Figures(hits=80, said=80, true=80)


def test_variants_do_not_see_what_they_are_not_to_see() -> None:
    seen = Variant(blank=("post RR", "no beat after")).seen()
    assert seen.count(False) == 2
    assert Variant(keep=("pre RR", "post RR")).seen().count(True) == 3
    assert all(Variant().seen())


def test_missed_beats_count_and_fusion_called_v_does_not(tmp_path: Path) -> None:
    (found,) = written(tmp_path, 1)
    v, f = OUTPUTS.index("V"), OUTPUTS.index("F")
    rows = np.load(found)
    rows["targets"][:4] = [v, v, f, 0]
    rows["targets"][4:] = 0
    np.save(found, rows[:3])
    marked = tmp_path / "marked" / "0-0.npy"
    marked.parent.mkdir()
    rows["targets"][4] = v  # not among those found
    np.save(marked, rows)
    logits = np.eye(len(OUTPUTS), dtype=np.float32)[[v, 0, v]]
    figures = examine([logits], [found], [marked])["V"]
    assert (figures.hits, figures.said, figures.true) == (1, 1, 3)
    assert figures.f1 == pytest.approx(0.5)
    assert called_other_than_n([logits]) == pytest.approx(2 / 3)


@pytest.mark.parametrize("name", ["V", "S"])
def test_what_nobody_could_classify_is_neither_right_nor_wrong(tmp_path: Path, name: str) -> None:
    (found,) = written(tmp_path, 1)
    rows = np.load(found)
    called, q = OUTPUTS.index(name), OUTPUTS.index("Q")
    rows["targets"][:3] = [called, q, 0]
    np.save(found, rows[:3])
    logits = np.eye(len(OUTPUTS), dtype=np.float32)[[called, called, called]]
    figures = examine([logits], [found])[name]
    assert (figures.hits, figures.said, figures.true) == (1, 2, 1)

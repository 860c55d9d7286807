from pathlib import Path

import numpy as np
import pytest

from ecg.script import Step
from ecg.simulator import Simulator, write_wfdb
from tests.training.observed import noises
from training.annotated import observe_annotated
from training.dataset import BeatSequence, observe_record
from training.errors import ProcessDiedError
from training.store import observe, place, read_beats, read_seconds, record_of, source_key

SCRIPT = [Step(duration_s=40, pvc_per_min=10)]


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("data") / "made"
    where.mkdir()
    write_wfdb(where, "a", Simulator(SCRIPT, fs=250, seed=1))
    return where / "a"


def same(a: BeatSequence, b: BeatSequence) -> bool:
    return a.record == b.record and all(
        np.array_equal(getattr(a, name), getattr(b, name))
        for name in ("samples", "windows", "contexts", "targets")
    )


def test_what_is_kept_is_what_was_observed_and_is_not_observed_again(
    record: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[str, int, int]] = []
    asked = [(record, "detected"), (record, "seconds")]
    files = observe(asked, tmp_path, processes=0, progress=lambda *news: told.append(news))  # type: ignore[arg-type]  # the kinds are literals
    assert told[0] == ("kept", 0, 2)
    assert sorted(told[1:]) == [("made/a", 1, 2), ("made/a", 2, 2)]
    kept = read_beats(files[0])
    assert same(kept, observe_record(record))
    assert isinstance(kept.windows.base, np.memmap)
    assert len(read_seconds(files[1]).targets) == 39
    assert record_of(files[1]) == "made/a"

    def never(*_: object, **__: object) -> None:
        raise ProcessDiedError

    monkeypatch.setattr("training.store._observe", never)
    assert observe(asked, tmp_path, processes=0) == files  # type: ignore[arg-type]  # likewise
    assert not list(tmp_path.rglob("*.part"))


def test_another_file_is_asked_for_when_record_or_source_change(
    record: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for suffix in (".hea", ".dat", ".atr"):
        (tmp_path / f"a{suffix}").write_bytes(record.with_suffix(suffix).read_bytes())
    before = place(tmp_path / "a", "detected", tmp_path)
    assert source_key("detected") in before.parts
    assert source_key("seconds") != source_key("detected") == source_key("unmarked")
    assert place(tmp_path / "a", "unmarked", tmp_path) != before
    (tmp_path / "a.atr").write_bytes(b"")
    assert place(tmp_path / "a", "detected", tmp_path) != before
    monkeypatch.setattr("training.store.version", lambda _: "9.9")
    source_key.cache_clear()
    assert place(tmp_path / "a", "detected", tmp_path) != before
    source_key.cache_clear()
    noisy = place(record, "noisy", tmp_path)
    noises(record.parent.parent)
    assert place(record, "noisy", tmp_path) != noisy
    with pytest.raises(FileNotFoundError, match="no record"):
        place(tmp_path / "nobody", "detected", tmp_path)


def test_annotated_beats_look_like_detected_ones_at_the_same_place(record: Path) -> None:
    detected, marked = observe_record(record), observe_annotated(record)
    # the filters are still settling over the first beats, and one may be missed there
    nearest = np.abs(detected.samples[:, None] - marked.samples[None]).argmin(axis=1)
    off = detected.samples - marked.samples[nearest]
    assert abs(off).max() <= 10
    likeness = [
        np.corrcoef(a.ravel(), b.ravel())[0, 1]
        for a, b in zip(detected.windows[5:, :2], marked.windows[nearest][5:, :2], strict=True)
    ]
    assert np.median(likeness) > 0.9
    assert np.array_equal(detected.targets[5:], marked.targets[nearest][5:])
    assert abs(detected.contexts[5:, 2] - marked.contexts[nearest][5:, 2]).max() < 0.1

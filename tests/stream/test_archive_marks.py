"""Findings in the archive: in the record of their samples, whatever happens in between."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import wfdb

from ecg.finding import Beat, RhythmWindow, Status
from stream.archive_store import Store
from stream.messages import FindingsMessage
from tests.stream.written import written
from tests.waveforms import FS, cut, noise, waveform


def findings(
    n: int, *, patient: str = "p1", stream: str = "s1", first: int = 0
) -> Iterator[FindingsMessage]:
    """Yield a message a second: a beat, a status, a window each."""
    second = round(FS)
    for end in range(first + second, first + n * second + 1, second):
        yield FindingsMessage(
            epoch=1,
            patient=patient,
            stream=stream,
            fs=FS,
            after_sample=end - second,
            through_sample=end,
            beats=(Beat(sample=end - 100, decided_sample=end, beat_class="V", lead="II"),),
            windows=(
                RhythmWindow(
                    first_sample=end - second,
                    end_sample=end,
                    decided_sample=end,
                    rhythm="vf" if end > 3 * second else "organised",
                ),
            ),
            statuses=(
                Status(
                    sample=end,
                    decided_sample=end,
                    last_r=None,
                    heart_rate_bpm=None,
                    fit=True,
                    reason=None,
                    warm_up=False,
                    model=None,
                    leads=(),
                ),
            ),
        )


@pytest.mark.usefixtures("short_hours")
def test_findings_go_to_the_record_that_holds_their_samples(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for message in cut("p1", noise(25)):
        store.take(message)
    assert all(store.mark(one) for one in findings(25))
    store.flush()
    for first, n_beats in ((0, 10), (2500, 10), (5000, 5)):
        found = wfdb.rdann(str(tmp_path / "p1" / f"s1_{first:012}"), "rw")
        assert found.symbol.count("V") == n_beats
        assert found.sample[found.symbol.index("V")] == 150
        assert found.symbol[0] == "+"
        assert found.aux_note[0] == ("(ORG" if first == 0 else "(VFIB")
    assert store.counts["unplaced"] == 0


def test_findings_wait_for_their_samples_until_none_can_come(tmp_path: Path) -> None:
    store = Store(tmp_path)
    (one,) = findings(1)
    assert not store.mark(one)
    assert store.mark(one, final=True)
    assert store.counts["unplaced"] == 3
    store.take(waveform("p1", noise(1)))
    assert store.mark(one)


def test_damaged_marks_keep_no_samples_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = Store(tmp_path)
    store.take(waveform("p1", noise(3)))
    first, *rest = findings(3)
    store.mark(first)
    store.flush()
    file = tmp_path / "p1" / "s1_000000000000.rw"
    damaged = file.read_bytes()[:-5]
    file.write_bytes(damaged)
    store = Store(tmp_path)
    assert store.take(waveform("p1", noise(1), first_sample=750)) == "next"
    assert all(store.mark(one) for one in rest)
    store.flush()
    assert wfdb.rdheader(str(file.with_suffix(""))).sig_len == 1000
    assert file.read_bytes() == damaged
    assert caplog.text.count(f"{file} is damaged") == 1


@pytest.mark.usefixtures("short_hours")
def test_marks_are_the_same_whatever_the_restarts(tmp_path: Path) -> None:
    waveforms, said = list(cut("p1", noise(25), chunk=250)), list(findings(25))
    for name, every in (("a", 100), ("b", 3)):
        for start in range(0, 25, every):
            store = Store(tmp_path / name)
            again = slice(max(0, start - 5), start + every)
            for message in waveforms[again]:
                store.take(message)
            for one in said[again]:
                assert store.mark(one)
            store.flush()
    assert written(tmp_path / "a") == written(tmp_path / "b")


@pytest.mark.usefixtures("short_hours")
def test_killed_at_any_write_it_loses_and_doubles_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waveforms, said = list(cut("p1", noise(25), chunk=250)), list(findings(25))
    right = tmp_path / "right"
    store = Store(right)
    for message, one in zip(waveforms, said, strict=True):
        store.take(message)
        store.mark(one)
    store.flush()

    class Killed(BaseException):
        pass

    import os

    steps = np.random.default_rng(4)
    root = tmp_path / "killed"
    committed = position = 0
    left = 0
    fsync, rename = os.fsync, os.replace

    def step(real: object) -> object:
        def act(*given: object) -> object:
            nonlocal left
            left -= 1
            if left < 0:
                raise Killed
            return real(*given)  # type: ignore[operator]  # one of the two

        return act

    kills = 0
    while committed < 25:
        store, left = Store(root), int(steps.integers(14))
        position = min(25, committed + int(steps.integers(1, 9)))
        with monkeypatch.context() as patched:
            patched.setattr("os.fsync", step(fsync))
            patched.setattr("os.replace", step(rename))
            try:
                for message, one in zip(
                    waveforms[committed:position], said[committed:position], strict=True
                ):
                    store.take(message)
                    store.mark(one)
                store.flush()
            except Killed:
                kills += 1
            else:
                committed = position
    assert kills > 5
    left_over = {name for name in written(root) if "new" in name}
    assert {n: b for n, b in written(root).items() if n not in left_over} == written(right)

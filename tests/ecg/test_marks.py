"""Annotations of what the monitor said: symbols, changes, and reading them again."""

from pathlib import Path

import pytest
import wfdb

from ecg.annotation import CLASS_OF_SYMBOL, read_annotations
from ecg.errors import RecordError
from ecg.finding import BEAT_CLASSES, Beat, RhythmWindow, Status
from ecg.marks import EXTENSION, Marks, symbol_of


def beat(sample: int, beat_class: str | None = "N", reason: str | None = None) -> Beat:
    return Beat(
        sample=sample,
        decided_sample=sample + 10,
        beat_class=beat_class,  # type: ignore[arg-type]  # the tests write them as text
        reason=reason,
        lead="II",
    )


def window(sample: int, rhythm: str | None) -> RhythmWindow:
    return RhythmWindow(
        first_sample=sample,
        end_sample=sample + 250,
        decided_sample=sample + 250,
        rhythm=rhythm,  # type: ignore[arg-type]  # the rhythms are literals
    )


def status(sample: int, *, fit: bool = True) -> Status:
    return Status(
        sample=sample,
        decided_sample=sample,
        last_r=None,
        heart_rate_bpm=None,
        fit=fit,
        reason=None if fit else "noisy",
        warm_up=False,
        model=None,
        leads=(),
    )


def everything(marks: Marks) -> None:
    for sample, beat_class in zip((100, 300, 500, 700, 900), BEAT_CLASSES, strict=True):
        marks.take_beat(beat(sample, beat_class))
    marks.take_beat(beat(1100, None, "warm-up"))
    marks.take_beat(beat(1300, None, "unfit: noisy"))
    for sample, rhythm in ((0, "organised"), (250, "organised"), (500, "vf"), (750, None)):
        marks.take_window(window(sample, rhythm))
    marks.take_status(status(250), fs=250.0)
    marks.take_status(status(500, fit=False), fs=250.0)


def test_wfdb_reads_what_was_said(tmp_path: Path) -> None:
    marks = Marks()
    everything(marks)
    marks.write(tmp_path, "a", fs=250.0)
    found = wfdb.rdann(str(tmp_path / "a"), EXTENSION)
    said = list(
        zip(
            found.sample.tolist(), found.symbol, found.subtype.tolist(), found.aux_note, strict=True
        )
    )
    assert said == [
        (0, "+", 0, "(ORG"),
        (1, "~", 0, "fit"),
        (100, "N", 0, ""),
        (250, "~", 0x30, "unfit: noisy"),
        (300, "S", 0, ""),
        (500, "V", 0, ""),
        (501, "+", 0, "(VFIB"),
        (700, "F", 0, ""),
        (750, "+", 0, "(UNK"),
        (900, "Q", 0, ""),
        (1100, "?", 0, "warm-up"),
        (1300, "Q", 0, "unfit: noisy"),
    ]
    assert found.fs == 250


def test_our_own_reader_takes_beats_and_rhythms(tmp_path: Path) -> None:
    marks = Marks()
    everything(marks)
    marks.write(tmp_path, "a", fs=250.0)
    found = read_annotations(tmp_path / "a", n_samples=2000, extension=EXTENSION)
    assert "".join(found.beats()[1]) == "NSVFQQQ"
    assert [one.rhythm for one in found.rhythms] == ["ORG", "VFIB", "UNK"]


def test_the_same_said_again_changes_nothing(tmp_path: Path) -> None:
    marks = Marks()
    everything(marks)
    marks.write(tmp_path, "a", fs=250.0)
    written = (tmp_path / "a.rw").read_bytes()
    again = Marks.read(tmp_path, "a")
    everything(again)
    assert not again.changed
    again.write(tmp_path, "a", fs=250.0)
    assert (tmp_path / "a.rw").read_bytes() == written


def test_what_comes_after_a_restart_is_added(tmp_path: Path) -> None:
    whole, first = Marks(), Marks()
    everything(whole)
    everything(first)
    first.write(tmp_path, "a", fs=250.0)
    second = Marks.read(tmp_path, "a")
    for marks in (whole, second):
        marks.take_beat(beat(1500, "V"))
        marks.take_window(window(1000, None))
        marks.take_window(window(1250, "asystole"))
    assert second.in_order() == whole.in_order()


def test_positions_are_the_records_own() -> None:
    marks = Marks()
    marks.take_beat(beat(1000, None, "no model"), first_sample=900)
    marks.take_window(window(1000, "vf"), first_sample=900)
    marks.take_status(status(1250), fs=250.0, first_sample=900)
    assert [one[0] for one in marks.in_order()] == [100, 101, 102]
    assert marks.notes == {100: "no model"}


def test_every_symbol_is_a_beat_of_its_class() -> None:
    for beat_class in BEAT_CLASSES:
        assert CLASS_OF_SYMBOL[symbol_of(beat_class)] == beat_class
    for reason in ("warm-up", "no model", "unfit: flat"):
        assert CLASS_OF_SYMBOL[symbol_of(None, reason)] == "Q"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"## time", b"#! time"),  # wfdb's reader never returns from this one
        (b"warm-up", b"warm\xffup"),
        (b"\x00\x00", b"\x00\x00\x00"),
        (b"\x00\x00", b""),
        (b"\x00\x00", b"\x01\xc4\x00\x00"),  # no annotation has this code
        (b"\x00\x00", b"\x00\xec\xff\xff\xff\xff\x01\x04\x00\x00"),  # back in time
    ],
)
def test_damaged_file_is_named(tmp_path: Path, old: bytes, new: bytes) -> None:
    marks = Marks()
    everything(marks)
    marks.write(tmp_path, "a", fs=250.0)
    file = tmp_path / "a.rw"
    head, found, rest = file.read_bytes().rpartition(old)
    assert found
    file.write_bytes(head + new + rest)
    with pytest.raises(RecordError, match=r"a\.rw is damaged"):
        Marks.read(tmp_path, "a")


def test_nothing_to_write_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="nothing to write"):
        Marks().write(tmp_path, "a", fs=250.0)

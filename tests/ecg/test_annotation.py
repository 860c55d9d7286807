from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import wfdb

from ecg.annotation import (
    CLASS_OF_SYMBOL,
    VF_RHYTHMS,
    Annotations,
    RhythmStretch,
    class_of,
    read_annotations,
    rhythm_of,
)
from ecg.errors import RecordError
from ecg.finding import BEAT_CLASSES
from tests import need
from training.hearing import annotated
from training.split import DS1, PACED


def write(
    tmp_path: Path, marks: list[tuple[int, str, str]], name: str = "made", extension: str = "atr"
) -> Path:
    samples, symbols, notes = zip(*marks, strict=True)
    wfdb.wrann(
        name,
        extension,
        np.array(samples),
        symbol=list(symbols),
        aux_note=list(notes),
        fs=250,
        write_dir=str(tmp_path),
    )
    return tmp_path / name


def test_every_wfdb_symbol_has_one_class_or_is_no_beat() -> None:
    table = wfdb.io.annotation.ann_label_table
    assert set(table.symbol) == set(CLASS_OF_SYMBOL)
    assert {c for c in CLASS_OF_SYMBOL.values() if c is not None} == set(BEAT_CLASSES)


def test_symbols_that_wfdb_calls_beats_have_a_class_and_the_others_have_none() -> None:
    # wfdb's own list of beat codes; it has the flutter wave, which EC57 scores as no beat
    is_qrs = wfdb.io.annotation.is_qrs
    table = wfdb.io.annotation.ann_label_table
    for code, symbol in zip(table.label_store, table.symbol, strict=True):
        is_beat = is_qrs[code] and symbol != "!"
        assert (class_of(symbol) is not None) == is_beat, symbol


@pytest.mark.parametrize(
    ("note", "rhythm"),
    [
        ("(VF", "VFIB"),
        ("(VFIB\x00", "VFIB"),
        ("(N", "N"),
        ("(NSR", "N"),
        ("(VFL", "VFL"),
        ("(AFIB\x00", "AFIB"),
        ("(NEWLY", "NEWLY"),
        ("TS\x00", None),
        ("", None),
    ],
)
def test_rhythm_label_has_one_name_however_it_is_written(note: str, rhythm: str | None) -> None:
    assert rhythm_of(note) == rhythm


def test_file_reads_back_as_beats_rhythms_and_flutter_when_written(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        [
            (10, "+", "(N"),
            (50, "N", ""),
            (300, "V", ""),
            (400, "+", "(VFL"),
            (401, "[", ""),
            (500, "!", ""),
            (600, "]", ""),
            (700, "+", "(NSR"),
            (750, "/", ""),
            (800, "~", ""),
        ],
    )
    found = read_annotations(path, n_samples=1000)
    samples, classes = found.beats()
    assert samples.tolist() == [50, 300, 750]
    assert classes.tolist() == ["N", "V", "Q"]
    assert found.flutter == ((401, 601),)
    assert found.rhythms == (
        RhythmStretch(rhythm="N", first_sample=10, end_sample=400),
        RhythmStretch(rhythm="VFL", first_sample=400, end_sample=700),
        RhythmStretch(rhythm="N", first_sample=700, end_sample=1000),
    )
    assert [s.rhythm in VF_RHYTHMS for s in found.rhythms] == [False, True, False]


def test_flutter_goes_to_the_end_when_it_is_never_closed(tmp_path: Path) -> None:
    path = write(tmp_path, [(5, "[", ""), (100, "N", "")])
    assert read_annotations(path, n_samples=400).flutter == ((5, 400),)
    assert read_annotations(path).flutter == ((5, 101),)


BEATS_S = np.array([0.5, 1.25, 2.0, 301.0])


def marked_at(tmp_path: Path, fs: float) -> Path:
    """Write a normal beat at each of ``BEATS_S``, and a rhythm, in a file of this resolution."""
    times = np.rint(np.array([0.1, *BEATS_S]) * fs).astype(int)
    symbols, notes = ["+", *"NNNN"], ["(N", "", "", "", ""]
    wfdb.wrann("made", "atr", times, symbol=symbols, aux_note=notes, fs=fs, write_dir=str(tmp_path))
    return tmp_path / "made"


def test_beats_are_where_the_record_has_them_when_the_file_counts_finer(tmp_path: Path) -> None:
    path = marked_at(tmp_path, 1000)
    found = read_annotations(path, fs=360, n_samples=360 * 400)
    assert found.beats()[0].tolist() == np.rint(BEATS_S * 360).tolist()
    assert found.rhythms == (RhythmStretch(rhythm="N", first_sample=36, end_sample=360 * 400),)
    # without a rate they stand in the file's own resolution
    assert read_annotations(path).beats()[0].tolist() == (BEATS_S * 1000).tolist()


def test_beats_are_where_the_record_has_them_when_a_lead_has_two_samples_a_frame(
    tmp_path: Path,
) -> None:
    n_frames = 125 * 400
    wfdb.wrsamp(
        "made",
        fs=125,
        units=["mV", "NU"],
        sig_name=["II", "RESP"],
        e_p_signal=[np.sin(np.arange(2 * n_frames) / 40), np.sin(np.arange(n_frames) / 80)],
        fmt=["16", "16"],
        samps_per_frame=[2, 1],
        write_dir=str(tmp_path),
    )
    # in frames, which the file does not say
    times = np.rint(BEATS_S * 125).astype(int)
    wfdb.wrann("made", "atr", times, symbol=["N"] * len(times), write_dir=str(tmp_path))
    record, found = annotated(tmp_path / "made")
    assert record.fs == 250
    assert found.beats()[0].tolist() == (2 * times).tolist()


def test_absent_file_is_named_when_read(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"nobody\.atr"):
        read_annotations(tmp_path / "nobody")


@pytest.mark.parametrize(
    "content",
    [
        b"\xff" * 7,
        b"this is text" * 9,
        bytes(range(256)) * 5,
        b"\x0a\x04" + 2 * b"\x02\xfc(N" + b"\0\0",  # one beat with two notes
    ],
    ids=["odd", "text", "bytes", "notes"],
)
def test_file_that_holds_no_annotations_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad.atr").write_bytes(content)
    with pytest.raises(RecordError, match=r"bad\.atr|order of their samples"):
        read_annotations(tmp_path / "bad")


def test_annotations_that_contradict_themselves_are_refused() -> None:
    with pytest.raises(RecordError, match="one symbol an annotation"):
        Annotations(samples=np.array([1, 2]), symbols=("N",), rhythms=(), flutter=())
    with pytest.raises(RecordError, match="in the order"):
        Annotations(samples=np.array([2, 1]), symbols=("N", "N"), rhythms=(), flutter=())


def count(records: tuple[str, ...]) -> list[int]:
    directory = need.recordings("mitdb")
    total: Counter[str] = Counter()
    for name in records:
        total.update(read_annotations(directory / name).beats()[1].tolist())
    return [total[c] for c in BEAT_CLASSES]


@pytest.mark.recordings
def test_beats_of_ds1_are_as_many_as_published() -> None:
    assert count(DS1) == [45866, 944, 3788, 415, 8]


@pytest.mark.recordings
def test_paced_records_hold_what_all_48_have_beyond_ds1_and_ds2() -> None:
    # published totals of the 48 records less those of the two halves
    assert count(PACED) == [506, 0, 227, 0, 8028]


@pytest.mark.recordings
def test_flutter_of_207_is_found_when_read() -> None:
    found = read_annotations(need.recordings("mitdb") / "207", n_samples=650_000)
    assert len(found.flutter) == 6
    assert {s.rhythm for s in found.rhythms if s.rhythm in VF_RHYTHMS} == {"VFL"}

"""The archive on disk: where samples go, and that nothing is lost or there twice."""

import os
from collections.abc import Sequence
from errno import EACCES
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import wfdb
from numpy.typing import NDArray

from ecg.chunk import MISSING
from ecg.reader import record_names
from stream.archive_directory import prepare, safe_name
from stream.archive_store import Store
from stream.errors import ArchiveError
from stream.messages import Signal, Waveform
from tests.stream.written import written
from tests.waveforms import SIGNALS, START_NS, cut, noise, waveform

MIXED = (
    Signal(name="II", kind="ecg", unit="mV", gain=200.0, baseline=1024),
    Signal(name="PLETH", kind="ppg", unit="NU", gain=1023.5, baseline=0),
    Signal(name="ABP", kind="abp", unit="mmHg", gain=10.0, baseline=-5),
    Signal(name="RESP", kind="resp", unit="", gain=4.0, baseline=0),
)


def archived(root: Path, patient: str = "p1") -> dict[str, NDArray[np.int64]]:
    """Return the samples of each record of a patient as wfdb reads them, checksums checked."""
    directory = root / safe_name(patient)
    found = {}
    for name in record_names(directory):
        record = wfdb.rdrecord(str(directory / name), physical=False)
        assert record.calc_checksum() == [value & 0xFFFF for value in record.checksum]
        found[name.rpartition("_")[2].lstrip("0") or "0"] = record.d_signal
    return found


def keep(root: Path, messages: Sequence[Waveform]) -> list[str]:
    store = Store(root)
    orders = [store.take(message) for message in messages]
    store.flush()
    return orders


def test_samples_come_back_as_they_were_sent(tmp_path: Path) -> None:
    samples = np.hstack([noise(7, seed=seed) for seed in range(4)])
    samples[100:200, 2] = MISSING
    keep(tmp_path, list(cut("p1", samples, signals=MIXED)))
    assert np.array_equal(archived(tmp_path)["0"], samples)
    record = wfdb.rdrecord(str(tmp_path / "p1" / "s1_000000000000"))
    assert record.sig_name == ["II", "PLETH", "ABP", "RESP"]
    assert record.units == ["mV", "NU", "mmHg", "NU"]
    assert record.adc_gain == [200.0, 1023.5, 10.0, 4.0]
    assert record.baseline == [1024, 0, -5, 0]
    assert np.isnan(record.p_signal[100:200, 2]).all()
    assert record.base_datetime.timestamp() is not None
    assert record.base_datetime.isoformat() == "2023-11-14T22:13:20"


@pytest.mark.usefixtures("short_hours")
def test_record_ends_with_the_hour_by_sample_number(tmp_path: Path) -> None:
    samples = noise(25)
    keep(tmp_path, list(cut("p1", samples)))
    found = archived(tmp_path)
    assert {first: len(rows) for first, rows in found.items()} == {
        "0": 2500,
        "2500": 2500,
        "5000": 1250,
    }
    assert np.array_equal(np.vstack(list(found.values())), samples)
    second = wfdb.rdheader(str(tmp_path / "p1" / "s1_000000002500"))
    assert (second.base_counter, second.base_datetime.isoformat()) == (2500, "2023-11-14T22:13:30")


@pytest.mark.usefixtures("short_hours")
@pytest.mark.parametrize("fs", [250.0, 1000 / 3])
def test_files_are_the_same_whatever_the_chunks_and_restarts(tmp_path: Path, fs: float) -> None:
    samples = noise(25)
    for name, chunk, every in (("a", 63, 1000), ("b", 250, 1), ("c", 7, 50)):
        messages = list(cut("p1", samples, chunk=chunk, fs=fs))
        for start in range(0, len(messages), every):
            # each time a new process, that reads the last messages of the one before again
            keep(tmp_path / name, messages[max(0, start - 3) : start + every])
    assert written(tmp_path / "a") == written(tmp_path / "b") == written(tmp_path / "c")


def test_short_gap_is_missing_samples(tmp_path: Path) -> None:
    samples = noise(10)
    messages = list(cut("p1", samples))
    orders = keep(tmp_path, [*messages[:5], *messages[9:]])
    assert orders[5] == "gap"
    expected = samples.copy()
    expected[5 * 63 : 9 * 63] = MISSING
    assert np.array_equal(archived(tmp_path)["0"], expected)


def test_long_gap_begins_a_record(tmp_path: Path) -> None:
    samples = noise(2)
    later = 10**12
    keep(tmp_path, [waveform("p1", samples), waveform("p1", samples, first_sample=later)])
    assert {k: len(v) for k, v in archived(tmp_path).items()} == {"0": 500, str(later): 500}


def test_filling_never_takes_much_memory(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for first in (0, 5_999_999):  # not a minute at 100 kHz
        assert store.take(waveform("p1", noise(1), first_sample=first, fs=100_000.0)) != "refused"
    assert store.buffered_bytes == 2 * 2 * 250
    assert store.counts["records"] == 2


def test_splice_begins_a_record_and_says_so(tmp_path: Path) -> None:
    samples = noise(4)
    second = waveform("p1", samples[500:], first_sample=500)
    keep(
        tmp_path,
        [waveform("p1", samples[:500]), msgspec.structs.replace(second, discontinuity=True)],
    )
    assert np.array_equal(np.vstack(list(archived(tmp_path).values())), samples)
    header = wfdb.rdheader(str(tmp_path / "p1" / "s1_000000000500"))
    assert any(comment.startswith("discontinuity") for comment in header.comments)


@pytest.mark.parametrize("what", ["signals", "fs"])
def test_other_signals_begin_a_record(tmp_path: Path, what: str) -> None:
    samples = noise(4)
    change = {"fs": 500.0} if what == "fs" else {"signals": [replace_gain(SIGNALS[0])]}
    second = waveform("p1", samples[500:], first_sample=500, **change)
    keep(tmp_path, [waveform("p1", samples[:500]), second])
    assert list(archived(tmp_path)) == ["0", "500"]


def replace_gain(signal: Signal) -> Signal:
    return msgspec.structs.replace(signal, gain=signal.gain * 2)


def test_streams_of_a_patient_are_records_of_their_own(tmp_path: Path) -> None:
    one, other = noise(3, seed=1), noise(3, seed=2)
    mixed = [
        m for pair in zip(cut("p1", one), cut("p1", other, stream="s2"), strict=True) for m in pair
    ]
    keep(tmp_path, mixed)
    for stream, samples in (("s1", one), ("s2", other)):
        record = wfdb.rdrecord(str(tmp_path / "p1" / f"{stream}_000000000000"), physical=False)
        assert np.array_equal(record.d_signal, samples)


def test_repeat_is_dropped_and_overlap_cut(tmp_path: Path) -> None:
    samples = noise(4)
    orders = keep(
        tmp_path,
        [
            waveform("p1", samples[:300]),
            waveform("p1", samples[:300]),
            waveform("p1", samples[200:1000], first_sample=200),
            waveform("p1", samples[100:200], first_sample=100),
        ],
    )
    assert orders == ["next", "repeat", "overlap", "repeat"]
    assert np.array_equal(archived(tmp_path)["0"], samples)


def test_what_no_header_can_state_is_refused(tmp_path: Path) -> None:
    endless = msgspec.structs.replace(SIGNALS[0], gain=float("inf"))
    messages = [waveform("p1", noise(1), signals=[endless]), waveform("p1", noise(1), fs=1e-5)]
    assert keep(tmp_path, messages) == ["refused", "refused"]
    assert written(tmp_path) == {}


def test_index_lists_patients_and_their_records(tmp_path: Path) -> None:
    keep(tmp_path, [waveform(p, noise(1), stream=s) for p in ("a.b", "c") for s in ("s1", "s2")])
    assert (tmp_path / "RECORDS").read_text() == "a_2eb/\nc/\n"
    assert (tmp_path / "c" / "RECORDS").read_text() == "s1_000000000000\ns2_000000000000\n"


def test_folder_that_nobody_may_enter_keeps_nobody_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lost+found").mkdir()
    stat = os.stat

    def closed(path: os.PathLike[str] | str, **how: Any) -> os.stat_result:
        if "lost+found/" in os.fspath(path):  # root may enter all folders, others not this one
            raise PermissionError(EACCES, "Permission denied", path)
        return stat(path, **how)

    monkeypatch.setattr("os.stat", closed)
    keep(tmp_path, [waveform("p1", noise(1))])
    assert (tmp_path / "RECORDS").read_text() == "p1/\n"


def test_patient_may_be_called_like_the_index(tmp_path: Path) -> None:
    keep(tmp_path, [waveform(patient, noise(1)) for patient in ("good", "RECORDS")])
    assert (tmp_path / "RECORDS").read_text() == "_52ECORDS/\ngood/\n"
    assert len(archived(tmp_path, "RECORDS")["0"]) == len(archived(tmp_path, "good")["0"]) == 250


def test_list_of_a_database_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "RECORDS").write_text("100\n101\n")
    with pytest.raises(ArchiveError, match="did not write"):
        prepare(tmp_path)
    (tmp_path / "RECORDS").unlink()
    keep(tmp_path, [waveform("p1", noise(1))])
    prepare(tmp_path)


def test_index_is_mended_after_a_crash(tmp_path: Path) -> None:
    messages = list(cut("p1", noise(2)))
    keep(tmp_path, messages[:4])
    (tmp_path / "p1" / "RECORDS").write_text("")
    keep(tmp_path, messages[4:])
    assert (tmp_path / "p1" / "RECORDS").read_text() == "s1_000000000000\n"


def test_forgotten_patients_are_written_by_others(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for patient in ("a", "b"):
        store.take(waveform(patient, noise(1)))
    store.forget(lambda patient: patient == "a")
    assert store.buffered_bytes == 500
    store.flush()
    assert (tmp_path / "RECORDS").read_text() == "a/\n"


def test_idle_streams_are_forgotten_and_found_again(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.take(waveform("p1", noise(1)), now_s=0.0)
    store.flush(now_s=1e6)
    assert len(store) == 0
    assert store.take(waveform("p1", noise(1))) == "repeat"


def test_start_times_follow_the_source_clock(tmp_path: Path) -> None:
    late = msgspec.structs.replace(waveform("p1", noise(1)), source_ns=START_NS + 1_234_000_000)
    keep(tmp_path, [late])
    header = wfdb.rdheader(str(tmp_path / "p1" / "s1_000000000000"))
    assert header.base_datetime.isoformat() == "2023-11-14T22:13:21.234000"
    assert f"first sample: 0 of the stream, at {START_NS + 1_234_000_000} ns UTC" in header.comments


def _spoil(root: Path, how: str) -> Path:
    """Damage a file of p1's record, or put one there that the archive would not write."""
    header = root / "p1" / "s1_000000000000.hea"
    damaged: dict[str, bytes] = {
        "empty": b"",
        "a word": b"nonsense\n",
        "zeros": bytes(300),
        "no ASCII": b"\xff\xfe\n",
        "cut": header.read_bytes()[:60],
        "no rate": header.read_bytes().replace(b"250", b"nan"),
    }
    if how == "no samples":
        header.with_suffix(".dat").unlink()
    else:
        header.write_bytes(damaged[how])
    return header


@pytest.mark.parametrize(
    "how",
    ["empty", "a word", "zeros", "no ASCII", "cut", "no rate", "no samples"],
)
def test_damaged_record_keeps_nobody_else_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    keep(tmp_path, [waveform("p1", noise(1))])
    spoilt = _spoil(tmp_path, how)
    store = Store(tmp_path)
    for first in (250, 500):
        assert store.take(waveform("p1", noise(1), first_sample=first)) == "damaged"
        assert store.take(waveform("p2", noise(1), first_sample=first)) == "next"
        store.flush()
    assert len(archived(tmp_path, "p2")["250"]) == 500
    assert caplog.text.count("patient p1 is passed over") == 1
    assert str(spoilt.with_suffix("")) in caplog.text
    assert "move the record away" in caplog.text
    spoilt.rename(tmp_path / "away.hea")
    assert store.take(waveform("p1", noise(1), first_sample=750)) == "next"
    store.flush()
    assert len(archived(tmp_path)["750"]) == 250


def test_strange_names_keep_nobody_back(tmp_path: Path) -> None:
    keep(tmp_path, [waveform("p1", noise(1))])
    for name in ("Müller.hea", "s1_².hea"):
        (tmp_path / "p1" / name).write_text("")
    (tmp_path / "Müller").mkdir()
    (tmp_path / "Müller" / "RECORDS").write_text("")
    keep(tmp_path, [waveform(patient, noise(1), stream="s2") for patient in ("p1", "p2")])
    assert (tmp_path / "RECORDS").read_text() == "p1/\np2/\n"
    assert (tmp_path / "p1" / "RECORDS").read_text() == "s1_000000000000\ns2_000000000000\n"

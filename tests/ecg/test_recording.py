"""Records that grow: what wfdb reads of them, and what a crash leaves."""

from pathlib import Path

import numpy as np
import pytest
import wfdb
from numpy.typing import NDArray

from ecg.errors import RecordError
from ecg.reader import read_record
from ecg.recording import Column, Recording

COLUMNS = (
    Column(name="II", kind="ecg", unit="mV", gain=200.5, baseline=-1024),
    Column(name="a b", kind="ppg", unit="", gain=1 / 3, baseline=7),
)


def begun(directory: Path, **change: object) -> Recording:
    given: dict[str, object] = {
        "directory": directory,
        "name": "s-1_000000000000",
        "fs": 360.0,
        "columns": COLUMNS,
        "first_sample": 1296000,
        "start_ns": 1_700_000_000_123_456_789,
        "comments": ("patient: p1",),
        **change,
    }
    return Recording(**given)  # type: ignore[arg-type]  # as the tests name them


def samples(n: int, *, seed: int = 0) -> NDArray[np.int16]:
    generator = np.random.default_rng(seed)
    return generator.integers(-32768, 32768, (n, 2)).astype("<i2")


def on_disk(directory: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in directory.iterdir()}


def test_wfdb_reads_the_same_samples_and_header(tmp_path: Path) -> None:
    rows = samples(1000)
    recording = begun(tmp_path)
    for start in range(0, 1000, 90):
        recording.append(rows[start : start + 90].tobytes())
        recording.save()
    found = wfdb.rdrecord(str(tmp_path / recording.name), physical=False)
    assert np.array_equal(found.d_signal, rows)
    assert found.calc_checksum() == [value & 0xFFFF for value in found.checksum]
    assert (found.fs, found.sig_len, found.base_counter) == (360, 1000, 1296000)
    assert found.base_datetime.isoformat() == "2023-11-14T22:13:20.123000"
    assert found.sig_name == ["II", "a b"]
    assert found.units == ["mV", "NU"]
    assert found.adc_gain == [200.5, 1 / 3]
    assert found.baseline == [-1024, 7]
    assert found.init_value == rows[0].tolist()
    assert found.comments[0] == "patient: p1"


def test_missing_samples_are_wfdbs_invalid_value(tmp_path: Path) -> None:
    rows = samples(10)
    rows[3, 0] = np.iinfo(np.int16).min
    recording = begun(tmp_path)
    recording.append(rows.tobytes())
    recording.save()
    physical = wfdb.rdrecord(str(tmp_path / recording.name)).p_signal
    assert np.isnan(physical[3, 0])
    assert read_record(tmp_path / recording.name).samples[3, 0] == np.iinfo(np.int16).min


def test_opened_again_it_goes_on_as_if_it_had_not_been_closed(tmp_path: Path) -> None:
    rows = samples(500)
    for directory, stops in ((tmp_path / "one", ()), (tmp_path / "many", (100, 101, 400))):
        directory.mkdir()
        recording = begun(directory, fs=127.98772)
        before = 0
        for stop in (*stops, 500):
            recording.append(rows[before:stop].tobytes())
            recording.save()
            recording = Recording.open(directory, recording.name)
            before = stop
        assert recording.columns == COLUMNS
        assert recording.end_sample == 1296000 + 500
    assert on_disk(tmp_path / "one") == on_disk(tmp_path / "many")


def test_samples_of_a_save_that_was_cut_off_are_removed(tmp_path: Path) -> None:
    recording = begun(tmp_path)
    recording.append(samples(100).tobytes())
    recording.save()
    before = on_disk(tmp_path)
    with (tmp_path / f"{recording.name}.dat").open("ab") as data:
        data.write(b"half a row and more")
    again = Recording.open(tmp_path, recording.name)
    assert again.n_samples == 100
    assert on_disk(tmp_path) == before


@pytest.mark.parametrize("cut", ["full disk", "no rename"])
def test_failed_save_leaves_the_record_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cut: str
) -> None:
    recording = begun(tmp_path)
    recording.append(samples(100).tobytes())
    recording.save()

    def fail(*given: object) -> None:
        raise OSError(28, "No space left on device")

    recording.append(samples(50, seed=1).tobytes())
    with monkeypatch.context() as patched:
        patched.setattr("os.fsync" if cut == "full disk" else "os.replace", fail)
        with pytest.raises(OSError, match="No space"):
            recording.save()
    assert Recording.open(tmp_path, recording.name).n_samples == 100
    recording.save()
    found = wfdb.rdrecord(str(tmp_path / recording.name), physical=False)
    assert np.array_equal(found.d_signal[100:], samples(50, seed=1))


@pytest.mark.parametrize(
    ("unit", "written"),
    [("µV", "uV"), ("mmHg", "mmHg"), ("", "NU"), ("beats per s", "beats_per_s"), ("°C", "C")],
)
def test_units_are_what_a_header_can_hold(unit: str, written: str) -> None:
    assert Column(name="x", kind="abp", unit=unit, gain=1.0, baseline=0).unit == written


def test_a_name_cannot_break_out_of_its_line(tmp_path: Path) -> None:
    column = Column(name="II\n# II 999", kind="ecg", unit="mV", gain=1.0, baseline=0)
    recording = begun(tmp_path, columns=(column, COLUMNS[1]), comments=("a\nb",))
    recording.append(samples(2).tobytes())
    recording.save()
    assert wfdb.rdheader(str(tmp_path / recording.name)).sig_name[0] == "II # II 999"
    assert len((tmp_path / f"{recording.name}.hea").read_text().splitlines()) == 5


def test_strange_header_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.hea").write_text("nonsense\n")
    with pytest.raises(RecordError, match=r"x\.hea is not as the archive writes it"):
        Recording.open(tmp_path, "x")


def test_short_data_is_named(tmp_path: Path) -> None:
    recording = begun(tmp_path)
    recording.append(samples(100).tobytes())
    recording.save()
    (tmp_path / f"{recording.name}.dat").write_bytes(b"1234")
    with pytest.raises(RecordError, match="must hold 400 bytes"):
        Recording.open(tmp_path, recording.name)

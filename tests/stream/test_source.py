import re
from pathlib import Path

import numpy as np
import pytest
import wfdb
from numpy.typing import NDArray

from ecg.errors import RecordError
from ecg.record import OtherSignal, Record
from stream.errors import SettingsError
from stream.messages import Signal
from stream.source import (
    Source,
    demo_source,
    read_sources,
    record_source,
    simulated_sources,
    sources_of,
)
from tests import need

LEAD = Signal(name="II", kind="ecg", unit="mV", gain=200.0, baseline=0)


def counting_source(n_samples: int, *, fs: float = 100.0, patient: str = "p1") -> Source:
    """A lead whose value is its own sample number."""
    samples: NDArray[np.int16] = np.arange(n_samples, dtype=np.int16)[:, np.newaxis]
    return Source(patient=patient, label="test", fs=fs, signals=(LEAD,), samples=samples)


@pytest.mark.parametrize("patient", ["", "a b", "-x", "x" * 65, "naïve", "p1\n"])
def test_patient_is_refused_when_the_id_cannot_be_a_key(patient: str) -> None:
    with pytest.raises(SettingsError, match="a patient id is"):
        counting_source(100, patient=patient)


def test_source_is_refused_when_shorter_than_the_shortest_chunk() -> None:
    with pytest.raises(SettingsError, match="at least 50 ms"):
        counting_source(4)


def test_demo_source_is_five_minutes_of_208() -> None:
    source = demo_source()
    assert (source.fs, source.n_samples, source.duration_s) == (360.0, 108_000, 300.0)
    assert source.signals[0].name == "MLII"
    assert re.search("training record", source.label)


@pytest.mark.recordings
def test_demo_source_equals_the_recording_sample_by_sample() -> None:
    packed = np.fromfile(need.recordings("mitdb") / Path("208.dat"), dtype=np.uint8)
    triples = packed.reshape(-1, 3).astype(np.int16)
    first = triples[:, 0] + ((triples[:, 1] & 0x0F) << 8)  # format 212: two 12-bit values
    mlii = np.where(first > 2047, first - 4096, first) - 1024
    at = 422_820  # 19:34.5
    np.testing.assert_array_equal(demo_source().samples[:, 0], mlii[at : at + 108_000])


def record_with(others: tuple[OtherSignal, ...]) -> Record:
    samples = np.arange(1000, dtype=np.int16).reshape(500, 2)
    return Record(
        name="r1",
        fs=250.0,
        leads=("II", "V1"),
        samples=samples,
        gain=(200.0, 100.0),
        baseline=(1024, 0),
        others=others,
    )


def test_record_is_sent_as_it_is_with_the_other_signals_of_its_rate() -> None:
    pulse = np.arange(500, dtype=np.int16)
    record = record_with(
        tuple(
            OtherSignal(
                name=name, kind="ppg", unit="NU", fs=fs, samples=pulse, gain=10.0, baseline=3
            )
            for name, fs in (("PLETH", 250.0), ("SLOW", 125.0))
        )
    )
    source = record_source(record, patient="p1", label="test")
    assert [(s.name, s.kind, s.gain, s.baseline) for s in source.signals] == [
        ("II", "ecg", 200.0, 1024),
        ("V1", "ecg", 100.0, 0),
        ("PLETH", "ppg", 10.0, 3),
    ]
    np.testing.assert_array_equal(source.samples, np.column_stack([record.samples, pulse]))


def write_record(directory: Path, name: str) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    wfdb.wrsamp(
        name,
        fs=360,
        units=["mV"],
        sig_name=["MLII"],
        d_signal=np.arange(720, dtype=np.int64)[:, np.newaxis],
        fmt=["16"],
        adc_gain=[200.0],
        baseline=[0],
        write_dir=str(directory),
    )


def test_directory_gives_a_patient_for_each_record_although_one_is_damaged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    directory = tmp_path / "mydb"
    write_record(directory, "100")
    write_record(directory, "101")
    (directory / "102.hea").write_text("this is not WFDB\n")
    sources = read_sources(directory)
    assert [s.patient for s in sources] == ["mydb-100", "mydb-101"]
    assert sources[0].label == "mydb 100, recording"
    np.testing.assert_array_equal(sources[0].samples[:, 0], np.arange(720))
    assert "102" in caplog.text


def test_record_is_a_patient_of_the_given_name(tmp_path: Path) -> None:
    write_record(tmp_path, "100")
    assert [s.patient for s in read_sources(tmp_path / "100", patient="bed-1")] == ["bed-1"]


def test_directory_is_refused_when_one_patient_is_named_for_all_its_records(
    tmp_path: Path,
) -> None:
    with pytest.raises(SettingsError, match="names one record"):
        read_sources(tmp_path, patient="bed-1")


def test_directory_is_refused_when_no_record_of_it_can_be_read(tmp_path: Path) -> None:
    (tmp_path / "1.hea").write_text("nothing\n")
    with pytest.raises(RecordError, match="none of the 1 records"):
        read_sources(tmp_path)


def test_names_are_records_here_or_under_the_data_setting_or_the_demo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    write_record(tmp_path / "here" / "mine", "1")
    write_record(tmp_path / "data" / "mitdb", "100")
    found = sources_of(["demo", "mine/1", "mitdb/100"], data=tmp_path / "data")
    assert [source.patient for source in found] == ["demo-208", "mine-1", "mitdb-100"]


def test_one_patient_is_refused_for_several_records(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="one record, but 2"):
        sources_of(["demo", "100"], data=tmp_path, patient="bed-1")


def test_simulated_patients_differ_and_say_that_they_are_simulated() -> None:
    first, second = simulated_sources(2)
    assert (first.patient, second.patient) == ("sim-1", "sim-2")
    assert {first.label, second.label} == {"SIMULATED"}
    assert first.duration_s == pytest.approx(150, abs=1)
    assert not np.array_equal(first.samples, second.samples)


def test_thousands_of_simulated_patients_share_their_samples() -> None:
    sources = simulated_sources(17)
    assert len({s.patient for s in sources}) == 17
    assert sources[16].samples is sources[0].samples


def test_simulation_is_refused_when_nobody_is_simulated() -> None:
    with pytest.raises(SettingsError, match="at least one patient"):
        simulated_sources(0)

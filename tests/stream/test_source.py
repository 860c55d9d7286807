import os
import re
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import wfdb
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ecg.errors import RecordError
from ecg.record import OtherSignal, Record
from stream.errors import SettingsError
from stream.messages import PatientMessage, Signal
from stream.source import Source
from stream.sources import (
    demo_source,
    read_sources,
    record_source,
    simulated_sources,
    sources_of,
)
from stream.wire import decode, decode_waveform, encode, encode_waveform
from tests import need
from tests.waveforms import waveform

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


LONG_NAME = "x" * 65
REFUSED = {
    "too many signals": {"signals": (LEAD,) * 17, "samples": np.zeros((100, 17), np.int16)},
    "long name": {"signals": (msgspec.structs.replace(LEAD, name=LONG_NAME),)},
    "no name": {"signals": (msgspec.structs.replace(LEAD, name=""),)},
    "long unit": {"signals": (msgspec.structs.replace(LEAD, unit="x" * 17),)},
    "gain 0": {"signals": (msgspec.structs.replace(LEAD, gain=0.0),)},
    "large baseline": {"signals": (msgspec.structs.replace(LEAD, baseline=2**31),)},
    "huge baseline": {"signals": (msgspec.structs.replace(LEAD, baseline=2**70),)},
    "long label": {"label": "x" * 201},
    "no text": {"label": "\udcff"},
}


@pytest.mark.parametrize("change", REFUSED.values(), ids=REFUSED.keys())
def test_source_is_refused_when_readers_would_refuse_it(change: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match="p1 cannot be sent"):
        replace(counting_source(100), **change)


@given(
    name=st.text(max_size=70),
    unit=st.text(max_size=18),
    gain=st.floats(),
    baseline=st.integers(-(2**33), 2**33),
    n_signals=st.integers(0, 18),
    label=st.text(max_size=210),
)
def test_what_a_source_takes_is_read_as_it_was_sent(
    name: str, unit: str, gain: float, baseline: int, n_signals: int, label: str
) -> None:
    signal = Signal(name=name, kind="ecg", unit=unit, gain=gain, baseline=baseline)
    try:
        source = Source(
            patient="p1",
            label=label,
            fs=100.0,
            signals=(signal,) * n_signals,
            samples=np.zeros((100, n_signals), np.int16),
        )
    except SettingsError:
        return
    sent = waveform("p1", source.samples, signals=source.signals)
    assert decode_waveform(encode_waveform(sent)) == sent
    entry = PatientMessage(patient="p1", label=source.label)
    assert decode(encode(entry), PatientMessage) == entry


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


def write_record(directory: Path, name: str, *, n_signals: int = 1) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    wfdb.wrsamp(
        name,
        fs=360,
        units=["mV"] * n_signals,
        sig_name=["MLII", *(f"L{i}" for i in range(1, n_signals))],
        d_signal=np.repeat(np.arange(720, dtype=np.int64)[:, np.newaxis], n_signals, axis=1),
        fmt=["16"] * n_signals,
        adc_gain=[200.0] * n_signals,
        baseline=[0] * n_signals,
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


def test_record_that_cannot_be_sent_is_left_out_by_name(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_record(tmp_path / "db", "good")
    write_record(tmp_path / "db", "wide", n_signals=17)
    assert [source.patient for source in read_sources(tmp_path / "db")] == ["db-good"]
    assert "record wide left out" in caplog.text


def test_folder_may_be_called_as_it_pleases(tmp_path: Path) -> None:
    for folder in ("x" * 250, os.fsdecode(b"\xff\xfe")):
        write_record(tmp_path / folder, "100")
        (source,) = read_sources(tmp_path / folder)
        assert len(source.label) <= 200


def test_no_further_record_is_read_once_that_is_wanted(tmp_path: Path) -> None:
    write_record(tmp_path, "100")
    stop = threading.Event()
    assert len(read_sources(tmp_path, stop=stop)) == 1
    stop.set()
    assert read_sources(tmp_path, stop=stop) == []


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

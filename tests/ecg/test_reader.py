"""Recordings of other people, read as their files say or refused with a reason."""

from pathlib import Path

import numpy as np
import pytest
import wfdb
from numpy.typing import NDArray

from ecg.chunk import MISSING
from ecg.errors import LeadError, RateError, RecordError
from ecg.reader import RESCALED_GAIN, read_record, record_names
from tests import need
from tests.edf import write_edf


def write(
    directory: Path,
    name: str = "made",
    *,
    digital: NDArray[np.int64] | None = None,
    fs: float = 250,
    units: tuple[str, ...] = ("mV", "mV"),
    leads: tuple[str, ...] = ("II", "V1"),
    fmt: str = "16",
    gain: float = 200.0,
    baseline: int = 0,
) -> Path:
    if digital is None:
        digital = np.arange(1000 * len(leads), dtype=np.int64).reshape(-1, len(leads)) % 700
    wfdb.wrsamp(
        name,
        fs=fs,
        units=list(units),
        sig_name=list(leads),
        d_signal=digital,
        fmt=[fmt] * len(leads),
        adc_gain=[gain] * len(leads),
        baseline=[baseline] * len(leads),
        write_dir=str(directory),
    )
    return directory / name


def test_digital_values_are_kept_exactly_when_they_fit(tmp_path: Path) -> None:
    digital = np.array([[-700, 3], [5, 32767], [0, -32767]])
    record = read_record(write(tmp_path, digital=digital, baseline=7))
    assert record.samples.tolist() == digital.tolist()
    assert (record.gain, record.baseline, record.leads) == ((200.0,) * 2, (7, 7), ("II", "V1"))
    assert record.millivolts()[0] == pytest.approx([-707 / 200, -4 / 200])


@pytest.mark.parametrize(
    ("fmt", "invalid"), [("16", -(1 << 15)), ("212", -(1 << 11)), ("80", -128)]
)
def test_samples_are_missing_when_the_format_says_invalid(
    tmp_path: Path, fmt: str, invalid: int
) -> None:
    digital = np.array([[1, 2], [invalid, 4], [5, invalid], [7, 8]])
    record = read_record(write(tmp_path, digital=digital, fmt=fmt))
    assert record.samples.tolist() == [[1, 2], [MISSING, 4], [5, MISSING], [7, 8]]
    assert np.isnan(record.millivolts()).sum() == 2


def test_wide_values_are_rescaled_to_millivolts_when_they_do_not_fit(tmp_path: Path) -> None:
    digital = np.array([[1_000_000, 0], [-(1 << 31), 5000], [-500_000, -5000]])
    record = read_record(write(tmp_path, digital=digital, fmt="32", gain=1e6))
    assert record.gain == (RESCALED_GAIN, 1e6)
    assert record.samples[:, 0].tolist() == [1000, MISSING, -500]
    assert record.samples[:, 1].tolist() == [0, 5000, -5000]


@pytest.mark.parametrize(("unit", "mv"), [("uV", 1e-3), ("V", 1e3), ("mV", 1.0)])
def test_values_are_millivolts_whatever_the_unit(tmp_path: Path, unit: str, mv: float) -> None:
    gain = 2.0 / mv if unit == "V" else 2.0
    digital = np.array([[20, 4], [-20, 8], [3, 0]])
    if unit == "V":
        gain = 2000.0
    record = read_record(
        write(tmp_path, digital=digital, units=(unit, unit), gain=gain, baseline=2)
    )
    assert record.millivolts() == pytest.approx((digital - 2) / gain * mv, abs=0.5 / record.gain[0])


def test_gain_shrinks_when_volts_do_not_fit_at_the_usual_gain(tmp_path: Path) -> None:
    digital = np.array([[100, 1], [-100, 0]])
    record = read_record(write(tmp_path, digital=digital, units=("V", "V"), gain=1000.0))
    assert record.samples.max() == 32767
    assert record.millivolts()[:, 0] == pytest.approx([100.0, -100.0])


def test_signals_that_are_no_ecg_are_kept_apart(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        digital=np.arange(400).reshape(-1, 5),
        leads=("II", "PLETH", "ABP", "RESP", "EEG C4-A1"),
        units=("mV", "NU", "mmHg", "NU", "mV"),
    )
    record = read_record(path)
    assert record.leads == ("II",)
    assert [(s.name, s.kind, s.unit) for s in record.others] == [
        ("PLETH", "ppg", "NU"),
        ("ABP", "abp", "mmHg"),
        ("RESP", "resp", "NU"),
    ]
    assert record.others[0].samples[:2].tolist() == [1, 6]


def test_leads_keep_their_own_rate_when_frames_hold_several_samples(tmp_path: Path) -> None:
    wfdb.wrsamp(
        "frames",
        fs=125,
        units=["mV", "NU"],
        sig_name=["II", "RESP"],
        e_d_signal=[np.arange(400) % 99, np.arange(200) % 77],
        samps_per_frame=[2, 1],
        fmt=["16", "16"],
        adc_gain=[200.0, 200.0],
        baseline=[0, 0],
        write_dir=str(tmp_path),
    )
    record = read_record(tmp_path / "frames")
    assert (record.fs, record.n_samples, record.others[0].fs) == (250.0, 400, 125.0)


def test_only_the_wanted_leads_are_kept_in_their_order(tmp_path: Path) -> None:
    record = read_record(write(tmp_path), leads=("V1",))
    assert (record.leads, record.samples.shape) == (("V1",), (1000, 1))
    with pytest.raises(LeadError, match="no lead 'V6'"):
        read_record(tmp_path / "made.hea", leads=("V6",))


@pytest.mark.parametrize("fs", [50, 1024])
def test_rate_is_refused_when_the_engine_does_not_accept_it(tmp_path: Path, fs: float) -> None:
    with pytest.raises(RateError, match=f"100 to 1000 Hz, got {fs} Hz"):
        read_record(write(tmp_path, fs=fs))


def test_record_without_ecg_names_what_it_has(tmp_path: Path) -> None:
    path = write(tmp_path, leads=("ABP", "RESP"), units=("mmHg", "NU"))
    with pytest.raises(LeadError, match=r"no ECG lead .* only ABP \(mmHg\), RESP \(NU\)"):
        read_record(path)


def test_absent_record_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"there is no nobody\.hea"):
        read_record(tmp_path / "nobody")


def test_record_without_its_data_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path)
    path.with_suffix(".dat").unlink()
    with pytest.raises(RecordError, match=r"incomplete: .*made\.dat"):
        read_record(path)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "hello\nworld is\n",
        "made x 250 5\n",
        "made 0 250 100\n",
        "\x89PNG\r\n\x1a\n",
        "made 3 250",
    ],
    ids=["empty", "text", "number", "no signal", "image", "fewer lines"],
)
def test_file_that_is_no_header_is_refused(tmp_path: Path, header: str) -> None:
    path = write(tmp_path)
    path.with_suffix(".hea").write_text(header)
    with pytest.raises(RecordError, match="made"):
        read_record(path)


def test_header_is_refused_when_it_disagrees_with_the_data(tmp_path: Path) -> None:
    path = write(tmp_path)
    data = path.with_suffix(".dat")
    content = data.read_bytes()
    data.write_bytes(content[:-4])
    with pytest.raises(RecordError, match="header disagrees with its data"):
        read_record(path)
    data.write_bytes(content + b"\x00\x00\x00\x00")
    with pytest.raises(RecordError, match="longer than its header says"):
        read_record(path)
    data.write_bytes(b"\x09" + content[1:])
    with pytest.raises(RecordError, match="checksum of signal 0"):
        read_record(path)


def test_header_without_sums_and_with_a_wrong_first_value_is_read(tmp_path: Path) -> None:
    # so are the headers of PhysioNet's challenge of 2017
    path = write(tmp_path)
    header = path.with_suffix(".hea")
    lines = [line.split() for line in header.read_text().splitlines()]
    for fields in lines[1:]:
        fields[5:7] = ["99", "0"]
    header.write_text("\n".join(" ".join(fields) for fields in lines) + "\n")
    assert read_record(path).samples[0].tolist() == [0, 1]


def test_signal_with_a_skew_is_read_where_it_belongs(tmp_path: Path) -> None:
    path = write(tmp_path, digital=np.array([[10 * k, k] for k in range(1, 9)]))
    header = path.with_suffix(".hea")
    header.write_text(header.read_text().replace("made.dat 16 ", "made.dat 16:3 ", 1))
    samples = read_record(path).samples
    assert samples[:, 0].tolist() == [40, 50, 60, 70, 80, MISSING, MISSING, MISSING]
    assert samples[:, 1].tolist() == [1, 2, 3, 4, 5, 6, 7, 8]


def test_segments_of_different_gain_are_read_as_one_record(tmp_path: Path) -> None:
    write(tmp_path, "one", digital=np.array([[200, 0]] * 100), gain=200.0)
    write(tmp_path, "two", digital=np.array([[100, 0]] * 50), gain=100.0)
    (tmp_path / "both.hea").write_text("both/4 2 250 170\nlayout 0\none 100\n~ 20\ntwo 50\n")
    (tmp_path / "layout.hea").write_text(
        "layout 2 250 0\n~ 0 200/mV 16 0 0 0 0 II\n~ 0 200/mV 16 0 0 0 0 V1\n"
    )
    record = read_record(tmp_path / "both")
    assert record.millivolts()[:, 0].round(3).tolist()[99:121:20] == pytest.approx(
        [1.0, np.nan], nan_ok=True
    )
    assert record.samples[[0, 110, 169], 0].tolist() == [1000, MISSING, 1000]


def test_edf_is_read_in_millivolts(tmp_path: Path) -> None:
    wave = (np.arange(1000) % 200 * 100).astype(np.int16)
    record = read_record(write_edf(tmp_path / "holter.edf", [wave, -wave], ("ECG I", "ECG II")))
    assert (record.name, record.fs, record.leads) == ("holter", 250.0, ("ECG I", "ECG II"))
    assert record.millivolts()[:, 0] == pytest.approx(wave * (20 / 65535), abs=0.001)
    assert record_names(tmp_path) == ("holter.edf",)


def test_edf_that_cannot_be_trusted_is_refused(tmp_path: Path) -> None:
    fast, slow = np.zeros(1000, dtype=np.int16), np.zeros(4, dtype=np.int16)
    with pytest.raises(RecordError, match="several rates"):
        read_record(write_edf(tmp_path / "mixed.edf", [fast, slow], ("ECG", "Temp")))
    plus = write_edf(
        tmp_path / "plus.edf", [fast, np.zeros(120, np.int16)], ("ECG", "EDF Annotations")
    )
    plus.write_bytes(plus.read_bytes()[:192] + b"EDF+C" + plus.read_bytes()[197:])
    with pytest.raises(RecordError, match=r"several rates.*\(ECG, EDF Annotations\)"):
        read_record(plus)
    plus.write_bytes(plus.read_bytes()[:300])
    with pytest.raises(RecordError, match="cannot be read as EDF"):
        read_record(plus)
    (tmp_path / "text.edf").write_text("not at all")
    with pytest.raises(RecordError, match="is not EDF"):
        read_record(tmp_path / "text.edf")
    with pytest.raises(RecordError, match="no such file"):
        read_record(tmp_path / "absent.edf")


def test_records_are_listed_by_the_list_or_else_by_their_headers(tmp_path: Path) -> None:
    write(tmp_path, "b")
    write(tmp_path, "a")
    assert record_names(tmp_path) == ("a", "b")
    (tmp_path / "RECORDS").write_text("b\nelsewhere\n")
    assert record_names(tmp_path) == ("b",)


def test_directory_without_records_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="holds no WFDB record"):
        record_names(tmp_path)
    with pytest.raises(RecordError, match="is no directory"):
        record_names(tmp_path / "absent")


@pytest.mark.recordings
@pytest.mark.parametrize(
    ("record", "leads", "fs"),
    [
        ("mitdb/114", ("V5", "MLII"), 360.0),
        ("svdb/800", ("ECG1", "ECG2"), 128.0),
        ("nstdb/118e06", ("MLII", "V1"), 360.0),
        ("challenge2015/a103l", ("II", "V"), 250.0),
        ("challenge2017/A00004", ("ECG",), 300.0),
    ],
)
def test_recordings_read_as_their_headers_say(
    record: str, leads: tuple[str, ...], fs: float
) -> None:
    database, name = record.split("/")
    found = read_record(need.recordings(database) / name)
    assert (found.leads, found.fs) == (leads, fs)
    assert not (found.samples == MISSING).any()

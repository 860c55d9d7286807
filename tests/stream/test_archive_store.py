"""The archive on disk: where samples go, and that nothing is lost or there twice."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import numpy as np
import pytest
import wfdb
from numpy.typing import NDArray

from ecg.chunk import MISSING
from ecg.finding import Beat, RhythmWindow, Status
from ecg.reader import record_names
from stream import archive_store
from stream.archive_directory import safe_name
from stream.archive_store import Store
from stream.messages import FindingsMessage, Signal, Waveform
from tests.waveforms import FS, SIGNALS, START_NS, cut, noise, waveform

MIXED = (
    Signal(name="II", kind="ecg", unit="mV", gain=200.0, baseline=1024),
    Signal(name="PLETH", kind="ppg", unit="NU", gain=1023.5, baseline=0),
    Signal(name="ABP", kind="abp", unit="mmHg", gain=10.0, baseline=-5),
    Signal(name="RESP", kind="resp", unit="", gain=4.0, baseline=0),
)


@pytest.fixture
def short_hours(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a record be ten seconds."""
    monkeypatch.setattr(archive_store, "RECORD_S", 10.0)


def archived(root: Path, patient: str = "p1") -> dict[str, NDArray[np.int64]]:
    """Return the samples of each record of a patient as wfdb reads them, checksums checked."""
    directory = root / safe_name(patient)
    found = {}
    for name in record_names(directory):
        record = wfdb.rdrecord(str(directory / name), physical=False)
        assert record.calc_checksum() == [value & 0xFFFF for value in record.checksum]
        found[name.rpartition("_")[2].lstrip("0") or "0"] = record.d_signal
    return found


def written(root: Path) -> dict[str, bytes]:
    """Return every file but the locks."""
    return {
        str(file.relative_to(root)): file.read_bytes()
        for file in sorted(root.rglob("*"))
        if file.is_file() and file.suffix != ".lock"
    }


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
def test_files_are_the_same_whatever_the_chunks_and_restarts(tmp_path: Path) -> None:
    samples = noise(25)
    for name, chunk, every in (("a", 63, 1000), ("b", 250, 1), ("c", 7, 50)):
        messages = list(cut("p1", samples, chunk=chunk))
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


def test_index_is_mended_after_a_crash(tmp_path: Path) -> None:
    messages = list(cut("p1", noise(2)))
    keep(tmp_path, messages[:4])
    (tmp_path / "p1" / "RECORDS").write_text("")
    keep(tmp_path, messages[4:])
    assert (tmp_path / "p1" / "RECORDS").read_text() == "s1_000000000000\n"


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

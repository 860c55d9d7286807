"""The role ``archive`` on brokers: record, replay, Kafka, archive, the same record again."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import wfdb

from ecg.monitor import Monitor
from ecg.reader import read_record
from ecg.recording import Column, Recording
from stream import archive
from stream.archive import run_archive
from stream.archive_directory import prepare
from stream.archive_lock import Lock
from stream.errors import ArchiveError
from stream.health import unwatched
from stream.kafka import Cluster, Producer
from stream.messages import Waveform
from stream.replay import run_replay
from stream.score import run_score
from stream.sources import read_sources
from tests.fake_monitor import BEAT_EVERY, FakeMonitor
from tests.integration.runner import Fault, Runner, alive, wait_until
from tests.waveforms import cut, noise, send, waveform


@pytest.fixture(autouse=True)
def _quick_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stream.kafka.limits.SESSION_TIMEOUT_MS", 1500)
    monkeypatch.setattr("stream.kafka.limits.HEARTBEAT_INTERVAL_MS", 100)


@contextlib.contextmanager
def archiving(cluster: Cluster, root: Path, *, every_s: float = 0.3) -> Iterator[None]:
    """Run the role in a thread, and end it in good order."""
    stop = threading.Event()

    def run() -> None:
        run_archive(cluster, root, stop=stop, every_s=every_s)

    with _thread(run, stop):
        yield


@contextlib.contextmanager
def scoring(cluster: Cluster) -> Iterator[None]:
    stop = threading.Event()

    def run() -> None:
        run_score(cluster, lambda: cast(Monitor, FakeMonitor()), stop=stop)

    with _thread(run, stop):
        yield


@contextlib.contextmanager
def _thread(run: Callable[[], None], stop: threading.Event) -> Iterator[None]:
    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=30)
        assert not thread.is_alive()


def samples_of(root: Path, name: str) -> int:
    """Return how many samples are archived of a record."""
    with contextlib.suppress(FileNotFoundError):
        return int((root / f"{name}.hea").read_text().split()[3])
    return 0


def beats_of(root: Path, name: str) -> list[int]:
    with contextlib.suppress(FileNotFoundError):
        found = wfdb.rdann(str(root / name), "rw")
        return [
            int(sample)
            for sample, symbol in zip(found.sample, found.symbol, strict=True)
            if symbol == "N"
        ]
    return []


def test_record_comes_back_to_the_sample(cluster: Cluster, tmp_path: Path) -> None:
    columns = (
        Column(name="MLII", kind="ecg", unit="mV", gain=200.0, baseline=1024),
        Column(name="V5", kind="ecg", unit="mV", gain=203.7, baseline=-12),
        Column(name="PLETH", kind="ppg", unit="NU", gain=1023.0, baseline=0),
        Column(name="ABP", kind="abp", unit="mmHg", gain=10.0, baseline=-5),
        Column(name="RESP", kind="resp", unit="NU", gain=4.0, baseline=0),
    )
    original = Recording(
        directory=tmp_path, name="x1", fs=360.0, columns=columns, first_sample=0, start_ns=0
    )
    rows = np.hstack([noise(20, seed=seed) for seed in range(5)])
    rows[1000:1400, 1] = np.iinfo(np.int16).min
    original.append(rows.tobytes())
    original.save()
    root = tmp_path / "archive"
    with archiving(cluster, root), scoring(cluster):
        run_replay(
            cluster=cluster,
            sources=read_sources(tmp_path / "x1", patient="p.1"),
            stop=threading.Event(),
            stream_id="s",
            speed=None,
        )
        name = "p_2e1/s_000000000000"
        wait_until(lambda: samples_of(root, name) == len(rows))
        beats = list(range(BEAT_EVERY, len(rows) - 40, BEAT_EVERY))
        wait_until(lambda: beats_of(root, name) == beats)
        assert not unwatched(cluster, "archive")
    found, back = read_record(tmp_path / "x1"), read_record(root / name)
    assert np.array_equal(back.samples, found.samples)
    assert (back.fs, back.leads, back.gain, back.baseline) == (
        found.fs,
        found.leads,
        found.gain,
        found.baseline,
    )
    for one, other in zip(found.others, back.others, strict=True):
        assert np.array_equal(one.samples, other.samples)
        assert (one.name, one.kind, one.unit) == (other.name, other.kind, other.unit)
        assert (one.gain, one.baseline) == (other.gain, other.baseline)
    whole = wfdb.rdrecord(str(root / name), physical=False)
    assert np.array_equal(whole.d_signal, rows)
    assert whole.calc_checksum() == [value & 0xFFFF for value in whole.checksum]


def _all(cluster: Cluster) -> dict[str, list[Waveform]]:
    sent = {f"p{n}": list(cut(f"p{n}", noise(20, seed=n))) for n in range(6)}
    with Producer(cluster) as producer:
        for messages in zip(*sent.values(), strict=True):
            for message in messages:
                send(producer, message)
    return sent


def test_killed_again_and_again_it_has_every_sample_once(cluster: Cluster, tmp_path: Path) -> None:
    sent = _all(cluster)
    with Runner("archive", cluster, str(tmp_path)) as runner:
        for step, nth in (("fsync", 3), ("replace", 2), ("fsync", 12), ("commit", 1)):
            pid = runner.start(Fault(step=step, nth=nth))  # type: ignore[arg-type]  # the steps are literals
            wait_until(lambda pid=pid: not alive(pid))  # type: ignore[misc]  # of a default
        runner.start()
        names = [f"{patient}/s1_000000000000" for patient in sent]
        wait_until(lambda: all(samples_of(tmp_path, name) == 5000 for name in names))
    for n, name in enumerate(names):
        found = wfdb.rdrecord(str(tmp_path / name), physical=False)
        assert np.array_equal(found.d_signal, noise(20, seed=n))


def test_two_members_share_the_patients(cluster: Cluster, tmp_path: Path) -> None:
    with archiving(cluster, tmp_path), archiving(cluster, tmp_path):
        sent = _all(cluster)
        names = [f"{patient}/s1_000000000000" for patient in sent]
        wait_until(lambda: all(samples_of(tmp_path, name) == 5000 for name in names))
    assert (tmp_path / "RECORDS").read_text() == "".join(f"{patient}/\n" for patient in sent)


def test_partition_that_another_process_writes_waits(embedded: Cluster, tmp_path: Path) -> None:
    prepare(tmp_path)
    locks = [Lock(tmp_path / f".{embedded.prefix}{partition}.lock") for partition in range(4)]
    assert all(lock.take() for lock in locks)
    with archiving(embedded, tmp_path):
        with Producer(embedded) as producer:
            send(producer, waveform("p1", noise(2)))
        wait_until(lambda: bool(list(tmp_path.glob("RECORDS"))))
        assert samples_of(tmp_path, "p1/s1_000000000000") == 0
        for lock in locks:
            lock.give_back()
        wait_until(lambda: samples_of(tmp_path, "p1/s1_000000000000") == 500)


def test_bad_messages_do_not_stop_the_others(embedded: Cluster, tmp_path: Path) -> None:
    with archiving(embedded, tmp_path):
        with Producer(embedded) as producer:
            producer.send("ecg.waveforms", "p1", b"garbage")
            producer.send("ecg.findings", "p1", b"garbage")
            producer.send("ecg.waveforms", "p1", None)
            send(producer, waveform("p1", noise(2)))
        wait_until(lambda: samples_of(tmp_path, "p1/s1_000000000000") == 500)


def test_full_disk_is_said_and_waited_for(
    embedded: Cluster,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(archive, "_RETRY_S", 0.1)
    full = threading.Event()
    full.set()
    real = Recording.save

    def save(self: Recording) -> int:
        if full.is_set():
            raise OSError(28, "No space left on device", str(self.directory))
        return real(self)

    monkeypatch.setattr(Recording, "save", save)
    with archiving(embedded, tmp_path):
        with Producer(embedded) as producer:
            send(producer, waveform("p1", noise(2)))
        wait_until(lambda: "No space left on device" in caplog.text)
        full.clear()
        wait_until(lambda: samples_of(tmp_path, "p1/s1_000000000000") == 500)


def test_directory_that_cannot_be_made_is_said_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ArchiveError, match="cannot be written: Not a directory"):
        run_archive(Cluster("127.0.0.1:1"), tmp_path / "file" / "x", stop=threading.Event())

"""Replay against real brokers: what was sent is what is read, sample by sample."""

import os
import signal
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec
import numpy as np
import pytest

from ecg.alarm import Limits
from stream.broker import EmbeddedBroker, free_port
from stream.errors import SettingsError
from stream.kafka import Cluster, Incoming, Producer, Reader, create_topics, partition_for
from stream.messages import PatientMessage, Waveform
from stream.pace import Progress
from stream.replay import register, run_replay
from stream.source import Source
from stream.topics import PATIENTS, TOPICS, WAVEFORMS
from stream.wire import decode, decode_waveform, encode
from tests.stream.test_source import counting_source


@contextmanager
def replaying(
    cluster: Cluster, sources: list[Source], **options: object
) -> Iterator[tuple[threading.Event, list[Progress]]]:
    """Run the role in a thread; yields what stops it and what it says."""
    stop = threading.Event()
    told: list[Progress] = []
    thread = threading.Thread(
        target=run_replay,
        kwargs={
            "cluster": cluster,
            "sources": sources,
            "stop": stop,
            "on_progress": told.append,
            **options,
        },
    )
    thread.start()
    try:
        yield stop, told
    finally:
        stop.set()
        thread.join(30)
    assert not thread.is_alive()


def wait_until(condition: Callable[[], bool], *, give_up_s: float = 30.0) -> None:
    deadline = time.monotonic() + give_up_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {give_up_s} s"
        time.sleep(0.02)


def read_all(cluster: Cluster, topic: str = WAVEFORMS.name) -> list[Incoming]:
    with Reader(cluster, [topic]) as reader:
        return list(reader.read_to_end())


def by_patient(cluster: Cluster) -> dict[str, list[Waveform]]:
    found = defaultdict(list)
    for message in read_all(cluster):
        assert message.value is not None
        waveform = decode_waveform(message.value)
        assert message.key == waveform.patient
        assert message.partition == partition_for(waveform.patient, 4)
        assert message.header("stream") == waveform.stream.encode()
        assert message.header("first_sample") == str(waveform.first_sample).encode()
        found[waveform.patient].append(waveform)
    return dict(found)


def unrepeated(waveforms: list[Waveform]) -> list[Waveform]:
    """Drop what was sent again, as readers do."""
    kept: list[Waveform] = []
    for waveform in waveforms:
        if not kept or waveform.first_sample > kept[-1].first_sample:
            kept.append(waveform)
    return kept


def assert_complete(waveforms: list[Waveform], *, of: int) -> None:
    """Each sample of a looped counting source is there once, at its own number."""
    values = np.concatenate([w.array()[:, 0] for w in waveforms])
    numbers = np.concatenate(
        [np.arange(w.first_sample, w.first_sample + len(w.array())) for w in waveforms]
    )
    np.testing.assert_array_equal(numbers, np.arange(len(numbers)))
    np.testing.assert_array_equal(values, numbers % of)
    splices = [w.first_sample for w in waveforms if w.discontinuity]
    assert splices == list(range(of, len(numbers), of))


@pytest.mark.kafka
def test_every_sample_arrives_when_the_record_is_a_multiple_of_the_chunk_and_looped(
    cluster: Cluster,
) -> None:
    sources = [
        counting_source(1000, fs=200.0, patient="exact"),
        counting_source(1003, fs=200.0, patient="odd"),
    ]
    with replaying(cluster, sources, speed=None, loop=True, stream_id="fixed") as (stop, told):
        wait_until(lambda: bool(told) and told[-1].samples > 20_000)
        stop.set()
    found = by_patient(cluster)
    assert {w.stream for ws in found.values() for w in ws} == {"fixed"}
    assert_complete(found["exact"], of=1000)
    assert_complete(found["odd"], of=1003)
    assert len(found["exact"]) > 100
    assert {len(w.array()) for w in found["exact"]} == {50}


@pytest.mark.kafka
def test_record_ends_after_its_last_sample_in_a_new_stream_each_time(cluster: Cluster) -> None:
    source = counting_source(1000)
    for _ in range(2):
        told = run_replay(
            cluster=cluster, sources=[source], stop=threading.Event(), speed=None, chunk_ms=1000
        )
        assert told == Progress(patients=1, messages=10, samples=1000, total_samples=1000)
    waveforms = by_patient(cluster)["p1"]
    first, second = sorted({w.stream for w in waveforms})
    assert [w.stream for w in waveforms] == [first] * 10 + [second] * 10
    assert_complete(waveforms[:10], of=1000)
    assert_complete(waveforms[10:], of=1000)


@pytest.mark.kafka
def test_patients_are_registered_once_and_only_their_label_is_brought_up_to_date(
    cluster: Cluster,
) -> None:
    with Producer(cluster) as producer:
        known = PatientMessage(patient="p1", bed="7", label="real", limits=Limits(hr_high=140.0))
        producer.send(PATIENTS.name, "p1", encode(known))
        producer.send(PATIENTS.name, "garbage", b"not JSON")
    sources = [counting_source(100, patient=patient) for patient in ("p1", "p2")]
    assert register(cluster, sources) == ["p1", "p2"]
    assert register(cluster, sources) == []
    entries = {
        message.key: decode(message.value or b"", PatientMessage)
        for message in read_all(cluster, PATIENTS.name)
        if message.key != "garbage"
    }
    assert entries == {
        "p1": msgspec.structs.replace(known, label="test"),
        "p2": PatientMessage(patient="p2", label="test"),
    }


def test_replay_waits_for_a_broker_that_is_not_there_yet() -> None:
    port = free_port()
    cluster = Cluster(f"127.0.0.1:{port}")
    with replaying(cluster, [counting_source(1000)], speed=None) as (_, told):
        with EmbeddedBroker(port=port):
            create_topics(cluster, TOPICS, partitions=4)
            wait_until(lambda: bool(told) and told[-1].samples == 1000)
            wait_until(lambda: len(by_patient(cluster).get("p1", [])) == 40)
            assert_complete(by_patient(cluster)["p1"], of=1000)


def test_nothing_is_lost_when_the_broker_is_away_for_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("stream.kafka.limits.REQUEST_TIMEOUT_MS", 800)
    monkeypatch.setattr("stream.kafka.limits.DELIVERY_TIMEOUT_MS", 1500)
    with EmbeddedBroker() as broker:
        create_topics(broker.cluster, TOPICS, partitions=4)
        source = counting_source(1000)
        with replaying(broker.cluster, [source], loop=True, chunk_ms=50) as (stop, told):
            wait_until(lambda: bool(told) and told[-1].messages > 10)
            os.kill(broker.pid, signal.SIGSTOP)
            try:
                before = told[-1].messages
                wait_until(lambda: told[-1].messages > before + 60)  # 3 s of signal
            finally:
                os.kill(broker.pid, signal.SIGCONT)
            before = told[-1].samples
            wait_until(
                lambda: any(
                    w.first_sample > before for w in by_patient(broker.cluster).get("p1", [])
                )
            )
            assert told[-1].skipped_samples == 0
            stop.set()
        assert_complete(unrepeated(by_patient(broker.cluster)["p1"]), of=1000)


def test_what_cannot_be_sent_is_refused_before_a_broker_is_asked() -> None:
    cluster = Cluster("127.0.0.1:1")
    twice = [counting_source(100), counting_source(200)]
    with pytest.raises(SettingsError, match="p1 stands for several"):
        run_replay(cluster=cluster, sources=twice, stop=threading.Event())
    with pytest.raises(SettingsError, match="a stream id is"):
        run_replay(cluster=cluster, sources=twice[:1], stop=threading.Event(), stream_id="a b")
    with pytest.raises(SettingsError, match="nothing to replay"):
        run_replay(cluster=cluster, sources=[], stop=threading.Event())

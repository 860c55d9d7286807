"""The role ``score`` on a broker, with a monitor that remembers every sample."""

import contextlib
import os
import threading
import time
from collections.abc import Iterator
from typing import cast

import numpy as np
import pytest

from benchmarks.apache.server import KafkaServer
from ecg.monitor import Monitor
from stream import metrics
from stream.broker import EmbeddedBroker, free_port
from stream.kafka import Cluster, Producer, Reader, create_topics, partition_for
from stream.messages import DeadLetter, FindingsMessage, RoleMessage, ScoreState, Signal, Waveform
from stream.score import run_score
from stream.topics import DEAD_LETTERS, ROLES, SCORE_STATE, TOPICS, WAVEFORMS
from stream.wire import decode, encode_waveform
from tests.fake_monitor import FakeMonitor
from tests.waveforms import Listener, all_findings, chunks, cut, noise, send, waveform


@pytest.fixture(autouse=True)
def _quick_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stream.kafka.limits.SESSION_TIMEOUT_MS", 1500)
    monkeypatch.setattr("stream.kafka.limits.HEARTBEAT_INTERVAL_MS", 100)


@contextlib.contextmanager
def scoring(cluster: Cluster, *, state_every_s: float = 0.3) -> Iterator[None]:
    """Run the role in a thread, and end it in good order."""
    stop = threading.Event()
    failed: list[BaseException] = []

    def run() -> None:
        try:
            run_score(
                cluster,
                lambda: cast(Monitor, FakeMonitor()),
                stop=stop,
                state_every_s=state_every_s,
            )
        except BaseException as error:
            failed.append(error)
            raise

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=30)
        assert not thread.is_alive()
        assert not failed


def judged(*messages: Waveform) -> dict[tuple[str, str], list[object]]:
    """Return what the monitor says without Kafka, one chunk at a time."""
    monitor = FakeMonitor()
    found = [one for chunk in chunks(messages) for one in monitor.advance([chunk])]
    return cast(dict[tuple[str, str], list[object]], all_findings(found))


def dead_letters(cluster: Cluster, n: int) -> list[DeadLetter]:
    """Wait for n dead letters."""
    letters: list[DeadLetter] = []
    deadline = time.monotonic() + 20
    with Reader(cluster, [DEAD_LETTERS.name]) as reader:
        while len(letters) < n:
            assert time.monotonic() < deadline, letters
            for message in reader.poll(0.1):
                assert message.value is not None
                letters.append(decode(message.value, DeadLetter))
    return letters


@pytest.mark.parametrize("many", [500, 0])
def test_findings_are_the_monitors_whatever_is_polled_together(
    any_cluster: Cluster, monkeypatch: pytest.MonkeyPatch, many: int
) -> None:
    monkeypatch.setattr("stream.score.MANY", many)
    messages = [m for n in range(5) for m in cut(f"p{n}", noise(20, seed=n))]
    with scoring(any_cluster):
        with Producer(any_cluster) as producer:
            for message in messages:
                send(producer, message)
        listener = Listener(any_cluster)
        listener.listen_until({(f"p{n}", "s1"): 4999 for n in range(5)})
    assert listener.found == judged(*messages)


def test_nothing_is_lost_where_reading_stops_for_a_while(
    any_cluster: Cluster, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("stream.score_intake.SHARE", 5)
    for room in ("stream.score_intake", "stream.score"):
        monkeypatch.setattr(f"{room}.MAX_WAITING", 20)
    before = metrics.DEFERRED._value.get()
    messages = list(cut("p1", noise(40)))
    with Producer(any_cluster) as producer:
        for message in messages:
            send(producer, message)
    listener = Listener(any_cluster)
    with scoring(any_cluster):
        listener.listen_until({("p1", "s1"): 9999})
    assert listener.found == judged(*messages)
    assert "messages of 1 patients wait; nothing more is read" in caplog.text
    assert metrics.DEFERRED._value.get() - before >= 20


def test_bad_messages_become_dead_letters_and_others_go_on(cluster: Cluster) -> None:
    good = list(cut("good", noise(4)))
    ecg = Signal(name="II", kind="ecg", unit="mV", gain=200.0, baseline=0)
    some = noise(0.25)
    wrong_key = waveform("p1", some)
    elsewhere = (partition_for("p1", 4) + 1) % 4
    with scoring(cluster):
        with Producer(cluster) as producer:

            def raw(key: str | None, value: bytes | None, partition: int | None = None) -> None:
                producer.send(WAVEFORMS.name, key, value, partition=partition)

            send(producer, good[0])
            raw("good", b"\x00garbage\xff")
            raw("good", None)
            raw(None, b"", 0)
            raw("good", encode_waveform(good[1]).replace(b"\xa7version\x01", b"\xa7version\x02"))
            raw("good", encode_waveform(wrong_key))
            raw("p1", encode_waveform(waveform("p1", some)), elsewhere)
            ppg = Signal(name="PLETH", kind="ppg", unit="NU", gain=1.0, baseline=0)
            send(producer, waveform("only-ppg", some, signals=[ppg]))
            ohm = Signal(name="II", kind="ecg", unit="ohm", gain=1.0, baseline=0)
            send(producer, waveform("ohm", some, signals=[ohm]))
            send(producer, waveform("fast", some, fs=44_100.0))
            both = np.hstack([some, some])
            send(producer, waveform("with-ppg", both, signals=[ppg, ecg]))
            for message in good[1:]:
                send(producer, message)
        listener = Listener(cluster)
        listener.listen_until({("good", "s1"): 999, ("with-ppg", "s1"): len(some) - 1})
        letters = dead_letters(cluster, 9)
    assert listener.found[("good", "s1")] == judged(*good)[("good", "s1")]
    assert sorted(letter.reason for letter in letters) == [
        "refused",
        "refused",
        "refused",
        "unreadable",
        "unreadable",
        "unreadable",
        "unreadable",
        "wrong-key",
        "wrong-partition",
    ]
    by_key = {letter.key: letter for letter in letters}
    assert "44100" in by_key["fast"].detail
    assert "ohm" in by_key["ohm"].detail
    assert "ppg" in by_key["only-ppg"].detail
    with Reader(cluster, [WAVEFORMS.name]) as reader:
        offsets = {(m.partition, m.offset): m for m in reader.read_to_end()}
    for letter in letters:
        assert letter.topic == WAVEFORMS.name
        assert letter.value == (offsets[(letter.partition, letter.offset)].value or b"")


def test_only_the_newest_stream_is_judged(cluster: Cluster) -> None:
    samples = noise(4)
    first = list(cut("p1", samples, stream="monday"))
    second = list(cut("p1", samples, stream="tuesday"))
    with scoring(cluster):
        with Producer(cluster) as producer:
            for message in [*first[:8], *second[:8], *first[8:], *second[8:]]:
                send(producer, message)
        listener = Listener(cluster)
        listener.listen_until({("p1", "tuesday"): 999, ("p1", "monday"): 8 * 63 - 1})
        letters = dead_letters(cluster, len(first) - 8)
    assert {letter.reason for letter in letters} == {"old-stream"}
    assert listener.found == judged(*first[:8], *second)


def test_old_stream_is_known_after_a_restart(cluster: Cluster) -> None:
    first = list(cut("p1", noise(1), stream="monday"))
    second = list(cut("p1", noise(1), stream="tuesday"))
    with Producer(cluster) as producer:
        for message in [*first, *second]:
            send(producer, message)
        producer.flush()
        with scoring(cluster):
            Listener(cluster).listen_until({("p1", "monday"): 249, ("p1", "tuesday"): 249})
        send(producer, waveform("p1", noise(1), first_sample=250, stream="monday"))
        send(producer, waveform("p1", noise(1), first_sample=250, stream="tuesday"))
        producer.flush()
        with scoring(cluster):
            Listener(cluster).listen_until({("p1", "tuesday"): 499})
            assert [letter.reason for letter in dead_letters(cluster, 1)] == ["old-stream"]


def test_gap_repeat_overlap_and_disorder_are_counted_and_judged(cluster: Cluster) -> None:
    samples = noise(8)

    def piece(start: int, end: int) -> Waveform:
        return waveform("p1", samples[start:end], first_sample=start)

    sent = [
        piece(0, 300),
        piece(0, 300),  # repeat
        piece(200, 500),  # overlap
        piece(800, 900),  # gap
        piece(600, 700),  # out of order
        piece(900, 2000),
    ]
    orders = ("next", "repeat", "overlap", "gap", "out_of_order")
    before = {order: metrics.CHUNKS.labels(order)._value.get() for order in orders}
    other = list(cut("p2", noise(8, seed=2)))
    with scoring(cluster):
        with Producer(cluster) as producer:
            for message in [*sent, *other]:
                send(producer, message)
        listener = Listener(cluster)
        listener.listen_until({("p1", "s1"): 1999, ("p2", "s1"): 1999})
    counted = {order: metrics.CHUNKS.labels(order)._value.get() - before[order] for order in orders}
    assert counted == {
        "next": 2 + len(other),
        "repeat": 1,
        "overlap": 1,
        "gap": 1,
        "out_of_order": 1,
    }
    assert listener.found == judged(*sent, *other)


def test_restart_in_the_middle_gives_the_same_findings(cluster: Cluster) -> None:
    messages = list(cut("p1", noise(40)))
    half = len(messages) // 2
    listener = Listener(cluster)
    with Producer(cluster) as producer:
        with scoring(cluster):
            for message in messages[:half]:
                send(producer, message)
            producer.flush()
            Listener(cluster).listen_until({("p1", "s1"): half * 63 - 1})
        with Reader(cluster, [SCORE_STATE.name]) as reader:
            states = [
                decode(message.value, ScoreState)
                for message in reader.read_to_end()
                if message.key == "p1" and message.value
            ]
        assert states[-1].end_sample == half * 63  # written when it left in good order
        with scoring(cluster):
            for message in messages[half:]:
                send(producer, message)
            producer.flush()
            listener.listen_until({("p1", "s1"): 9999})
    assert listener.found == judged(*messages)
    epochs = [
        decode(message.value, FindingsMessage).epoch
        for message in listener.raw
        if message.key == "p1" and message.value
    ]
    assert epochs == sorted(epochs)
    assert len(set(epochs)) == 2


def test_a_sign_of_life_reaches_every_partition(cluster: Cluster) -> None:
    with scoring(cluster), Reader(cluster, [ROLES.name]) as reader:
        seen: set[int] = set()
        deadline = time.monotonic() + 20
        while seen != {0, 1, 2, 3}:
            assert time.monotonic() < deadline
            for message in reader.poll(0.1):
                assert message.value is not None
                assert decode(message.value, RoleMessage).role == "score"
                seen.add(message.partition)


def test_score_waits_for_a_broker_that_is_not_there(caplog: pytest.LogCaptureFixture) -> None:
    port = free_port()
    cluster = Cluster(f"127.0.0.1:{port}")
    messages = list(cut("p1", noise(2)))
    with scoring(cluster):
        deadline = time.monotonic() + 20
        while "waiting for the broker" not in caplog.text:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        with EmbeddedBroker(port=port):
            create_topics(cluster, TOPICS, partitions=4)
            with Producer(cluster) as producer:
                for message in messages:
                    send(producer, message)
            listener = Listener(cluster)
            listener.listen_until({("p1", "s1"): 499})
            assert listener.found == judged(*messages)


@pytest.mark.kafka
def test_score_goes_on_when_the_broker_comes_back(kafka_bootstrap: str) -> None:
    if os.environ.get("RHYTHMWATCH_TEST_KAFKA"):
        pytest.skip("an existing cluster is not stopped")
    messages = list(cut("p1", noise(40)))
    half = len(messages) // 2
    with KafkaServer() as server:
        create_topics(server.cluster, TOPICS, partitions=4)
        with scoring(server.cluster):
            with Producer(server.cluster) as producer:
                for message in messages[:half]:
                    send(producer, message)
            Listener(server.cluster).listen_until({("p1", "s1"): half * 63 - 1})
            server.stop()
            server.start()
            with Producer(server.cluster) as producer:
                for message in messages[half:]:
                    send(producer, message)
            listener = Listener(server.cluster)
            listener.listen_until({("p1", "s1"): 9999})
        assert listener.found == judged(*messages)

"""Webhooks from Apache Kafka to receivers that work, fail, hang or are not there."""

import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import pytest

from stream.broker import free_port
from stream.courier import Courier, Delivery
from stream.endpoint import Endpoint, new_secret
from stream.health import unwatched
from stream.inbox import group_of
from stream.kafka import Cluster, Consumer, Producer, Reader
from stream.messages import DeadLetter, RoleMessage
from stream.notify import run_notify
from stream.receiver import Received, Receiver
from stream.topics import ALARMS, DEAD_LETTERS, ROLES
from stream.wire import decode
from tests.stream.alarms import body

pytestmark = pytest.mark.kafka

SECRET = new_secret()
PATIENTS = 5


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stream.kafka.limits.SESSION_TIMEOUT_MS", 1500)
    monkeypatch.setattr("stream.kafka.limits.HEARTBEAT_INTERVAL_MS", 100)


class Recorder(Receiver):
    """The real receiver, with what a test wants it to do instead of the first answer."""

    def __init__(
        self, instead: Callable[[str, int], int | None] = lambda webhook_id, n: None, port: int = 0
    ) -> None:
        self.bodies: defaultdict[str, set[bytes]] = defaultdict(set)
        self.asked: Counter[str] = Counter()
        self.order: list[str] = []
        self._instead = instead
        super().__init__([SECRET], on_received=self._note, port=port)

    def _note(self, received: Received) -> None:
        if received.verified and not received.repeat and received.webhook_id:
            self.order.append(received.webhook_id)

    def receive(self, headers: Mapping[str, str], body: bytes) -> int:
        webhook_id = headers["webhook-id"]
        self.asked[webhook_id] += 1
        self.bodies[webhook_id].add(body)
        status = self._instead(webhook_id, self.asked[webhook_id])
        return super().receive(headers, body) if status is None else status

    def endpoint(self, name: str = "main", **more: object) -> Endpoint:
        return endpoint(self.url, name, **more)


def endpoint(url: str, name: str = "main", **more: object) -> Endpoint:
    return Endpoint(name=name, url=url, secrets=(SECRET,), allow_private=True, **more)  # type: ignore[arg-type]  # each test varies one


def write_alarms(cluster: Cluster, each: int, *, first: int = 1) -> dict[str, bytes]:
    """Write events of some patients' alarms from one sequence on; returns every body by its id."""
    written = {}
    with Producer(cluster) as producer:
        for sequence in range(first, first + each):
            for i in range(PATIENTS):
                value = body(sequence, alarm_id=f"a{i}", patient=f"p{i}")
                producer.send(ALARMS.name, f"p{i}", value)
                written[f"a{i}.{sequence}"] = value
    return written


@contextmanager
def notifying(cluster: Cluster, *endpoints: Endpoint) -> Iterator[list[Delivery]]:
    stop = threading.Event()
    deliveries: list[Delivery] = []
    thread = threading.Thread(
        target=run_notify,
        kwargs={
            "cluster": cluster,
            "endpoints": endpoints,
            "stop": stop,
            "on_delivery": deliveries.append,
        },
    )
    thread.start()
    try:
        yield deliveries
    finally:
        stop.set()
        thread.join(20)
    assert not thread.is_alive()


def wait_until(condition: Callable[[], bool], *, give_up_s: float = 40.0) -> None:
    deadline = time.monotonic() + give_up_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {give_up_s} s"
        time.sleep(0.02)


def undelivered(cluster: Cluster, name: str = "main") -> int:
    """Return how many events the group has not committed: what another start would deliver."""
    places = [(ALARMS.name, partition) for partition in range(4)]
    with Consumer(cluster, group_of(name), [ALARMS.name], held=True) as group:
        committed = group.committed(places)
    with Reader(cluster, [ALARMS.name]) as reader:
        found = [
            (message.topic, message.partition, message.offset) for message in reader.read_to_end()
        ]
    return sum(offset >= committed.get((topic, p), 0) for topic, p, offset in found)


def test_every_event_is_delivered_once_verified_and_in_order(cluster: Cluster) -> None:
    with Recorder() as receiver:
        written = write_alarms(cluster, each=10)
        with notifying(cluster, receiver.endpoint()):
            wait_until(lambda: receiver.counts().verified == len(written))
        assert undelivered(cluster) == 0
        counts = receiver.counts()
        assert (counts.delivered, counts.verified, counts.failed) == (50, 50, 0)
        assert set(receiver.asked.values()) == {1}
        assert {name: {value} for name, value in written.items()} == receiver.bodies
        for i in range(PATIENTS):
            of_patient = [name for name in receiver.order if name.startswith(f"a{i}.")]
            assert of_patient == [f"a{i}.{n}" for n in range(1, 11)]


def test_event_is_delivered_when_the_receiver_answers_500_and_then_200(cluster: Cluster) -> None:
    def fail_twice(webhook_id: str, n: int) -> int | None:
        return 500 if webhook_id == "a1.1" and n <= 2 else None

    with Recorder(fail_twice) as receiver:
        written = write_alarms(cluster, each=2)
        with notifying(cluster, receiver.endpoint()):
            wait_until(lambda: receiver.counts().verified == len(written) - 2)
            assert receiver.asked["a1.2"] == 0  # waits for the event before it
            wait_until(lambda: receiver.counts().verified == len(written))
        assert receiver.asked["a1.1"] == 3
        assert sum(receiver.asked.values()) == len(written) + 2
        assert receiver.bodies["a1.1"] == {written["a1.1"]}


def test_event_is_delivered_when_the_receiver_hangs_at_first_and_others_do_not_wait(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stream.webhook.WHOLE_S", 0.7)
    let_go = threading.Event()

    def hang_once(webhook_id: str, n: int) -> int | None:
        if webhook_id == "a1.1" and n == 1:
            let_go.wait(20)
            return 500
        return None

    with Recorder(hang_once) as receiver:
        written = write_alarms(cluster, each=2)
        with notifying(cluster, receiver.endpoint()) as deliveries:
            wait_until(lambda: receiver.counts().verified == len(written))
            let_go.set()
        assert receiver.asked["a1.1"] == 2
        first = next(d for d in deliveries if d.event_id == "a1.1")
        assert first.answer.result == "failed"
        assert "ReadTimeout" in first.answer.detail


def test_every_event_is_delivered_when_the_receiver_comes_later(cluster: Cluster) -> None:
    port = free_port()
    written = write_alarms(cluster, each=2)
    with notifying(cluster, endpoint(f"http://127.0.0.1:{port}/")) as deliveries:
        wait_until(lambda: any("ConnectError" in d.answer.detail for d in deliveries))
        with Recorder(port=port) as receiver:
            wait_until(lambda: receiver.counts().verified == len(written))
            assert receiver.counts().failed == 0
    assert undelivered(cluster) == 0


def test_endpoint_that_is_not_there_holds_up_no_other_and_keeps_its_events(
    cluster: Cluster,
) -> None:
    with Recorder() as receiver:
        written = write_alarms(cluster, each=4)
        down = endpoint(f"http://127.0.0.1:{free_port()}/", "down")
        with notifying(cluster, down, receiver.endpoint("up")):
            wait_until(lambda: receiver.counts().verified == len(written))
        assert undelivered(cluster, "up") == 0
        assert undelivered(cluster, "down") == len(written)


def test_refused_event_becomes_a_dead_letter_and_the_next_is_delivered(cluster: Cluster) -> None:
    def refuse(webhook_id: str, n: int) -> int | None:
        return 422 if webhook_id == "a1.1" else None

    with Recorder(refuse) as receiver:
        written = write_alarms(cluster, each=2)
        with notifying(cluster, receiver.endpoint()):
            wait_until(lambda: receiver.counts().verified == len(written) - 1)
        assert undelivered(cluster) == 0
    with Reader(cluster, [DEAD_LETTERS.name]) as reader:
        letters = [decode(m.value or b"", DeadLetter) for m in reader.read_to_end()]
    assert [(one.key, one.reason) for one in letters] == [("p1", "webhook-refused")]
    assert letters[0].value == written["a1.1"]
    assert letters[0].detail == "a1.1 to endpoint main: status 422"


def test_role_shows_life_on_every_partition_for_every_endpoint(cluster: Cluster) -> None:
    with Recorder() as receiver, Reader(cluster, [ROLES.name]) as reader:
        alive: set[tuple[str | None, int]] = set()
        wanted = {(key, p) for key in ("notify-main", "notify-other") for p in range(4)}

        def all_alive() -> bool:
            for message in reader.poll(0.05):
                assert decode(message.value or b"", RoleMessage).role == "notify"
                alive.add((message.key, message.partition))
            return alive == wanted

        with notifying(cluster, receiver.endpoint(), receiver.endpoint("other")):
            wait_until(all_alive)


def test_endpoint_that_is_not_served_is_told_though_others_are(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hang(courier: Courier, timeout_s: float) -> None:
        if courier._endpoint.name == "stuck":
            hung.set()
            over.wait(60)
        step(courier, timeout_s)

    hung, over, step = threading.Event(), threading.Event(), Courier.step
    monkeypatch.setattr(Courier, "step", hang)
    keys = [group_of(name) for name in ("main", "stuck")]
    try:
        with Recorder() as receiver:
            with notifying(cluster, receiver.endpoint(), receiver.endpoint("stuck")):
                wait_until(lambda: not unwatched(cluster, "notify", keys=keys[:1]))
                wait_until(hung.is_set)
                assert unwatched(cluster, "notify", keys=keys) == {0, 1, 2, 3}
                over.set()
                wait_until(lambda: not unwatched(cluster, "notify", keys=keys))
    finally:
        over.set()


def test_every_event_is_delivered_when_notifiers_come_and_go(cluster: Cluster) -> None:
    with Recorder() as receiver:
        written = write_alarms(cluster, each=20)
        with notifying(cluster, receiver.endpoint()):
            with notifying(cluster, receiver.endpoint()) as second:
                # the second one has joined when events written later reach it

                def second_delivers() -> bool:
                    written.update(write_alarms(cluster, 1, first=len(written) // PATIENTS + 1))
                    return len(second) >= 5

                wait_until(second_delivers)
            wait_until(lambda: receiver.counts().verified == len(written))
        assert {name: {value} for name, value in written.items()} == receiver.bodies
        assert undelivered(cluster) == 0


_NOTIFIER = """
import sys, threading
import stream.kafka.limits
stream.kafka.limits.SESSION_TIMEOUT_MS, stream.kafka.limits.HEARTBEAT_INTERVAL_MS = 1500, 100
from stream.endpoint import Endpoint
from stream.notify import run_notify
_, bootstrap, prefix, url, secret = sys.argv
endpoint = Endpoint(name="main", url=url, secrets=(secret,), allow_private=True)
cluster = stream.kafka.Cluster(bootstrap, prefix=prefix)
run_notify(cluster=cluster, endpoints=[endpoint], stop=threading.Event())
"""


def start_notifier(cluster: Cluster, url: str) -> "subprocess.Popen[bytes]":
    arguments = [cluster.bootstrap, cluster.prefix, url, SECRET]
    return subprocess.Popen([sys.executable, "-c", _NOTIFIER, *arguments])


def test_every_event_is_delivered_with_its_id_when_the_notifier_is_killed(
    cluster: Cluster,
) -> None:
    def some_fail(webhook_id: str, n: int) -> int | None:
        time.sleep(0.01)
        return 500 if hash(webhook_id) % 7 == 0 and n == 1 else None

    with Recorder(some_fail) as receiver:
        written = write_alarms(cluster, each=40)
        for kill_at in (80, len(written)):
            notifier = start_notifier(cluster, receiver.url)
            try:
                wait_until(lambda at=kill_at: receiver.counts().verified >= at)  # type: ignore[misc]  # bound in the loop
            finally:
                notifier.kill()
                notifier.wait()
        assert set(receiver.asked) == set(written)
        assert {name: {value} for name, value in written.items()} == receiver.bodies
        assert receiver.counts().failed == 0

"""Taking a partition over from writers that are dead, slow, or not dead at all."""

import time
import uuid
from collections.abc import Iterator

import pytest

from stream.errors import FencedError
from stream.kafka import Cluster, Consumer, Producer
from stream.messages import EPOCH_KEY, FindingsMessage, ScoreState
from stream.takeover import Taken, new_era, take_over
from stream.topics import FINDINGS, SCORE_STATE, WAVEFORMS
from stream.wire import decode, encode

P = 2
PATIENT = "p7"  # any: the partition is given


@pytest.fixture(autouse=True)
def _quick_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stream.kafka.limits.SESSION_TIMEOUT_MS", 1500)
    monkeypatch.setattr("stream.kafka.limits.HEARTBEAT_INTERVAL_MS", 100)


@pytest.fixture
def producer(cluster: Cluster) -> Iterator[Producer]:
    with Producer(cluster) as producer:
        yield producer


def member(cluster: Cluster, group: str) -> Consumer:
    """Return a member that has been assigned partitions."""
    consumer = Consumer(cluster, group, [WAVEFORMS.name], held=True)
    deadline = time.monotonic() + 20
    while not consumer.owned:
        consumer.poll(0.05)
        assert time.monotonic() < deadline
    return consumer


def take(cluster: Cluster, consumer: Consumer, producer: Producer) -> Taken[ScoreState]:
    taken = take_over(
        cluster,
        consumer,
        producer,
        [P],
        role="score",
        kind=ScoreState,
        inputs=[WAVEFORMS.name],
        state=SCORE_STATE.name,
        outputs=[FINDINGS.name],
    )
    return taken[P]


def say(producer: Producer, epoch: int, through: int, *, patient: str = PATIENT) -> None:
    message = FindingsMessage(
        epoch=epoch,
        patient=patient,
        stream="s",
        fs=250.0,
        after_sample=through - 10,
        through_sample=through,
    )
    producer.send(FINDINGS.name, patient, encode(message), partition=P)
    producer.flush()


def keep(producer: Producer, epoch: int, end: int, *, patient: str = PATIENT) -> None:
    state = ScoreState(
        patient=patient,
        epoch=epoch,
        inputs={WAVEFORMS.name: end},
        streams=("s",),
        end_sample=end,
        state=b"x",
    )
    producer.send(SCORE_STATE.name, patient, encode(state), partition=P)
    producer.flush()


def through(taken: Taken[ScoreState]) -> list[int]:
    return [decode(one.value or b"", FindingsMessage).through_sample for one in taken.tail]


def test_first_takeover_begins_at_the_beginning(cluster: Cluster, producer: Producer) -> None:
    with member(cluster, "score") as consumer:
        taken = take(cluster, consumer, producer)
    assert taken.epoch == consumer.generation + 1
    assert (taken.states, taken.tail) == ({}, ())
    assert taken.inputs == {WAVEFORMS.name: 0}
    assert taken.ends == {FINDINGS.name: 1}


def test_next_one_has_a_higher_epoch_and_finds_states_and_tail(
    cluster: Cluster, producer: Producer
) -> None:
    with member(cluster, "score") as consumer:
        first = take(cluster, consumer, producer)
        say(producer, first.epoch, 100)
        keep(producer, first.epoch, 101)
        keep(producer, first.epoch, 50, patient="gone")
        producer.send(SCORE_STATE.name, "gone", None, partition=P)
        consumer.commit({(FINDINGS.name, P): 2}, {(FINDINGS.name, P): str(first.epoch)})
        say(producer, first.epoch, 110)
    with member(cluster, "score") as consumer:
        second = take(cluster, consumer, producer)
    assert second.epoch > first.epoch
    assert {name: state.end_sample for name, state in second.states.items()} == {PATIENT: 101}
    assert through(second) == [110]


def test_what_a_fenced_writer_wrote_is_not_found(cluster: Cluster, producer: Producer) -> None:
    with member(cluster, "score") as consumer:
        zombie = take(cluster, consumer, producer)
        say(producer, zombie.epoch, 100)
        keep(producer, zombie.epoch, 101)
    with member(cluster, "score") as consumer:
        rightful = take(cluster, consumer, producer)
        say(producer, zombie.epoch, 110)  # it wakes up
        keep(producer, zombie.epoch, 111)
        say(producer, rightful.epoch, 120)
    with member(cluster, "score") as consumer:
        third = take(cluster, consumer, producer)
    assert through(third) == [100, 120]
    assert third.states[PATIENT].end_sample == 101


def test_fence_holds_where_the_tail_begins_behind_the_announcement(
    cluster: Cluster, producer: Producer
) -> None:
    with member(cluster, "score") as consumer:
        zombie = take(cluster, consumer, producer)
    with member(cluster, "score") as consumer:
        rightful = take(cluster, consumer, producer)
        place = (FINDINGS.name, P)
        consumer.commit(
            {place: rightful.ends[FINDINGS.name]},
            {place: str(rightful.epoch)},  # as Ledger.to_commit does
        )
        say(producer, zombie.epoch, 110)
        say(producer, rightful.epoch, 120)
    with member(cluster, "score") as consumer:
        assert through(take(cluster, consumer, producer)) == [120]


def test_group_that_counts_anew_opens_an_era(cluster: Cluster, producer: Producer) -> None:
    say(producer, 57, 100)
    with member(cluster, f"score-{uuid.uuid4().hex[:6]}") as consumer:
        taken = take(cluster, consumer, producer)
        assert taken.epoch == new_era(57, consumer.generation + 1)
        again = take(cluster, consumer, producer)
    assert again.epoch > taken.epoch > 57


def test_member_that_was_left_behind_takes_nothing(cluster: Cluster, producer: Producer) -> None:
    with member(cluster, "score") as paused:
        paused._consumer._coordinator._disable_heartbeat()  # as if the process were stopped
        with member(cluster, "score") as rightful:
            taken = take(cluster, rightful, producer)
            with pytest.raises(FencedError):
                take(cluster, paused, producer)
            assert take(cluster, rightful, producer).epoch > taken.epoch


def test_messages_that_are_not_ours_do_not_stop_a_takeover(
    cluster: Cluster, producer: Producer
) -> None:
    for topic in (FINDINGS.name, SCORE_STATE.name):
        producer.send(topic, "someone", b"\xff not ours", partition=P)
        producer.send(topic, EPOCH_KEY, b"{}", partition=P)
        producer.send(topic, "someone", b'{"epoch": 1}', partition=P)
    producer.flush()
    with member(cluster, "score") as consumer:
        taken = take(cluster, consumer, producer)
    assert taken.epoch > 0
    assert taken.states == {}

import itertools

import pytest

from ecg.alarm import Priority
from stream.kafka import Incoming
from stream.outbox import EXPIRY_S, Attempt, Event, GivenUp, Lane, Outbox
from stream.webhook import Answer

TAKEN = Answer(result="delivered", detail="status 204")
FAILED = Answer(result="failed", detail="status 500")
REFUSED = Answer(result="refused", detail="status 404")
GONE = Answer(result="gone", detail="status 410")


def event(
    offset: int,
    *,
    patient: str = "p1",
    alarm: str | None = None,
    priority: Priority = "medium",
    partition: int = 0,
    born_s: float = 0.0,
) -> Event:
    message = Incoming(
        topic="ecg.alarms",
        partition=partition,
        offset=offset,
        key=patient,
        value=b"{}",
        headers=(),
        timestamp_ms=0,
    )
    alarm = alarm or f"alarm-of-{patient}"
    return Event(
        message=message,
        event_id=f"{alarm}.{offset}",
        alarm_id=alarm,
        patient=patient,
        priority=priority,
        epoch=1,
        born_s=born_s,
    )


def outbox(*events: Event, has_fallback: bool = False, window: int = 100) -> Outbox:
    box = Outbox(has_fallback=has_fallback, window=window)
    for one in events:
        box.add(one)
    return box


def names(attempts: list[Attempt]) -> list[str]:
    return [f"{a.event.message.offset}{'f' if a.lane == 'fallback' else ''}" for a in attempts]


def attempt(box: Outbox, now_s: float, answer: Answer, only: str | None = None) -> list[str]:
    """Make every attempt that is due, or the one named; returns which."""
    box.sweep(now_s)
    due = [one for one in box.due(now_s) if only is None or names([one]) == [only]]
    for one in due:
        box.start(one)
    for one in due:
        box.finish(one, answer, now_s)
    return names(due)


def test_retries_come_after_1_2_4_8_s_and_then_every_30_s_marked_late() -> None:
    box = outbox(event(0))
    made = []
    for tenth in range(0, 1100):
        now_s = tenth / 10
        for one in box.due(now_s):
            made.append((now_s, one.late, one.tries))
            box.start(one)
            box.finish(one, FAILED, now_s)
    assert made == [
        (0.0, False, 1),
        (1.0, False, 2),
        (3.0, False, 3),
        (7.0, False, 4),
        (15.0, False, 5),
        (45.0, True, 6),
        (75.0, True, 7),
        (105.0, True, 8),
    ]


def test_event_is_given_up_after_a_day_but_never_untried() -> None:
    box = outbox(event(0), event(1, patient="p2", born_s=-2 * EXPIRY_S))
    assert box.sweep(0.0) == []
    assert attempt(box, 0.0, FAILED) == ["1", "0"]
    (old,) = box.sweep(1.0)
    assert (old.event.message.offset, old.reason) == (1, "webhook-expired")
    assert "not taken within 24 h, 1 attempts" in old.detail
    assert box.sweep(EXPIRY_S - 1) == []
    assert [g.event.message.offset for g in box.sweep(EXPIRY_S)] == [0]
    assert len(box) == 0


def test_receiver_is_left_alone_as_long_as_it_asks() -> None:
    box = outbox(event(0))
    attempt(box, 0.0, Answer(result="failed", detail="status 429", retry_after_s=20.0))
    assert box.due(19.9) == []
    assert names(box.due(20.0)) == ["0"]
    attempt(box, 20.0, Answer(result="failed", detail="status 503", retry_after_s=0.5))
    assert box.due(21.9) == []  # sooner than the schedule is not asked for
    assert names(box.due(22.0)) == ["0"]


def test_events_of_a_patient_go_in_order_and_patients_do_not_wait_for_each_other() -> None:
    box = outbox(event(0), event(1), event(2, patient="p2"), event(3, patient="p2"))
    assert names(box.due(0.0)) == ["0", "2"]
    attempt(box, 0.0, FAILED, only="0")
    assert attempt(box, 0.0, TAKEN) == ["2"]
    assert attempt(box, 0.0, TAKEN) == ["3"]
    assert box.due(0.9) == []
    assert attempt(box, 1.0, TAKEN) == ["0"]
    assert attempt(box, 1.0, TAKEN) == ["1"]


def test_event_under_way_is_not_attempted_twice() -> None:
    box = outbox(event(0))
    (first,) = box.due(0.0)
    box.start(first)
    assert box.due(100.0) == []


def test_high_event_passes_a_stuck_alarm_of_its_patient_but_keeps_its_own_order() -> None:
    box = outbox(
        event(0, alarm="noisy", priority="low"),
        event(1, alarm="vt", priority="high"),
        event(2, alarm="vt", priority="high"),
        event(3, alarm="pause"),
    )
    attempt(box, 0.0, FAILED, only="0")
    assert attempt(box, 0.0, FAILED) == ["1"]
    assert box.due(0.5) == []
    assert attempt(box, 1.0, TAKEN, only="1") == ["1"]
    assert attempt(box, 1.0, TAKEN, only="2") == ["2"]
    assert names(box.due(1.0)) == ["0"]


def test_most_urgent_attempt_comes_first() -> None:
    box = outbox(
        event(0, patient="a", priority="low"),
        event(1, patient="b", priority="medium"),
        event(2, patient="c", priority="high", born_s=-1.0),
        event(3, patient="d", priority="high", born_s=-2.0),
    )
    assert names(box.due(0.0)) == ["3", "2", "1", "0"]


def test_commit_stays_at_the_oldest_event_that_is_not_done() -> None:
    box = outbox(
        event(4, patient="a"), event(5, patient="b"), event(6, patient="c"), event(2, partition=1)
    )
    box.pass_over(0, 7)
    attempt(box, 0.0, TAKEN, only="5")
    attempt(box, 0.0, TAKEN, only="6")
    commits = box.commits()
    assert {p: commit.offset for p, commit in commits.items()} == {0: 4, 1: 2}
    assert commits[0].oldest == event(4, patient="a")
    attempt(box, 0.0, TAKEN, only="4")
    assert box.commits()[0].offset == 8
    assert box.commits()[0].oldest is None


def test_high_event_goes_to_the_fallback_after_15_s_and_the_endpoint_is_asked_on() -> None:
    box = outbox(event(0, priority="high"), event(1, patient="p2"), has_fallback=True)
    for now_s in (0.0, 1.0, 3.0, 7.0):
        assert attempt(box, now_s, FAILED) == ["0", "1"]
    assert attempt(box, 14.9, FAILED) == []
    assert attempt(box, 15.0, TAKEN, only="0f") == ["0f"]
    assert box.commits()[0].offset == 0
    assert attempt(box, 15.0, FAILED) == ["0", "1"]
    assert attempt(box, 45.0, TAKEN) == ["0", "1"]
    assert box.commits()[0].offset == 2


def test_fallback_is_not_asked_on_when_the_endpoint_has_taken_the_event() -> None:
    box = outbox(event(0, priority="high"), has_fallback=True)
    attempt(box, 0.0, FAILED)
    attempt(box, 15.0, FAILED, only="0f")
    assert attempt(box, 15.0, TAKEN, only="0") == ["0"]
    assert len(box) == 0


def test_fallback_under_way_is_waited_for_when_the_endpoint_takes_the_event() -> None:
    box = outbox(event(0, priority="high"), has_fallback=True)
    box.sweep(15.0)
    by_lane = {a.lane: a for a in box.due(15.0)}
    for one in by_lane.values():
        box.start(one)
    box.finish(by_lane["endpoint"], TAKEN, 15.0)
    assert len(box) == 1
    box.finish(by_lane["fallback"], FAILED, 15.0)
    assert len(box) == 0


def test_refused_event_is_given_up_and_a_high_one_goes_to_the_fallback_at_once() -> None:
    box = outbox(event(0, priority="high"), event(1, patient="p2"), has_fallback=True)
    given_up: list[GivenUp] = []
    for one in box.due(0.0):
        box.start(one)
        given_up += box.finish(one, REFUSED, 0.0)
    assert [(g.event.message.offset, g.reason, g.detail) for g in given_up] == [
        (0, "webhook-refused", "status 404"),
        (1, "webhook-refused", "status 404"),
    ]
    assert box.commits()[0].offset == 0
    assert attempt(box, 0.0, TAKEN) == ["0f"]
    assert box.commits()[0].offset == 2


def test_endpoint_that_is_gone_gets_nothing_more_but_high_events_reach_the_fallback() -> None:
    box = outbox(event(0), event(1), event(2, patient="p2", priority="high"), has_fallback=True)
    (first, *_) = [a for a in box.due(0.0) if a.event.message.offset == 0]
    box.start(first)
    (refused,) = box.finish(first, GONE, 0.0)
    assert refused.reason == "webhook-gone"
    assert [g.event.message.offset for g in box.sweep(0.0)] == [1, 2]
    assert names(box.due(0.0)) == ["2f"]
    box.add(event(3, patient="p3"))
    assert [g.event.message.offset for g in box.sweep(0.0)] == [3]


def test_endpoint_stays_gone_in_the_next_outbox() -> None:
    gone: dict[Lane, str] = {}
    box = Outbox(has_fallback=False, gone=gone)
    box.add(event(0))
    attempt(box, 0.0, GONE)
    following = Outbox(has_fallback=False, gone=gone)
    following.add(event(1))
    assert [g.reason for g in following.sweep(0.0)] == ["webhook-gone"]


def test_oldest_of_the_lowest_priority_is_given_up_when_too_many_wait() -> None:
    box = outbox(
        event(0, priority="high"),
        event(1, patient="p2", priority="medium"),
        event(2, patient="p3", priority="medium"),
        window=3,
    )
    (dropped,) = box.add(event(3, patient="p4", priority="high"))
    assert (dropped.event.message.offset, dropped.reason) == (1, "webhook-too-many")
    assert len(box) == 3


def test_answer_is_ignored_when_the_partition_went_to_another_process() -> None:
    box = outbox(event(0), event(1, patient="p2", partition=1))
    (first, *_) = [a for a in box.due(0.0) if a.event.message.partition == 0]
    box.start(first)
    box.forget([0])
    assert box.finish(first, REFUSED, 0.0) == []
    assert set(box.commits()) == {1}
    box.add(event(0))
    assert "0" in names(box.due(0.0))


@pytest.mark.parametrize("seed", range(5))
def test_every_event_is_delivered_once_in_order_whatever_the_receiver_answers(seed: int) -> None:
    answers = itertools.cycle([*[FAILED, TAKEN, TAKEN, FAILED, FAILED, TAKEN][seed:], TAKEN])
    events = [event(i, patient=f"p{i % 3}", alarm=f"a{i % 6}") for i in range(60)]
    box = outbox(*events)
    taken: list[Event] = []
    now_s = 0.0
    while len(box):
        for one in box.due(now_s):
            box.start(one)
            answer = next(answers)
            box.finish(one, answer, now_s)
            if answer is TAKEN:
                taken.append(one.event)
        now_s += 0.5
        assert now_s < 10_000
    assert sorted(e.message.offset for e in taken) == list(range(60))
    for patient in ("p0", "p1", "p2"):
        offsets = [e.message.offset for e in taken if e.patient == patient]
        assert offsets == sorted(offsets)


def test_new_low_event_does_not_push_out_a_high_one() -> None:
    highs = [event(n, patient=f"p{n}", priority="high") for n in range(3)]
    box = outbox(*highs, window=3)
    (given_up,) = box.add(event(3, patient="p3", priority="low"))
    assert (given_up.event.message.offset, given_up.reason) == (3, "webhook-too-many")
    assert attempt(box, 0.0, TAKEN) == ["0", "1", "2"]
    commit = box.commits()[0]
    assert (commit.offset, commit.oldest) == (4, None)

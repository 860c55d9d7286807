"""From the alarms topic to receivers: what is posted, what is committed, what is given up."""

import pytest

from stream.courier import RESERVED, SINCE_S, WORKERS
from stream.errors import BrokerError
from stream.workers import Workers
from tests.stream.alarms import body
from tests.stream.courier_bench import NOW_S, Bench


def test_event_is_posted_byte_for_byte_and_committed() -> None:
    bench = Bench()
    bench.inbox.write(body())
    bench.run(bench.courier())
    (request,) = bench.requests
    assert request.content == body()
    assert request.headers["webhook-id"] == "a1.1"
    assert bench.inbox.commits[("ecg.alarms", 0)] == 1
    assert [(d.event_id, d.answer.result, d.tries) for d in bench.deliveries] == [
        ("a1.1", "delivered", 1)
    ]


def test_event_is_not_committed_before_it_is_taken_and_comes_again_with_the_same_id() -> None:
    bench = Bench(statuses={"a1.1": 500})
    bench.inbox.write(body())
    bench.run(bench.courier())
    assert bench.inbox.commits[("ecg.alarms", 0)] == 0
    bench.statuses.clear()
    bench.inbox.assigned = frozenset({0, 1})  # killed, and started again
    bench.run(bench.courier())
    assert bench.ids() == ["a1.1", "a1.1"]
    assert bench.requests[0].content == bench.requests[1].content
    assert bench.inbox.commits[("ecg.alarms", 0)] == 1


def test_new_endpoint_begins_a_quarter_of_an_hour_ago_and_remembers_where() -> None:
    bench = Bench()
    for sequence in (1, 2):
        bench.inbox.write(body(sequence))
    bench.inbox.at_time = 1
    bench.run(bench.courier())
    assert bench.inbox.asked_since_ms == (NOW_S - SINCE_S) * 1000
    assert bench.ids() == ["a1.2"]
    assert bench.inbox.commits[("ecg.alarms", 1)] == 1


def test_repeat_and_words_of_a_fenced_writer_are_not_delivered() -> None:
    bench = Bench()
    bench.inbox.write(body(1, epoch=5))
    bench.inbox.write(body(1, epoch=5))
    bench.inbox.write(body(2, epoch=4))
    bench.inbox.write(body(2, epoch=6))
    bench.run(bench.courier())
    assert bench.ids() == ["a1.1", "a1.2"]
    assert bench.inbox.commits[("ecg.alarms", 0)] == 4


def test_fenced_writer_is_not_delivered_after_a_restart_either() -> None:
    bench = Bench()
    bench.inbox.write(body(1, epoch=5))
    bench.run(bench.courier())
    bench.inbox.write(body(2, epoch=4))
    bench.inbox.write(body(2, epoch=5))
    bench.inbox.assigned = frozenset({0, 1})
    bench.run(bench.courier())
    assert bench.ids() == ["a1.1", "a1.2"]
    assert b'"epoch":5' in bench.requests[1].content


def test_event_stuck_at_a_takeover_is_delivered_after_a_restart_although_its_epoch_is_old() -> None:
    bench = Bench(statuses={"a1.1": 500})
    bench.inbox.write(body(1, epoch=5))
    bench.inbox.write(body(1, alarm_id="a2", patient="p2", epoch=6))
    bench.run(bench.courier())
    bench.statuses.clear()
    bench.inbox.assigned = frozenset({0, 1})
    bench.run(bench.courier())
    assert bench.ids() == ["a1.1", "a2.1", "a1.1", "a2.1"]


def test_partition_that_comes_back_is_read_again_from_the_commit() -> None:
    bench = Bench(statuses={"a1.1": 500})
    bench.inbox.write(body())
    courier = bench.courier()
    bench.run(courier, 0.5)
    bench.statuses.clear()
    bench.inbox.revoked = bench.inbox.assigned = frozenset({0})
    bench.run(courier)
    assert bench.ids() == ["a1.1", "a1.1"]
    assert bench.inbox.commits[("ecg.alarms", 0)] == 1


def test_only_wanted_priorities_are_posted_but_all_are_committed() -> None:
    bench = Bench()
    for i, priority in enumerate(("low", "medium", "high")):
        bench.inbox.write(body(alarm_id=f"a{i}", priority=priority))
    bench.run(bench.courier(min_priority="medium"))
    assert bench.ids() == ["a2.1", "a1.1"]
    assert bench.inbox.commits[("ecg.alarms", 0)] == 3


def test_garbage_becomes_a_dead_letter_and_stops_nobody() -> None:
    bench = Bench()
    bench.inbox.write(b"\x00garbage")
    bench.inbox.write(b"{}")
    bench.inbox.write(body())
    bench.run(bench.courier())
    assert bench.buried == [(0, "unreadable"), (1, "unreadable")]
    assert bench.ids() == ["a1.1"]
    assert bench.inbox.commits[("ecg.alarms", 0)] == 3


def test_refused_event_is_a_dead_letter_before_it_is_committed() -> None:
    bench = Bench(statuses={"a1.1": 404}, broker_away=True)
    bench.inbox.write(body())
    with pytest.raises(BrokerError):
        bench.run(bench.courier())
    assert bench.inbox.commits.get(("ecg.alarms", 0), 0) == 0
    bench.broker_away = False
    bench.unsettled.clear()
    bench.inbox.assigned = frozenset({0, 1})
    bench.run(bench.courier())
    assert bench.buried == [(0, "webhook-refused")]
    assert bench.inbox.commits[("ecg.alarms", 0)] == 1


def test_endpoint_that_is_gone_is_asked_once() -> None:
    bench = Bench(statuses={"a1.1": 410})
    bench.inbox.write(body(1))
    bench.inbox.write(body(2))
    bench.run(bench.courier())
    bench.inbox.write(body(3))
    bench.inbox.assigned = frozenset({0, 1})
    bench.run(bench.courier())
    assert bench.ids() == ["a1.1"]
    assert bench.buried == [(0, "webhook-gone"), (1, "webhook-gone"), (2, "webhook-gone")]


def test_high_alarm_goes_to_the_fallback_and_says_from_where_when_unanswered() -> None:
    bench = Bench(statuses={"a1.1": 503})
    bench.inbox.write(body())
    courier = bench.courier(fallback=True)
    bench.run(courier, 14)
    assert {request.url.host for request in bench.requests} == {"main.example"}
    bench.run(courier, 1.5)
    (escalated,) = [r for r in bench.requests if r.url.host == "pager.example"]
    assert escalated.headers["rhythmwatch-escalated-from"] == "main"
    assert escalated.headers["webhook-id"] == "a1.1"
    assert escalated.content == body()


def test_event_is_marked_late_when_it_is_old() -> None:
    bench = Bench()
    bench.inbox.write(body(1), age_s=60)
    bench.inbox.write(body(1, alarm_id="a2", patient="p2"), age_s=1)
    bench.run(bench.courier())
    late = {r.headers["webhook-id"]: "rhythmwatch-late" in r.headers for r in bench.requests}
    assert late == {"a1.1": True, "a2.1": False}


def test_red_alarm_has_a_free_hand_when_others_hang() -> None:
    bench = Bench(held=True)
    for i in range(20):
        bench.inbox.write(body(alarm_id=f"m{i}", patient=f"m{i}", priority="medium"))
    courier = bench.courier()
    bench.run(courier)
    assert len(bench.waiting) == WORKERS - RESERVED
    bench.inbox.write(body(alarm_id="red", patient="red", priority="high"))
    courier.step(0.0)
    bench.waiting[-1]()
    assert bench.ids() == ["red.1"]


def test_nothing_is_given_up_of_what_waited_for_us_while_the_endpoint_takes_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("stream.courier.WINDOW", 100)
    bench = Bench()
    written = [f"x{i}" for i in range(1200)]
    for i, name in enumerate(written):
        value = body(alarm_id=name, patient=f"p{i % 50}", priority="low")
        bench.inbox.write(value, partition=i % 2, age_s=600)
    courier = bench.courier()
    bench.run(courier, len(written) / (WORKERS - RESERVED) / 4 + 5)
    assert bench.buried == []
    assert sorted(bench.ids()) == sorted(f"{name}.1" for name in written)
    assert bench.inbox.commits == {("ecg.alarms", 0): 600, ("ecg.alarms", 1): 600}


def test_endpoint_that_takes_nothing_does_not_keep_a_red_alarm_from_the_fallback(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("stream.courier.WINDOW", 20)
    bench = Bench(statuses={f"x{i}.1": 503 for i in range(60)} | {"red.1": 503})
    for i in range(60):
        bench.inbox.write(body(alarm_id=f"x{i}", patient=f"p{i}", priority="low"))
    bench.inbox.write(body(alarm_id="red", patient="red"))
    courier = bench.courier(fallback=True)
    bench.run(courier, 14)
    assert bench.buried == []
    bench.run(courier, 3)
    asked = {r.url.host for r in bench.requests if r.headers["webhook-id"] == "red.1"}
    assert asked == {"main.example", "pager.example"}
    assert bench.buried == [(i, "webhook-too-many") for i in range(41)]


def test_fallback_has_free_hands_when_the_endpoint_hangs() -> None:
    bench = Bench(held=True)
    for i in range(WORKERS + 1):
        bench.inbox.write(body(alarm_id=f"red{i}", patient=f"p{i}", priority="high"))
    courier = bench.courier(fallback=True)
    bench.run(courier, 16)
    for attempt in bench.waiting[WORKERS:]:
        attempt()
    assert {request.url.host for request in bench.requests} == {"pager.example"}
    assert len(bench.requests) == WORKERS


def test_commit_refused_by_the_group_is_left_to_the_next_owner() -> None:
    bench = Bench()
    bench.inbox.write(body())
    bench.inbox.commits = {("ecg.alarms", p): 0 for p in (0, 1)}
    bench.inbox.fenced = True
    bench.run(bench.courier())
    assert bench.ids() == ["a1.1"]
    assert bench.inbox.commits[("ecg.alarms", 0)] == 0


def test_attempts_under_way_are_waited_for_at_the_end() -> None:
    bench = Bench()
    bench.inbox.write(body())
    workers = Workers("test", 1)
    courier = bench.courier()
    courier._submit = workers.submit
    bench.run(courier, 0.5)
    courier.finish()
    workers.close()
    assert bench.ids() == ["a1.1"]
    assert bench.inbox.commits[("ecg.alarms", 0)] == 1

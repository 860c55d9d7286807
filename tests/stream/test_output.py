"""What ``score`` says of a tick, and what it holds back."""

from collections.abc import Mapping
from typing import cast

import msgspec
import pytest

from ecg.finding import Beat, Findings, Span
from stream.clock import ManualClock
from stream.kafka import Place, Producer
from stream.ledger import Ledger
from stream.messages import FindingsMessage, ScoreState
from stream.score_output import HOLD_S, Output
from stream.score_patient import Partition
from stream.takeover import Taken
from stream.topics import FINDINGS, WAVEFORMS
from stream.watermark import Watermarks
from stream.wire import decode


class Sent:
    """Stands in for the producer."""

    def __init__(self) -> None:
        self.messages: list[FindingsMessage] = []

    def send(self, topic: str, key: str, value: bytes, *, partition: int) -> None:
        message = decode(value, FindingsMessage)
        assert (topic, key, partition) == (FINDINGS.name, message.patient, 0)
        self.messages.append(message)

    def flush(self) -> Mapping[Place, int]:
        return {(FINDINGS.name, 0): len(self.messages)}


class Desk:
    """An output with one partition."""

    def __init__(self) -> None:
        taken: Taken[ScoreState] = Taken(
            partition=0,
            epoch=7,
            states={},
            inputs={WAVEFORMS.name: 0},
            until={WAVEFORMS.name: 0},
            tail=(),
            committed={FINDINGS.name: 0},
            marks={FINDINGS.name: ((0, 7),)},
            ends={FINDINGS.name: 0},
        )
        self.sent = Sent()
        self.part = Partition(number=0, epoch=7, ledger=Ledger(taken), watermarks=Watermarks())
        self.output = Output(
            {0: self.part}, cast(Producer, self.sent), ManualClock(0), n_partitions=1
        )

    def ranges(self) -> list[tuple[str, int, int, int, int]]:
        """Return stream, range, spans and beats of what was sent."""
        return [
            (one.stream, one.after_sample, one.through_sample, len(one.spans), len(one.beats))
            for one in self.sent.messages
        ]


@pytest.fixture
def desk() -> Desk:
    return Desk()


def tick(n: int, *, beat: bool = False, stream: str = "s1", patient: str = "p1") -> Findings:
    """Return what the nth chunk of 100 samples shows."""
    first = 100 * n
    return Findings(
        patient=patient,
        stream=stream,
        fs=250.0,
        after_sample=first - 1,
        through_sample=first + 99,
        spans=(Span(first_sample=first, n_samples=100, source_ns=n, sent_ns=n),),
        beats=(Beat(sample=first, decided_sample=first + 9, beat_class="N", lead="II"),) * beat,
    )


def test_samples_that_show_nothing_go_out_with_the_next_finding(desk: Desk) -> None:
    for n in range(3):
        desk.output.say([tick(n), tick(n, beat=True, patient="p2")], now_s=0.1 * n)
    assert [one.patient for one in desk.sent.messages] == ["p2"] * 3
    desk.sent.messages.clear()
    desk.output.say([tick(3, beat=True)], now_s=0.3)
    desk.output.say([tick(4)], now_s=0.4)
    assert desk.ranges() == [("s1", -1, 399, 4, 1)]
    assert [span.sent_ns for span in desk.sent.messages[0].spans] == [0, 1, 2, 3]
    assert desk.sent.messages[0].epoch == 7


def test_what_is_held_back_goes_out_when_it_is_old(desk: Desk) -> None:
    desk.output.say([tick(0)], now_s=5.0)
    desk.output.say([tick(1)], now_s=5.4)
    desk.output.let_go_of_old(now_s=5.0 + HOLD_S - 0.01)
    assert desk.ranges() == []
    desk.output.let_go_of_old(now_s=5.0 + HOLD_S)
    assert desk.ranges() == [("s1", -1, 199, 2, 0)]
    desk.output.let_go_of_old(now_s=10.0)
    assert len(desk.sent.messages) == 1


def test_another_stream_lets_go_of_what_is_held_back(desk: Desk) -> None:
    desk.output.say([tick(0)], now_s=0.0)
    desk.output.say([tick(0, stream="s2")], now_s=0.1)
    desk.output.let_go(desk.part, ["p1", "nobody"])
    assert desk.ranges() == [("s1", -1, 99, 1, 0), ("s2", -1, 99, 1, 0)]


def test_nothing_is_said_that_was_heard_before(desk: Desk) -> None:
    desk.part.watermarks.advance("p1", "s1", 149)
    desk.output.say([tick(0, beat=True)], now_s=0.0)
    desk.output.say([tick(1)], now_s=0.1)
    desk.output.say([tick(2, beat=True)], now_s=0.2)
    assert desk.ranges() == [("s1", 149, 299, 2, 1)]
    assert msgspec.to_builtins(desk.sent.messages[0].beats[0])["decided_sample"] == 209

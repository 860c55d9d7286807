"""What ``score`` takes in, what waits, and what is given up."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import cast

import msgspec
import numpy as np
import pytest

from ecg.checkpoint import SHIPPED, load
from ecg.chunk import LAST_SAMPLE, Chunk
from ecg.monitor import Monitor
from stream import score_intake
from stream.chunks import LONGEST_S
from stream.dead_letter import DeadLetters
from stream.kafka import Incoming
from stream.ledger import Ledger
from stream.messages import ScoreState, Signal, Waveform
from stream.score_intake import SHARE, Intake
from stream.score_patient import Partition
from stream.takeover import Taken
from stream.topics import FINDINGS, WAVEFORMS
from stream.watermark import Watermarks
from stream.wire import encode, encode_waveform
from tests.waveforms import FS, START_NS, chunks, noise, waveform

W = WAVEFORMS.name
SECOND_NS = 1_000_000_000


@dataclass
class Letters:
    """Stands in for the dead letters."""

    given_up: list[tuple[int, str]] = field(default_factory=list)

    def give_up(self, message: Incoming, reason: str, detail: str) -> None:
        self.given_up.append((message.offset, reason))


class Desk:
    """An intake with one partition, and the offsets of what is sent to it."""

    def __init__(self) -> None:
        taken: Taken[ScoreState] = Taken(
            partition=0,
            epoch=1,
            states={},
            inputs={W: 0},
            until={W: 0},
            tail=(),
            committed={FINDINGS.name: 0},
            marks={FINDINGS.name: ((0, 1),)},
            ends={FINDINGS.name: 0},
        )
        self.letters = Letters()
        self.part = Partition(number=0, epoch=1, ledger=Ledger(taken), watermarks=Watermarks())
        self._intake = Intake({0: self.part}, cast(DeadLetters, self.letters), n_partitions=1)
        self._offsets = count()

    def take(self, sent: Sequence[Waveform], *, now_s: float = 0.0) -> list[tuple[str, int]]:
        """Return patients and first samples of what is judged."""
        return [
            (chunk.patient, chunk.first_sample) for _, chunk in self.admitted(sent, now_s=now_s)
        ]

    def admitted(
        self, sent: Sequence[Waveform], *, now_s: float = 0.0
    ) -> list[tuple[Incoming, Chunk]]:
        return self.admit([(one.patient, encode_waveform(one)) for one in sent], now_s=now_s)

    def admit(
        self, sent: Sequence[tuple[str, bytes]], *, now_s: float = 0.0
    ) -> list[tuple[Incoming, Chunk]]:
        messages = [Incoming(W, 0, next(self._offsets), key, value, (), 0) for key, value in sent]
        return self._intake.take(messages, now_s=now_s)

    def committed(self) -> int:
        return self.part.ledger.to_commit()[0][(W, 0)]


def stream(patient: str, n: int, *, start: int = 0, pace_s: float = 0.1) -> list[Waveform]:
    """Return n chunks of 100 ms, sent ``pace_s`` apart."""
    return [
        waveform(
            patient,
            noise(0.1),
            first_sample=25 * k,
            sent_ns=START_NS + round(k * pace_s * SECOND_NS),
        )
        for k in range(start, start + n)
    ]


def test_who_sends_too_much_waits_and_others_do_not() -> None:
    desk = Desk()
    flood, one = stream("p1", 2 * SHARE + 5), stream("p2", 3)
    first = desk.take([*flood, *one])
    assert first == [("p1", 25 * k) for k in range(SHARE)] + [("p2", 25 * k) for k in range(3)]
    # what waits goes first, and what comes meanwhile waits behind it
    second = desk.take([*stream("p1", 1, start=2 * SHARE + 5), *stream("p2", 1, start=3)])
    assert second == [("p1", 25 * k) for k in range(SHARE, 2 * SHARE)] + [("p2", 75)]
    third = desk.take([])
    assert third == [("p1", 25 * k) for k in range(2 * SHARE, 2 * SHARE + 6)]
    assert desk.take([]) == []
    assert (desk.letters.given_up, desk.part.n_waiting) == ([], 0)


@pytest.mark.parametrize(
    ("length_s", "missing_s"),
    [(0.25, 59.0), (LONGEST_S, 59.0), (LONGEST_S, 0.0)],
)
def test_what_is_said_of_a_patient_in_a_tick_is_taken_by_a_broker(
    length_s: float, missing_s: float
) -> None:
    # a name as long as it may be, of characters that take six bytes each
    leads = [Signal(name=c * 64, kind="ecg", unit="mV", gain=200.0, baseline=0) for c in "\x01\x02"]
    samples = np.hstack([noise(length_s)] * 2)
    step = len(samples) + round(missing_s * FS)
    sent = [waveform("p1", samples, first_sample=k * step, signals=leads) for k in range(SHARE)]
    desk, monitor = Desk(), Monitor(load(SHIPPED))
    waiting, seen, largest = sent, 0, 0
    while waiting or desk.part.n_waiting:
        judged = [chunk for _, chunk in desk.admitted(waiting)]
        waiting, seen = [], seen + len(judged)
        largest = max(largest, *(len(encode(found)) for found in monitor.advance(judged)))
    assert seen == SHARE
    assert 50_000 < largest < 900_000  # a broker takes 1,048,588 by its own default


def test_what_waits_is_covered_by_no_state_and_no_offset() -> None:
    desk = Desk()
    desk.take([*stream("p1", SHARE + 10), *stream("p2", 1)])
    ledger = desk.part.ledger
    assert ledger.inputs("p1") == {W: SHARE}
    assert ledger.inputs("p2") == {W: SHARE + 11}
    ledger.written("p1")
    ledger.written("p2")
    assert desk.committed() == SHARE
    desk.take([])
    assert ledger.inputs("p1") == {W: SHARE + 11}
    ledger.written("p1")
    assert desk.committed() == SHARE + 11


def test_device_that_floods_is_given_up_where_others_would_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(score_intake, "MAX_WAITING", 20)
    desk = Desk()
    desk.take(stream("p2", 1))
    desk.take(stream("p1", SHARE + 30, pace_s=0.001))
    assert desk.letters.given_up == [(1 + SHARE + k, "over-quota") for k in range(20, 30)]
    assert desk.part.n_waiting == 20
    # what was given up is no longer waited for, what waits still is
    assert desk.part.ledger.inputs("p1") == {W: 1 + SHARE}


@pytest.mark.parametrize(
    ("pace_s", "others", "now_s"),
    [
        (0.1, ["p2"], 0.0),  # sent at the pace of its signal: it has to be caught up with
        (0.001, [], 0.0),  # nobody else is there
        (0.001, ["p2"], 60.0),  # nobody else has sent anything for a minute
    ],
)
def test_nothing_is_given_up_of_a_device_that_does_not_flood_others(
    monkeypatch: pytest.MonkeyPatch, pace_s: float, others: list[str], now_s: float
) -> None:
    monkeypatch.setattr(score_intake, "MAX_WAITING", 20)
    desk = Desk()
    for other in others:
        desk.take(stream(other, 1))
    desk.take(stream("p1", SHARE + 30, pace_s=pace_s), now_s=now_s)
    assert desk.letters.given_up == []
    assert desk.part.n_waiting == 30


def test_device_that_sends_no_rate_is_given_up_where_others_would_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(score_intake, "MAX_WAITING", 20)
    desk = Desk()
    desk.take(stream("p2", 1))
    sent = stream("p1", SHARE + 21)
    sent[SHARE] = msgspec.structs.replace(sent[SHARE], fs=0.0)
    desk.take(sent)
    assert desk.letters.given_up == [(1 + SHARE + 20, "over-quota")]


def test_chunks_are_those_of_the_messages_in_full() -> None:
    ppg = Signal(name="PLETH", kind="ppg", unit="NU", gain=1.0, baseline=0)
    leads = [Signal(name=n, kind="ecg", unit="uV", gain=0.2, baseline=3) for n in ("II", "V1")]
    three = np.hstack([noise(0.5, seed=n) for n in range(3)])
    sent = [
        *stream("p1", 3),
        *(waveform("p2", three, first_sample=125 * k, signals=[ppg, *leads]) for k in range(3)),
        waveform("p1", noise(0.2), first_sample=75, fs=500.0, stream="s2"),
        waveform("p1", noise(0.2, seed=5), first_sample=125, fs=500.0, stream="s2"),
        # another gain within the stream
        waveform("p2", three, first_sample=375, signals=[ppg, leads[0], leads[0]]),
    ]
    desk = Desk()
    messages = [
        Incoming(W, 0, n, one.patient, encode_waveform(one), (), 0) for n, one in enumerate(sent)
    ]
    found = [chunk for _, chunk in desk._intake.take(messages, now_s=0.0)]
    for one, expected in zip(found, chunks(sent), strict=True):
        assert np.array_equal(one.samples, expected.samples)
        assert one.samples.dtype == np.int16
        for name in ("patient", "stream", "first_sample", "fs", "leads", "gain", "baseline"):
            assert getattr(one, name) == getattr(expected, name)
        for name in ("discontinuity", "source_ns", "sent_ns"):
            assert getattr(one, name) == getattr(expected, name)


def test_message_that_is_too_long_is_given_up_and_others_go_on() -> None:
    desk = Desk()
    longest = waveform("p1", noise(LONGEST_S))
    assert desk.take([longest]) == [("p1", 0)]
    known = waveform("p1", noise(11), first_sample=2500)
    unknown = waveform("p3", noise(11))
    after = waveform("p1", noise(1), first_sample=5250)
    assert desk.take([known, unknown, waveform("p2", noise(1)), after]) == [("p2", 0), ("p1", 5250)]
    assert desk.letters.given_up == [(1, "refused"), (2, "refused")]
    assert desk.committed() == 0


def test_sample_numbers_that_no_message_of_ours_can_hold_are_refused() -> None:
    desk = Desk()
    last = LAST_SAMPLE - 25
    before, known, unknown = (
        msgspec.structs.replace(waveform(patient, noise(0.1)), first_sample=first)
        for patient, first in (("p1", last - 26), ("p1", last), ("p2", last))
    )
    assert desk.take([before, known, unknown]) == [("p1", last - 26)]
    assert desk.letters.given_up == [(1, "refused"), (2, "refused")]


@pytest.mark.parametrize("name", ["patient", "stream"])
def test_id_with_a_line_end_is_unreadable(name: str) -> None:
    one = waveform("p1", noise(0.1))
    desk = Desk()
    desk.admit([("p1", encode_waveform(msgspec.structs.replace(one, **{name: "p1\n"})))])
    assert desk.letters.given_up == [(0, "unreadable")]


def test_bad_messages_of_a_known_patient_are_given_up() -> None:
    desk = Desk()
    good = stream("p1", 2)
    desk.take(good)
    value = encode_waveform(good[1])
    bad = [
        value[:-1],
        value.replace(b"\xa7version\x01", b"\xa7version\x02"),
        value.replace(b"\xa2p1", b"\xa2p2"),
        b"",
    ]
    assert desk.admit([("p1", one) for one in bad]) == []
    assert [reason for _, reason in desk.letters.given_up] == [
        "unreadable",
        "unreadable",
        "wrong-key",
        "unreadable",
    ]


def test_stream_that_the_monitor_would_refuse_does_not_unseat_the_one_before() -> None:
    desk = Desk()
    desk.take(stream("p1", 2))
    wrong = waveform("p1", noise(0.1), stream="s2", fs=50.0)
    assert desk.take([wrong, *stream("p1", 1, start=2)]) == [("p1", 50)]
    assert desk.letters.given_up == [(2, "refused")]

"""What may be committed, and whose state is due."""

from collections.abc import Sequence

import pytest

from stream.kafka import Incoming
from stream.ledger import REWRITE_EVERY_S, Ledger
from stream.messages import ScoreState
from stream.takeover import Taken

W, F = "ecg.waveforms", "ecg.findings"


class Time:
    """Stands in for the module time."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    stand_in = Time()
    monkeypatch.setattr("stream.ledger.time", stand_in)
    return stand_in


def taken(
    *,
    states: Sequence[str] = (),
    tail: Sequence[str] = (),
    inputs: int = 100,
    until: int = 200,
    end: int = 50,
) -> Taken[ScoreState]:
    return Taken(
        partition=3,
        epoch=7,
        states={
            patient: ScoreState(
                patient=patient, epoch=6, inputs={W: 90}, streams=("s",), end_sample=1, state=b""
            )
            for patient in states
        },
        inputs={W: inputs},
        until={W: until},
        tail=tuple(
            Incoming(
                topic=F,
                partition=3,
                offset=n,
                key=patient,
                value=b"",
                headers=(),
                timestamp_ms=0,
            )
            for n, patient in enumerate(tail)
        ),
        committed={F: 20},
        marks={F: ((0, 2), (30, 6), (49, 7))},
        ends={F: end},
    )


def committed(ledger: Ledger) -> tuple[int, int, str]:
    """Return input offset, output offset and its note of what would be committed at first."""
    offsets, notes = ledger.to_commit()
    return offsets[(W, 3)], offsets[(F, 3)], notes[(F, 3)]


def test_new_partition_commits_what_was_read_and_published(time: Time) -> None:
    ledger = Ledger(taken())
    assert committed(ledger) == (100, 50, "7")
    ledger.passed(W, 100)
    ledger.published({(F, 3): 55, (F, 2): 99, ("other", 3): 1})
    assert committed(ledger) == (101, 55, "7")


def test_input_is_held_at_the_oldest_message_that_is_in_no_state(time: Time) -> None:
    ledger = Ledger(taken())
    ledger.took("a", W, 100)
    ledger.published({(F, 3): 51})
    ledger.took("b", W, 101)
    ledger.took("a", W, 102)
    ledger.published({(F, 3): 53})
    assert committed(ledger)[:2] == (100, 50)
    assert ledger.inputs("a") == {W: 103}
    ledger.written("a")
    assert committed(ledger)[:2] == (101, 51)
    ledger.written("b")
    assert committed(ledger)[:2] == (103, 53)


def test_tail_may_be_needed_again_until_restored_states_are_written(time: Time) -> None:
    ledger = Ledger(taken(states=["a"], tail=["a", "b"]))
    assert committed(ledger) == (100, 20, "2")
    ledger.took("b", W, 100)
    ledger.written("b")
    assert committed(ledger)[1] == 20
    ledger.written("a")
    assert committed(ledger)[1] == 50


def test_tail_is_not_needed_for_who_has_no_state_and_does_not_come_again(time: Time) -> None:
    ledger = Ledger(taken(tail=["gone", "b"], until=103))
    ledger.took("b", W, 100)
    ledger.passed(W, 101)
    assert committed(ledger)[1] == 20
    ledger.passed(W, 102)  # all that stood there has been read again
    assert committed(ledger)[1] == 20
    ledger.written("b")
    assert committed(ledger)[1] == 50


def test_state_of_a_restored_patient_covers_what_it_covered_before(time: Time) -> None:
    ledger = Ledger(taken(states=["a"], inputs=80))  # the state covers all before 90
    assert ledger.inputs("a") == {W: 90}
    ledger.took("b", W, 80)
    assert (ledger.inputs("a"), ledger.inputs("b")) == ({W: 90}, {W: 81})
    for offset in range(81, 95):
        ledger.passed(W, offset)
    assert ledger.inputs("a") == {W: 95}


def test_note_is_the_highest_epoch_before_the_offset(time: Time) -> None:
    ledger = Ledger(taken(end=31))
    assert committed(ledger) == (100, 31, "6")
    assert committed(Ledger(taken(end=30)))[2] == "2"


def test_nothing_is_committed_twice(time: Time) -> None:
    ledger = Ledger(taken())
    offsets, _ = ledger.to_commit()
    ledger.committed(offsets)
    assert ledger.to_commit() == ({}, {})
    ledger.passed(W, 100)
    assert ledger.to_commit() == ({(W, 3): 101}, {})


def test_states_of_those_who_send_are_due_one_after_the_other(time: Time) -> None:
    patients = [f"p{n}" for n in range(10)]
    ledger = Ledger(taken(), every_s=30.0)
    for n, patient in enumerate(patients):
        ledger.took(patient, W, 100 + n)
    assert sorted(ledger.due(everyone=True)) == patients
    written: list[str] = []
    for _ in range(31):
        for patient in list(ledger.due()):
            ledger.written(patient)
            written.append(patient)
        time.now += 1.0
    assert sorted(written) == patients
    assert not list(ledger.due(everyone=True))


def test_silent_patients_are_written_rarely_but_again(time: Time) -> None:
    ledger = Ledger(taken(states=["a", "b"]), every_s=30.0)
    time.now += 31.0
    assert sorted(ledger.due()) == ["a", "b"]
    for patient in ("a", "b"):
        ledger.written(patient)
    time.now += REWRITE_EVERY_S - 1
    assert not list(ledger.due())
    time.now += 2
    assert sorted(ledger.due()) == ["a", "b"]
    ledger.forget("a")
    assert list(ledger.due()) == ["b"]


def test_a_silent_patient_who_sends_again_is_due_soon(time: Time) -> None:
    ledger = Ledger(taken(states=["a"]), every_s=30.0)
    ledger.written("a")
    time.now += 10
    ledger.took("a", W, 100)
    time.now += 30.1
    assert list(ledger.due()) == ["a"]

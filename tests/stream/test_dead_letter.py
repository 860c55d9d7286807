"""What is kept of a message that is given up, however long whoever sent it has made it."""

from typing import Any, cast

import pytest

from stream.clock import SystemClock
from stream.dead_letter import DeadLetters
from stream.kafka import Incoming, Producer
from stream.messages import DeadLetter
from stream.topics import DEAD_LETTERS, WAVEFORMS
from stream.wire import decode

LONG = 1_000_000
FITS = 64 * 1024


class Sent:
    """Stands in for a producer."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, str | None, bytes]] = []

    def partitions(self, topic: str) -> int:
        return 4

    def send(self, topic: str, key: str | None, value: bytes, **_: Any) -> None:
        self.messages.append((topic, key, value))


@pytest.mark.parametrize("letter", ["k", "\x00", "\x1f", '"', "\\", "\ufffd", "\U0001fac0"])
def test_dead_letter_fits_into_a_message_whatever_is_long(
    letter: str, caplog: pytest.LogCaptureFixture
) -> None:
    sent = Sent()
    letters = DeadLetters(cast(Producer, sent), SystemClock(), role="score")
    long = letter * LONG
    message = Incoming(WAVEFORMS.name, 2, 7, long, b"\xff" * LONG, (), 0)
    letters.give_up(message, "unreadable", f"not a waveform: {long}")
    ((topic, key, value),) = sent.messages
    assert topic == DEAD_LETTERS.name
    assert len((key or "").encode()) + len(value) < FITS
    assert len(caplog.text) < FITS
    kept = decode(value, DeadLetter)
    assert (kept.topic, kept.partition, kept.offset) == (WAVEFORMS.name, 2, 7)
    assert kept.detail.startswith("not a waveform: ")
    assert long.startswith(kept.key or "?")

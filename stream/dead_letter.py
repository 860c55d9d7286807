"""Dead letters: messages and deliveries given up, what is kept of them, and why.

They may be written again after a takeover; topic, partition and offset say
which are the same.
"""

import logging
from typing import Literal

from stream.clock import Clock
from stream.kafka import Incoming, Producer
from stream.messages import DeadLetter
from stream.metrics import DEAD_LETTERS as COUNTED
from stream.topics import DEAD_LETTERS
from stream.wire import encode

logger = logging.getLogger(__name__)

KEPT_BYTES = 4096
"""Bytes of a message that its dead letter keeps: enough to see what it was, while a dead letter
stays far below the broker's limit for one message."""
KEPT_KEY = 256
KEPT_DETAIL = 1000
"""Characters kept of a key, and of what was wrong, which may quote the message: both are as long
as whoever sent it has made them."""

Reason = Literal[
    "unreadable",
    "wrong-key",
    "wrong-partition",
    "old-stream",
    "no-ecg",
    "wrong-unit",
    "refused",
    "over-quota",
    "webhook-refused",
    "webhook-gone",
    "webhook-expired",
    "webhook-too-many",
]


def dead_letter(
    *,
    topic: str,
    partition: int,
    offset: int,
    key: bytes | None,
    value: bytes | None,
    reason: str,
    detail: str,
    at_ns: int,
) -> DeadLetter:
    """Return the dead letter of one message.

    Parameters
    ----------
    topic, partition, offset
        Where the message stands.
    key, value : bytes or None
        As read; any bytes. Of the value the first ``KEPT_BYTES`` are kept, of the key
        ``KEPT_KEY`` characters.
    reason : str
        A few words that are the same for every such case, to count by.
    detail : str
        What exactly was wrong with this one; ``KEPT_DETAIL`` characters are kept.
    at_ns : int
        Now, in ns UTC.

    Examples
    --------
    >>> letter = dead_letter(topic="ecg.waveforms", partition=0, offset=7, key=b"p1",
    ...     value=b"garbage", reason="not a waveform", detail="truncated", at_ns=0)
    >>> letter.key, letter.value
    ('p1', b'garbage')
    """
    return DeadLetter(
        topic=topic,
        partition=partition,
        offset=offset,
        reason=reason,
        detail=detail[:KEPT_DETAIL],
        at_ns=at_ns,
        key=None if key is None else key.decode(errors="backslashreplace")[:KEPT_KEY],
        value=(value or b"")[:KEPT_BYTES],
    )


class DeadLetters:
    """Where a role puts what it gives up.

    Parameters
    ----------
    producer : Producer
        Sends them; whoever owns it flushes it.
    clock : Clock
        Dates them.
    role : str
        Name of the role, for the count.
    """

    def __init__(self, producer: Producer, clock: Clock, *, role: str) -> None:
        self._producer = producer
        self._clock = clock
        self._role = role

    def give_up(self, message: Incoming, reason: Reason, detail: str) -> None:
        """Publish a message as a dead letter, and count it.

        Raises
        ------
        BrokerError
            If it cannot be sent.
        """
        letter = dead_letter(
            topic=message.topic,
            partition=message.partition,
            offset=message.offset,
            key=None if message.key is None else message.key.encode(),
            value=message.value,
            reason=reason,
            detail=detail,
            at_ns=self._clock.now_ns(),
        )
        logger.warning(
            "gave up %s: %s: %s", message, reason, letter.detail, extra={"record": str(message)}
        )
        COUNTED.labels(self._role, reason).inc()
        self._producer.send(
            DEAD_LETTERS.name,
            letter.key,
            encode(letter),
            partition=message.partition % self._producer.partitions(DEAD_LETTERS.name),
        )

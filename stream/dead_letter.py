"""Messages and deliveries given up: what is kept of them, and why."""

from stream.messages import DeadLetter

KEPT_BYTES = 4096
"""Bytes of a message that its dead letter keeps: enough to see what it was, while a dead letter
stays far below the broker's limit for one message."""


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
        As read; any bytes. Of the value the first ``KEPT_BYTES`` are kept.
    reason : str
        A few words that are the same for every such case, to count by.
    detail : str
        What exactly was wrong with this one.
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
        detail=detail,
        at_ns=at_ns,
        key=None if key is None else key.decode(errors="backslashreplace"),
        value=(value or b"")[:KEPT_BYTES],
    )

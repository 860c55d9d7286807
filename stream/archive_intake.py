"""What comes in to the role ``archive``: samples go to the store, findings wait for theirs."""

import logging
from collections import deque
from dataclasses import dataclass, field

from stream import metrics
from stream.archive_store import Store
from stream.errors import DecodeError
from stream.kafka import Incoming, partition_for
from stream.messages import FindingsMessage
from stream.watermark import Heard
from stream.wire import decode_waveform

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Waiting:
    """Findings whose samples may still come."""

    offset: int
    message: FindingsMessage
    waveforms_end: int | None = None
    """All waveforms that were sent before the findings stand before this offset."""


@dataclass(slots=True)
class Partition:
    """The findings of a partition, from being heard to being written down."""

    heard: Heard
    waiting: deque[Waiting] = field(default_factory=deque)

    def hear(self, message: Incoming) -> None:
        """Let findings wait; what cannot be read is passed over."""
        try:
            findings = self.heard.findings(message)
        except DecodeError as error:
            _pass_over(message, "unreadable", str(error))
            return
        if findings is not None:
            self.waiting.append(Waiting(message.offset, findings))

    def date(self, waveforms_end: int) -> None:
        """Note how far the waveforms must be read until none may come for what waits now."""
        for waiting in self.waiting:
            if waiting.waveforms_end is None:
                waiting.waveforms_end = waveforms_end

    def place(self, store: Store, *, position: int) -> None:
        """Write down findings whose samples are there, in order.

        Parameters
        ----------
        store : Store
            Takes them.
        position : int
            Offset up to which the partition's waveforms are read.
        """
        while self.waiting:
            first = self.waiting[0]
            final = first.waveforms_end is not None and position >= first.waveforms_end
            if not store.mark(first.message, final=final):
                break
            self.waiting.popleft()


def take_waveform(message: Incoming, store: Store, *, n_partitions: int, now_s: float) -> None:
    """Let the store take a waveform; what cannot be archived is passed over.

    Parameters
    ----------
    message : Incoming
        A message of the topic of waveforms.
    store : Store
        Takes it.
    n_partitions : int
        How many the topic has.
    now_s : float
        When it was heard, by the clock of the store's ``flush``.
    """
    try:
        waveform = decode_waveform(message.value or b"")
    except DecodeError as error:
        _pass_over(message, "unreadable", str(error))
        return
    if message.key != waveform.patient:
        _pass_over(message, "wrong-key", f"its patient is {waveform.patient}")
        return
    if partition_for(waveform.patient, n_partitions) != message.partition:
        _pass_over(message, "wrong-partition", f"of patient {waveform.patient}")
        return
    order = store.take(waveform, now_s=now_s)
    if order == "refused":
        _pass_over(message, order, "no header can state its rate, gain or time")
    elif order in ("repeat", "damaged"):  # the store has said which file
        metrics.ARCHIVE_PASSED_OVER.labels(order).inc()


def _pass_over(message: Incoming, reason: str, detail: str) -> None:
    """Say what is not archived; ``score`` and ``alarm`` make dead letters of such messages."""
    metrics.ARCHIVE_PASSED_OVER.labels(reason).inc()
    logger.warning("not archived: %s: %s", reason, detail, extra={"record": str(message)})

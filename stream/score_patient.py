"""The patients of the role ``score``: what it knows of each beside the monitor."""

import logging
import time
from collections import deque
from dataclasses import dataclass, field

from ecg.errors import StateError
from ecg.finding import Span
from ecg.monitor import Monitor
from stream.chunks import Known
from stream.errors import DecodeError
from stream.kafka import Incoming
from stream.ledger import Ledger
from stream.messages import ScoreState
from stream.takeover import Taken
from stream.topics import WAVEFORMS
from stream.watermark import Heard, Watermarks

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Patient:
    """One patient, beside what the monitor knows."""

    streams: list[str] = field(default_factory=list)
    """The last streams seen, newest last."""
    end_sample: int = 0
    """One past the last sample taken."""
    last_gap: tuple[int, int] = (0, 0)
    covered: int = 0
    """The first offset that the restored state does not cover."""
    heard_s: float = 0.0
    """When something came last, monotonic."""
    known: Known | None = None


@dataclass(slots=True)
class Held:
    """Samples that were judged and showed nothing, published with the next that do."""

    stream: str
    fs: float
    after_sample: int
    through_sample: int
    spans: list[Span]
    since_s: float
    """When the first of them was held back, monotonic."""


@dataclass(slots=True)
class Partition:
    """One partition that is ours, and its patients."""

    number: int
    epoch: int
    ledger: Ledger
    watermarks: Watermarks
    patients: dict[str, Patient] = field(default_factory=dict)
    held: dict[str, Held] = field(default_factory=dict)
    waiting: dict[str, deque[Incoming]] = field(default_factory=dict)
    """Messages of those who have sent more than their share, by key."""
    n_waiting: int = 0
    full: bool = False
    """So many wait that no more are read for now."""


def restored(taken: Taken[ScoreState], monitor: Monitor, *, state_every_s: float) -> Partition:
    """Return a partition as its last owner left it; the monitor is given the patients' states."""
    heard = Heard()
    for message in taken.tail:
        try:
            heard.findings(message)
        except DecodeError as error:
            logger.warning("%s: %s", message, error)
    part = Partition(
        number=taken.partition,
        epoch=taken.epoch,
        ledger=Ledger(taken, every_s=state_every_s),
        watermarks=heard.watermarks,
    )
    now = time.monotonic()
    for name, state in taken.states.items():
        try:
            monitor.restore(name, state.state)
        except StateError as error:
            # an older program's state: the signal state starts anew, and says so by warm-up
            logger.warning("state of %s cannot be restored: %s", name, error)
        part.patients[name] = Patient(
            streams=list(state.streams),
            end_sample=state.end_sample,
            covered=state.inputs.get(WAVEFORMS.name, 0),
            heard_s=now,
        )
    return part

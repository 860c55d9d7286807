"""How a peer is measured: CPU time from the end of the lead-in to the end of the input."""

import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a peer is asked to do.

    The topic has one partition, so that messages come in the order of time.
    """

    bootstrap: str = ""
    topic: str = ""
    lead_in: int = 0
    """Messages that fill windows and caches before anything counts."""
    messages: int = 0
    """Messages altogether."""
    message_s: float = 0.25
    """Signal in a message, in s."""
    runs: int = 1
    cpu_s: float = 5.0
    """A run ends early after so much CPU time."""
    data: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run."""

    patient_s: float
    """Signal taken in, of all patients together, in s."""
    cpu_s: float
    windows: int = 0
    beats: int = 0

    @property
    def patients_per_core(self) -> float:
        """Live patients that one core carries."""
        return self.patient_s / self.cpu_s


class Meter:
    """Counts messages and CPU time of one run."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._seen = 0
        self._counted = 0
        self._began = 0.0
        self._used = 0.0
        self.done = False

    def saw(self, n: int) -> None:
        """Note ``n`` messages that are dealt with."""
        self._seen += n
        if not self._began:
            if self._seen >= self._order.lead_in:
                self._began = time.process_time()
            return
        if self.done:
            return
        self._counted += n
        self._used = time.process_time() - self._began
        self.done = self._seen >= self._order.messages or self._used > self._order.cpu_s

    def run(self, *, windows: int = 0, beats: int = 0) -> Run:
        """Return what was counted."""
        return Run(
            patient_s=self._counted * self._order.message_s,
            cpu_s=self._used,
            windows=windows,
            beats=beats,
        )

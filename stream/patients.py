"""Everybody of whom something was heard: in the order of their beds, little of those who left."""

import re

from stream.messages import PatientMessage
from stream.recent import Recent

DISCHARGED_S = 300.0
"""How long everything of a discharged patient is kept: a discharge by mistake is undone by then."""


def bed_order(bed: str) -> tuple[bool, list[tuple[int, str]]]:
    """Return a sorting key by which bed 2 comes before bed 10, and no bed last.

    Examples
    --------
    >>> sorted(["Bed 10", "", "Bed 2", "Bed 2²"], key=bed_order)
    ['Bed 2', 'Bed 2²', 'Bed 10', '']
    """
    parts = re.split(r"(\d+)", bed)
    return not bed, [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]


class Patients:
    """The memories of all patients, by their ids.

    It has no lock: whoever shares it between threads has one.
    """

    def __init__(self) -> None:
        self.known: dict[str, Recent] = {}
        self._discharged_s: dict[str, float] = {}

    def of(self, patient: str, partition: int) -> Recent:
        """Return the memory of a patient of whom a message came in that partition."""
        recent = self.known.get(patient)
        if recent is None:
            recent = self.known[patient] = Recent(patient)
        recent.partition = partition
        return recent

    def present(self) -> list[str]:
        """Return the ids of all who are not discharged, in the order of their beds."""
        present = [recent for recent in self.known.values() if not recent.discharged]
        return [r.patient for r in sorted(present, key=lambda r: (bed_order(r.bed), r.patient))]

    def enter(self, entry: PatientMessage, partition: int, *, now_s: float) -> None:
        """Take an entry of the registry."""
        self.of(entry.patient, partition).registry = entry
        if entry.discharged:
            self._discharged_s.setdefault(entry.patient, now_s)
        else:
            self._discharged_s.pop(entry.patient, None)

    def forget(self, patient: str) -> None:
        """Forget a patient who was taken out of the registry."""
        self.known.pop(patient, None)
        self._discharged_s.pop(patient, None)

    def let_go(self, *, now_s: float, since_ns: int) -> None:
        """Keep little of those who have been discharged for a while.

        Parameters
        ----------
        now_s : float
            Now, monotonic.
        since_ns : int
            Alarms since then stay, ns UTC.
        """
        # they are in the order in which they were discharged
        while (name := next(iter(self._discharged_s), None)) is not None:
            if now_s - self._discharged_s[name] < DISCHARGED_S:
                return
            del self._discharged_s[name]
            if (recent := self.known.get(name)) is not None:
                rest = self.known[name] = recent.rest(since_ns=since_ns)
                if rest.events.count:
                    self._discharged_s[name] = now_s  # until they are too old as well

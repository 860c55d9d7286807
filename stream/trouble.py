"""What is down, told by who was heard lately: the broker, our own readers, the roles."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from stream.messages import RoleMessage
from stream.recent import Recent

SILENT_S = 3.5
"""A broker or role that has not been heard for this long is down; the screen says so before 5 s."""
Part = Literal["broker", "dashboard", "score", "alarm"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """One part that is down: what is the matter, and the next step."""

    part: Part
    text: str
    step: str


class Signs:
    """When each part was heard last.

    It has no lock: whoever shares it between threads has one.

    Parameters
    ----------
    bootstrap : str
        Where the broker is, for what is said when it is gone.
    monotonic_s, wall_ns : callable
        Clocks.

    Examples
    --------
    >>> now_s = 100.0
    >>> signs = Signs("kafka.test:9092", monotonic_s=lambda: now_s, wall_ns=lambda: 0)
    >>> signs.troubles()
    []
    >>> now_s += 4.0
    >>> [trouble.text for trouble in signs.troubles()]
    ['no answer from the Kafka broker at kafka.test:9092']
    """

    def __init__(
        self, bootstrap: str, *, monotonic_s: Callable[[], float], wall_ns: Callable[[], int]
    ) -> None:
        self._bootstrap = bootstrap
        self._monotonic_s = monotonic_s
        self._wall_ns = wall_ns
        self._read_s: dict[str, float] = {}
        self._problem = ""
        self._roles_s: dict[tuple[str, int], float] = {}
        self._started_s = monotonic_s()
        self._broker_s = self._started_s

    def broker_answered(self) -> bool:
        """Note that the broker is alive; return whether it was silent so long that it was down."""
        now_s = self._monotonic_s()
        lost = now_s - self._broker_s > SILENT_S
        if lost:
            self._roles_s.clear()
            self._started_s = now_s
        self._broker_s = now_s
        return lost

    def broker_silent_s(self) -> float:
        """Return for how long the broker has not been heard, in s."""
        return self._monotonic_s() - self._broker_s

    def reading_goes_on(self, reader: str) -> None:
        """Note that a reader is at work."""
        self._read_s[reader] = self._monotonic_s()

    def reading_failed(self, reader: str, problem: str) -> None:
        """Note why a reader does not get on."""
        self._read_s.setdefault(reader, float("-inf"))
        self._problem = problem

    def role_heard(self, role: RoleMessage, partition: int) -> None:
        """Note a role's sign of life, unless it is an old one that is read back."""
        if self._wall_ns() - role.at_ns < SILENT_S * 1e9:
            self._roles_s[role.role, partition] = self._monotonic_s()

    def troubles(self, recent: Recent | None = None) -> list[Trouble]:
        """Return what is down; empty when all is well.

        Parameters
        ----------
        recent : Recent, optional
            Whose ECG must be judged and watched; without it, what is down for everybody.
        """
        now_s = self._monotonic_s()
        if now_s - self._broker_s > SILENT_S:
            return [
                Trouble(
                    part="broker",
                    text=f"no answer from the Kafka broker at {self._bootstrap}",
                    step="Start the broker or mend the network; the screen goes on by itself.",
                )
            ]
        if any(now_s - at_s > SILENT_S for at_s in self._read_s.values()):
            return [
                Trouble(
                    part="dashboard",
                    text=self._problem or "it has stopped reading from Kafka",
                    step="Look at the dashboard's log; start it again if this stays.",
                )
            ]
        if recent is None or (recent.registry is not None and recent.registry.standby):
            return []
        found = []
        if recent.unjudged_s(now_s=now_s) > SILENT_S:
            found.append(
                Trouble(
                    part="score",
                    text="this ECG is not being judged",
                    step="Check that `rhythmwatch score` runs and keeps up, and whether it "
                    "refuses this ECG (ecg.dead-letters says why).",
                )
            )
        heard_s = self._roles_s.get(("alarm", recent.partition or 0), self._started_s)
        if now_s - heard_s > SILENT_S:
            found.append(
                Trouble(
                    part="alarm",
                    text="nobody looks for alarms",
                    step="Check that `rhythmwatch alarm` runs.",
                )
            )
        return found

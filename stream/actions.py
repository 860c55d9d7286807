"""The one thing a screen writes: what somebody asks for, on ``ecg.actions``."""

import threading
import time
import uuid
from collections.abc import Callable
from typing import Any, Literal

from ecg.alarm import Action, Limits
from stream.errors import BrokerError
from stream.kafka import Cluster, Producer
from stream.messages import ActionMessage
from stream.topics import ACTIONS
from stream.wire import encode

__all__ = ["Actions", "BrokerError"]

LONGEST_SILENCE_S = 300.0
"""An audio pause is short: nobody may be silenced for a night."""


class Actions:
    """Writes actions; each call returns when the broker has the action for good.

    Every action has an id of its own, by which the alarm role applies it once,
    and the name of who asked.

    Parameters
    ----------
    bootstrap : str
        ``host:port`` of a broker. The connection is made at the first action.
    prefix : str
        What stands before every topic's name.
    wall_ns : callable
        The time of day, in ns UTC.
    """

    def __init__(
        self, bootstrap: str, *, prefix: str = "", wall_ns: Callable[[], int] = time.time_ns
    ) -> None:
        self._cluster = Cluster(bootstrap, prefix)
        self._wall_ns = wall_ns
        self._producer: Producer | None = None
        self._lock = threading.Lock()

    def acknowledge(self, patient: str, alarm_id: str, *, author: str) -> Action:
        """Acknowledge one alarm, by its id.

        Raises
        ------
        BrokerError
            If the broker did not take it: it has not been acknowledged.
        """
        return self._write(patient, "acknowledge", author, alarm_id=alarm_id)

    def silence(self, patient: str, *, seconds: float, author: str) -> Action:
        """Silence a patient's sounds from now on for some seconds.

        Raises
        ------
        ValueError
            If it is not more than 0 and at most ``LONGEST_SILENCE_S``.
        BrokerError
            If the broker did not take it.
        """
        if not 0 < seconds <= LONGEST_SILENCE_S:
            raise ValueError(
                f"a silence lasts more than 0 and at most {LONGEST_SILENCE_S:.0f} s, "
                f"got {seconds:g} s"
            )
        until_ns = self._wall_ns() + round(seconds * 1e9)
        return self._write(patient, "silence", author, until_ns=until_ns)

    def limits(self, patient: str, limits: Limits, *, author: str) -> Action:
        """Set a patient's alarm limits.

        Raises
        ------
        BrokerError
            If the broker did not take it.
        """
        return self._write(patient, "limits", author, limits=limits)

    def registry(
        self, patient: str, kind: Literal["standby", "resume", "discharge"], *, author: str
    ) -> Action:
        """Set a patient to standby, resume, or discharge.

        Raises
        ------
        BrokerError
            If the broker did not take it.
        """
        return self._write(patient, kind, author)

    def _write(self, patient: str, kind: Any, author: str, **what: Any) -> Action:
        action = Action(
            action_id=str(uuid.uuid4()),
            patient=patient,
            kind=kind,
            author=author,
            at_ns=self._wall_ns(),
            **what,
        )
        message = ActionMessage(patient=patient, action=action)
        with self._lock:
            if self._producer is None:
                self._producer = Producer(self._cluster)
            self._producer.send(
                ACTIONS.name,
                patient,
                encode(message),
                timestamp_ms=action.at_ns // 1_000_000,
            )
            self._producer.flush()
        return action

    def close(self) -> None:
        """Disconnect."""
        with self._lock:
            if self._producer is not None:
                self._producer.close()
                self._producer = None

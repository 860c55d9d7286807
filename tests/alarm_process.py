"""The role ``alarm`` in a process of its own that kills itself at a chosen place.

``python -m tests.alarm_process BOOTSTRAP PREFIX [POINT COUNT]``
"""

import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

import stream.alarm
import stream.kafka.limits
from stream.alarm import AlarmRole, run_alarm
from stream.clock import ManualClock
from stream.kafka import Cluster, Producer
from stream.ledger import Ledger
from stream.topics import ALARMS
from tests.story import START_NS

POINTS = ("taken", "folded", "stated", "half-said", "said", "committed")
"""A message was taken in; all of a poll were; the states are written; one event of several is
published; all are; offsets are committed."""


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_at(point: str, count: int) -> None:
    """Arrange for SIGKILL at the count-th time that a point is reached with something to say."""
    left = count

    def reached() -> None:
        nonlocal left
        left -= 1
        if left <= 0:
            _die()

    def after(owner: type, name: str, counts: Callable[..., bool] = lambda *_: True) -> None:
        original = getattr(owner, name)

        def wrapped(self: Any, *args: Any, **kwargs: Any) -> Any:
            result = original(self, *args, **kwargs)
            if counts(self, *args):
                reached()
            return result

        setattr(owner, name, wrapped)

    def before(owner: type, name: str, counts: Callable[..., bool] = lambda *_: True) -> None:
        original = getattr(owner, name)

        def wrapped(self: Any, *args: Any, **kwargs: Any) -> Any:
            if counts(self, *args):
                reached()
            return original(self, *args, **kwargs)

        setattr(owner, name, wrapped)

    def has_events(*args: Any) -> bool:
        return bool(args[3].events)

    def has_patients(self: AlarmRole, *_: Any) -> bool:
        return any(part.patients for part in self._partitions.values())

    match point:
        case "taken":
            after(AlarmRole, "_take")
        case "folded":
            before(AlarmRole, "_write_state", has_events)
        case "stated":
            before(AlarmRole, "_say", has_events)
        case "half-said":
            after(Producer, "send", lambda self, topic, *_: topic == ALARMS.name and self.flush())
        case "said":
            before(Ledger, "written")
        case "committed":
            after(AlarmRole, "_commit", has_patients)


def main() -> None:
    """Run until told to end."""
    bootstrap, prefix, *rest = sys.argv[1:]
    if rest:
        die_at(rest[0], int(rest[1]))
    stream.kafka.limits.SESSION_TIMEOUT_MS = 1500
    stream.kafka.limits.HEARTBEAT_INTERVAL_MS = 100
    stream.alarm.COMMIT_EVERY_S = 0.1
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    run_alarm(Cluster(bootstrap, prefix), stop=stop, clock=ManualClock(START_NS), state_every_s=0.5)


if __name__ == "__main__":
    main()

"""The demo: every role on this machine, around a broker of its own, and the figures of the run."""

import logging
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stream.broker import EmbeddedBroker, free_port, port_is_free
from stream.endpoint import new_secret
from stream.errors import DecodeError, ProcessError
from stream.kafka import Cluster, Incoming, Reader, create_topics
from stream.messages import RoleMessage
from stream.processes import Child, end, keep_running
from stream.receiver import Received, Receiver
from stream.replay import run_replay
from stream.sources import simulated_sources, sources_of
from stream.tally import Tally
from stream.topics import ALARMS, FINDINGS, ROLES, TOPICS
from stream.watermark import Heard
from stream.wire import decode

logger = logging.getLogger(__name__)

PARTITIONS = 4
"""Enough to see that work is shared; a demo has few patients."""
DELIVERY_GRACE_S = 8.0
"""How long webhooks may take after a timed run, before they count as failed."""
STATUS_EVERY_S = 10.0
_WATCHING = ("score", "alarm", "notify")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What the demo is asked to do.

    Parameters
    ----------
    records : tuple of str
        WFDB records, or directories of them, to replay besides the two patients
        that are always there.
    data : Path
        Where to look for records that are not at their own path.
    device : str
        Where the model runs: auto, cpu or cuda.
    dashboard_port : int or None
        Port of the dashboard on 127.0.0.1, another free one if it is taken;
        None for no dashboard.
    seconds : float or None
        End this long after the first sample was sent; None goes on until
        ``stop`` is set.
    """

    records: tuple[str, ...] = ()
    data: Path
    device: str = "auto"
    dashboard_port: int | None = None
    seconds: float | None = None


def run_demo(
    plan: Plan, *, stop: threading.Event, say: Callable[[str], None]
) -> dict[str, Any] | None:
    """Run the demo until its time is up or ``stop`` is set; call this from the main thread.

    Parameters
    ----------
    plan : Plan
        What to do.
    stop : threading.Event
        Ends it early.
    say : callable
        Takes what people should read, line by line; may be called from
        another thread.

    Returns
    -------
    dict or None
        The figures of the run; None if it ended before the first sample.

    Raises
    ------
    ProcessError
        If a role keeps ending, or the broker has ended.
    BrokerError
        If the broker does not start.
    """
    demo = _Demo(plan, stop=stop, say=say)
    left: list[int] = []
    try:
        demo.run()
    finally:
        left = demo.end()
    return demo.figures(orphans=len(left))


class _Demo:
    """One run: what was started, and what has been seen."""

    def __init__(self, plan: Plan, *, stop: threading.Event, say: Callable[[str], None]) -> None:
        self._plan = plan
        self._stop = stop
        self._say = say
        self._stack = ExitStack()
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="replay")
        self._watched_by_all = threading.Event()
        self._sent_enough = threading.Event()
        self._broker: EmbeddedBroker | None = None
        self._children: list[Child] = []
        self._tally = Tally()
        self._heard = Heard()
        self._verified: set[str] = set()
        self._refused: set[str] = set()
        """Ids of the webhooks that the receiver has seen."""
        self._figures: dict[str, Any] = {}
        self._due: set[str] = set()
        """Ids of the alarm events in the figures: each must reach the receiver."""
        self._watched: dict[str, set[int]] = {role: set() for role in _WATCHING}

    def run(self) -> None:
        """Start everything, watch it, and stop sending when the time is up."""
        self._say("RhythmWatch demo. Not a medical device; not for clinical use.")
        self._broker = self._stack.enter_context(EmbeddedBroker())
        cluster = self._broker.cluster
        create_topics(cluster, TOPICS, partitions=PARTITIONS)
        secret = new_secret()
        receiver = self._stack.enter_context(Receiver((secret,), on_received=self._received))
        folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="rhythmwatch-")))
        settings = folder / "demo.toml"
        settings.touch(mode=0o600)  # it holds the webhook's secret
        settings.write_text(
            self._settings(cluster.bootstrap, receiver.url, secret), encoding="utf-8"
        )
        for role in _WATCHING:
            self._start(settings, role)
        port = self._dashboard(settings)
        self._say(f"  broker      {cluster.bootstrap} (embedded, in memory)")
        self._say(f"  webhooks    posted to {receiver.url}, verified there and printed here")
        if port is not None:
            self._say(f"  dashboard   http://127.0.0.1:{port}")
        self._say("Starting the roles; the very first start compiles, which takes a minute.")
        reader = self._stack.enter_context(
            Reader(cluster, [FINDINGS.name, ALARMS.name, ROLES.name])
        )
        replayed = self._pool.submit(self._replay, cluster)
        began = said = time.monotonic()
        while not self._stop.is_set() and not self._time_is_up():
            self._take(reader.poll(0.1))
            self._look_after(replayed)
            if not self._watched_by_all.is_set() and self._all_watch():
                self._say(f"All roles are up after {time.monotonic() - began:.0f} s; ECG comes in.")
                self._watched_by_all.set()
            if self._tally.patients and time.monotonic() - said >= STATUS_EVERY_S:
                said = time.monotonic()
                self._say(self._status())
        self._figures = self._tally.summary()
        self._due = {event.event_id for event in self._tally.alarms}
        if self._time_is_up():
            # what was raised in time is still delivered; nothing new is sent meanwhile
            self._sent_enough.set()
            until = time.monotonic() + DELIVERY_GRACE_S
            while self._due - self._verified and time.monotonic() < until:
                self._stop.wait(0.1)

    def end(self) -> list[int]:
        """End everything and return the ids of processes that are left."""
        self._sent_enough.set()
        self._watched_by_all.set()  # who waits for it shall see that it is over
        left = end(self._children)
        broker = self._broker
        self._pool.shutdown(cancel_futures=True)
        self._stack.close()
        if broker is not None and broker.alive():
            left.append(broker.pid)
        return left

    def figures(self, *, orphans: int) -> dict[str, Any] | None:
        """Return the figures of the run, None without a first sample."""
        if not self._figures or self._tally.first_sent_ns is None:
            return None
        seen = self._verified | self._refused
        webhooks = {
            "delivered": len(self._due & seen),
            "verified": len(self._due & self._verified),
            "failed": len(self._due - self._verified),
        }
        latency_and_delay = {name: self._figures.pop(name) for name in ("latency_ms", "delay_s")}
        return {**self._figures, "webhooks": webhooks, **latency_and_delay, "orphans": orphans}

    def _settings(self, bootstrap: str, url: str, secret: str) -> str:
        """Return the settings of the roles: the demo's own, whatever else is set here."""
        return f"""
bootstrap = "{bootstrap}"
partitions = {PARTITIONS}
device = "{self._plan.device}"
log_level = "WARNING"
webhook_url = "{url}"
webhook_secret = "{secret}"
webhook_allow_private = true
"""

    def _start(self, settings: Path, *command: str) -> Child:
        ours = {k: v for k, v in os.environ.items() if not k.startswith("RHYTHMWATCH_")}
        child = Child(
            name=command[0],
            command=[sys.executable, "-m", "rhythmwatch", "--settings", str(settings), *command],
            environment=ours,
        )
        child.start()
        self._children.append(child)
        return child

    def _replay(self, cluster: Cluster) -> None:
        """Send everybody's ECG once all roles are there; in a thread of its own."""
        asked = ("demo", *self._plan.records)
        sources = sources_of(asked, data=self._plan.data, stop=self._sent_enough)
        sources += simulated_sources()
        self._watched_by_all.wait()
        run_replay(cluster=cluster, sources=sources, stop=self._sent_enough, loop=True)

    def _dashboard(self, settings: Path) -> int | None:
        wanted = self._plan.dashboard_port
        if wanted is None:
            return None
        port = wanted if port_is_free(wanted) else free_port()
        if port != wanted:
            self._say(f"Port {wanted} is taken, so the dashboard gets another one.")
        self._start(settings, "dashboard", "--port", str(port))
        return port

    def _all_watch(self) -> bool:
        return all(len(partitions) == PARTITIONS for partitions in self._watched.values())

    def _time_is_up(self) -> bool:
        first = self._tally.first_sent_ns
        if self._plan.seconds is None or first is None:
            return False
        return (time.time_ns() - first) / 1e9 >= self._plan.seconds

    def _look_after(self, replayed: Future[None]) -> None:
        if replayed.done():
            replayed.result()  # raises what ended it: it does not end by itself
        if self._broker is not None and not self._broker.alive():
            raise ProcessError("the broker has ended, and with it everything it held in memory")
        keep_running(self._children)

    def _take(self, messages: Iterable[Incoming]) -> None:
        arrived_ns = time.time_ns()
        for message in messages:
            try:
                self._hear(message, arrived_ns=arrived_ns)
            except DecodeError as error:  # whoever is on this machine can write to the broker
                logger.warning("passed over: %s", error, extra={"record": str(message)})

    def _hear(self, message: Incoming, *, arrived_ns: int) -> None:
        if message.topic == ROLES.name:
            role = decode(message.value or b"", RoleMessage).role
            if role in self._watched:  # an archive may have joined
                self._watched[role].add(message.partition)
        elif message.topic == FINDINGS.name:
            findings = self._heard.findings(message)
            if findings is not None:
                self._tally.add_findings(findings.findings(), arrived_ns=arrived_ns)
        else:
            alarm = self._heard.alarm(message)
            if alarm is not None:
                self._tally.add_alarm(alarm.data)
                event = alarm.data
                self._say(f"  alarm {event.event}: {event.patient} {event.text}")

    def _received(self, received: Received) -> None:
        """Note one webhook; called by the receiver's thread."""
        if received.webhook_id is not None:
            (self._verified if received.verified else self._refused).add(received.webhook_id)
        self._say(f"  {received}")

    def _status(self) -> str:
        tally = self._tally
        rates = ", ".join(
            f"{patient} {'HR ?' if rate is None else f'{rate:.0f}/min'}"
            for patient, rate in sorted(tally.heart_rates.items())
        )
        beats = " ".join(f"{name} {count}" for name, count in sorted(tally.beats.items()))
        return (
            f"  now: {rates} | beats: {beats or 'none'} | "
            f"{len(tally.alarms)} alarm events, {len(self._verified)} webhooks verified"
        )

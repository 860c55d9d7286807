"""The role ``archive``: waveforms and findings go to WFDB records on disk.

Messages are taken as they come, written every half minute, and their offsets
committed once they are safe on disk. What is read again after a crash is there
already: positions tell (``stream.archive_store``).
"""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from stream import metrics
from stream.archive_directory import list_patients, not_written, prepare
from stream.archive_intake import Partition, take_waveform
from stream.archive_lock import PartitionLocks
from stream.archive_store import Store
from stream.clock import Clock, SystemClock
from stream.errors import ArchiveError, BrokerError
from stream.kafka import (
    Cluster,
    Consumer,
    Place,
    Polled,
    Producer,
    partition_for,
    wait_for_broker,
)
from stream.messages import RoleMessage
from stream.topics import FINDINGS, ROLES, WAVEFORMS
from stream.watchdog import Watchdog
from stream.watermark import Epochs, Heard
from stream.wire import encode

logger = logging.getLogger(__name__)

GROUP = "archive"
EVERY_S = 30.0
"""How often everything is written and committed."""
MOST_BYTES = 128 * 1024 * 1024
"""Samples that wait for writing; when it catches up it writes earlier."""
MOST_WAITING = 2000
"""Findings of a partition that wait for their samples; with more, no further ones are read."""
REPORT_EVERY_S = 60.0

_LOOK_EVERY_S = 1.0
_RETRY_S = 5.0


class Archive:
    """One member of the group ``archive``, from joining to leaving.

    Parameters
    ----------
    cluster : Cluster
        Where the topics are.
    root : Path
        The archive's directory; members on one machine share it.
    clock : Clock
        Dates the signs of life.
    every_s : float
        How often it writes, in s.

    Raises
    ------
    BrokerError
        If the broker is away.
    """

    def __init__(
        self, cluster: Cluster, root: Path, *, clock: Clock, every_s: float = EVERY_S
    ) -> None:
        self._root = root
        self._clock = clock
        self._every_s = every_s
        self._store = Store(root)
        self._parts: dict[int, Partition] = {}
        self._locks = PartitionLocks(root, cluster.prefix)
        self._counted: Counter[str] = Counter()
        now = time.monotonic()
        self._next_flush_s = now + every_s
        self._next_report_s = now + REPORT_EVERY_S
        self._next_look_s = now
        self._producer = Producer(cluster)
        try:
            self._n_partitions = self._producer.partitions(WAVEFORMS.name)
            self._consumer = Consumer(cluster, GROUP, [WAVEFORMS.name, FINDINGS.name], held=True)
        except BrokerError:
            self._producer.close()
            raise

    def run(self, stop: threading.Event) -> None:
        """Work until told to stop, then write what waits and leave in good order.

        Raises
        ------
        BrokerError
            If the broker goes away: close this member and start a new one.
        ArchiveError
            If the disk does not take it; likewise.
        """
        with Watchdog(GROUP) as watchdog:
            try:
                list_patients(self._root)
                while not stop.is_set():
                    self.tick(self._consumer.poll(0.2), seen=watchdog.seen)
                    watchdog.seen()
                self._flush(seen=watchdog.seen)
            except OSError as error:
                raise not_written(error, self._root) from error

    def close(self) -> None:
        """Leave the group and disconnect."""
        self._consumer.close()
        self._producer.close()
        self._locks.close()

    def tick(self, polled: Polled, *, seen: Callable[[], None] = lambda: None) -> None:
        """Deal with one poll.

        Raises
        ------
        BrokerError, OSError
            If broker or disk fail.
        """
        if polled.revoked:
            self._give_up(polled.revoked)
        now = time.monotonic()
        self._locks.want(polled.assigned, now_s=now)
        self._begin(now)
        for message in polled.messages:
            if message.topic == WAVEFORMS.name:
                take_waveform(message, self._store, n_partitions=self._n_partitions, now_s=now)
            else:
                self._parts[message.partition].hear(message)
        metrics.MESSAGES.labels(GROUP, WAVEFORMS.name).inc(len(polled.messages))
        if now >= self._next_look_s:
            self._next_look_s = now + _LOOK_EVERY_S
            self._date_waiting()
            self._sign_of_life()
        self._place()
        if now >= self._next_flush_s or self._store.buffered_bytes > MOST_BYTES:
            self._flush(seen=seen)
            self._next_flush_s = time.monotonic() + self._every_s
        if now >= self._next_report_s:
            self._next_report_s = now + REPORT_EVERY_S
            self._report()

    # --- what is ours ---

    def _give_up(self, partitions: frozenset[int]) -> None:
        for partition in partitions:
            self._parts.pop(partition, None)
        self._locks.give_back(partitions)
        self._store.forget(
            lambda patient: partition_for(patient, self._n_partitions) in self._parts
        )

    def _begin(self, now: float) -> None:
        """Start the partitions that nobody else on this disk writes to."""
        for partition in self._locks.take(now_s=now):
            place = (FINDINGS.name, partition)
            # what is read again must be heard again, but not a fenced writer's repeats of it
            floor = self._consumer.notes([place]).get(place, "")
            epochs = Epochs({place: int(floor)} if floor.isdigit() else {})
            self._parts[partition] = Partition(Heard(epochs=epochs))
            self._consumer.start(partition)

    # --- findings that wait ---

    def _date_waiting(self) -> None:
        """Note for findings that wait how far the waveforms must be read until none may come."""
        new = [p for p, part in self._parts.items() if part.waiting]
        if not new:
            return
        ends = self._consumer.ends((WAVEFORMS.name, partition) for partition in new)
        for (_, partition), end in ends.items():
            self._parts[partition].date(end)

    def _place(self) -> None:
        """Write down findings whose samples are there, in order."""
        for partition, part in self._parts.items():
            part.place(self._store, position=self._consumer.position(WAVEFORMS.name, partition))
            held = len(part.waiting) > MOST_WAITING
            flow = self._consumer.hold if held else self._consumer.release
            flow(partition, FINDINGS.name)

    # --- to disk ---

    def _flush(self, *, seen: Callable[[], None]) -> None:
        offsets: dict[Place, int] = {}
        notes: dict[Place, str] = {}
        for partition, part in self._parts.items():
            for topic in (WAVEFORMS.name, FINDINGS.name):
                offsets[(topic, partition)] = self._consumer.position(topic, partition)
            place = (FINDINGS.name, partition)
            notes[place] = str(part.heard.epochs.highest.get(place, 0))
            if part.waiting:
                offsets[place] = part.waiting[0].offset
                notes[place] = str(part.waiting[0].message.epoch)
        self._store.flush(now_s=time.monotonic(), seen=seen)
        for what in ("samples", "missing", "records", "bytes", "unplaced"):
            new = self._store.counts[what] - self._counted[what]
            metrics.ARCHIVED.labels(what).inc(new)
        self._counted = Counter(self._store.counts)
        # False while the group is changing: what is read again then is there already
        self._consumer.commit(offsets, notes)

    def _sign_of_life(self) -> None:
        for partition in self._parts:
            sign = RoleMessage(role="archive", epoch=0, at_ns=self._clock.now_ns())
            self._producer.send(ROLES.name, GROUP, encode(sign), partition=partition)
        self._producer.flush()
        metrics.PATIENTS.labels(GROUP).set(len(self._store))

    def _report(self) -> None:
        places = [(WAVEFORMS.name, partition) for partition in self._parts]
        ends = self._consumer.ends(places)
        behind = sum(max(0, end - self._consumer.position(*place)) for place, end in ends.items())
        logger.info(
            "%d streams, %d samples in %d records, %.1f MB since the start; %d messages behind",
            len(self._store),
            self._counted["samples"],
            self._counted["records"],
            self._counted["bytes"] / 1e6,
            behind,
        )


def run_archive(
    cluster: Cluster,
    root: Path,
    *,
    stop: threading.Event,
    every_s: float = EVERY_S,
    clock: Clock | None = None,
    metrics_port: int | None = None,
) -> None:
    """Run the role until ``stop`` is set; wait for the broker, or for room on the disk.

    Parameters
    ----------
    cluster : Cluster
        Where the topics are.
    root : Path
        The archive's directory; made if it is not there.
    stop : threading.Event
        Ends the role in good order: everything written, group left.
    every_s : float
        How often it writes, in s.
    clock : Clock, optional
        The machine's, unless given.
    metrics_port : int, optional
        Serve Prometheus metrics there on 127.0.0.1.

    Raises
    ------
    ArchiveError
        If the directory cannot be written at the start; what fails later is tried again.
    """
    prepare(root)
    if metrics_port is not None:
        metrics.serve(metrics_port)
    while not stop.is_set():
        if not wait_for_broker(cluster, stop=stop):
            return
        try:
            archive = Archive(cluster, root, clock=clock or SystemClock(), every_s=every_s)
        except BrokerError as error:
            logger.warning("archive cannot start: %s", error)
            stop.wait(1.0)
            continue
        try:
            logger.info("archive has joined at %s and writes to %s", cluster.bootstrap, root)
            archive.run(stop)
        except ArchiveError as error:
            metrics.ARCHIVE_FAILURES.inc()
            logger.error("%s", error)
            stop.wait(_RETRY_S)
        except BrokerError as error:
            logger.warning("archive starts again: %s", error)
            stop.wait(0.5)
        finally:
            archive.close()

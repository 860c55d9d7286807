"""The role ``score``: waveforms in, findings out.

One poll is one tick: all patients' new chunks go through the monitor together.
The findings are published and acknowledged before states, and states before
offsets (``docs/concepts/delivery.md``). What comes in is in ``stream.score_intake``,
what goes out in ``stream.score_output``, the states in ``stream.score_state``.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence

import torch

from ecg.chunk import Chunk
from ecg.errors import EcgError
from ecg.finding import Findings
from ecg.monitor import Monitor
from stream import metrics
from stream.clock import Clock, SystemClock
from stream.dead_letter import DeadLetters
from stream.errors import BrokerError, FencedError
from stream.kafka import Cluster, Consumer, Incoming, Polled, Producer, wait_for_broker
from stream.ledger import STATE_EVERY_S
from stream.messages import RoleMessage, ScoreState
from stream.score_intake import MAX_WAITING, Intake
from stream.score_output import Output
from stream.score_patient import Partition, restored
from stream.score_state import States
from stream.takeover import take_over
from stream.topics import FINDINGS, ROLES, SCORE_STATE, WAVEFORMS
from stream.watchdog import Watchdog
from stream.wire import encode

logger = logging.getLogger(__name__)

GROUP = "score"
POLL_S = 0.05
COMMIT_EVERY_S = 1.0
STATES_EVERY_S = 0.25
"""How often it is looked whose state is due, and what has been held back for long enough."""
SIGN_OF_LIFE_EVERY_S = 1.0
MANY = 500
"""Findings of so many patients are waited for while the next tick is judged: what a tick says need
not be acknowledged before states and offsets are written."""
MAX_MESSAGES = 10_000
"""The most that one tick takes in: half a second of 5,000 patients with chunks of 250 ms."""


class Score:
    """One member of the group ``score``, from joining to leaving.

    Parameters
    ----------
    cluster : Cluster
        Where the topics are.
    monitor : Monitor
        Judges; must be new, since it is given the states of those it takes over.
    clock : Clock
        Dates what is said.
    state_every_s : float
        How often a patient's state is written, in s.

    Raises
    ------
    BrokerError
        If the broker is away.
    """

    def __init__(
        self,
        cluster: Cluster,
        monitor: Monitor,
        *,
        clock: Clock,
        state_every_s: float = STATE_EVERY_S,
    ) -> None:
        self._cluster = cluster
        self._monitor = monitor
        self._clock = clock
        self._state_every_s = state_every_s
        self._partitions: dict[int, Partition] = {}
        self._next_commit_s = 0.0
        self._next_states_s = 0.0
        self._next_sign_s = 0.0
        self._producer = Producer(cluster, in_batches=True)
        self._dead_letters = DeadLetters(self._producer, clock, role="score")
        try:
            n_partitions = self._producer.partitions(WAVEFORMS.name)
            self._consumer = Consumer(cluster, GROUP, [WAVEFORMS.name], held=True, gather=True)
        except BrokerError:
            self._producer.close()
            raise
        self._intake = Intake(self._partitions, self._dead_letters, n_partitions=n_partitions)
        self._output = Output(self._partitions, self._producer, clock, n_partitions=n_partitions)
        self._states = States(self._partitions, self._producer, monitor, self._output)

    def run(self, stop: threading.Event) -> None:
        """Work until told to stop, then finish the tick and leave in good order.

        Raises
        ------
        BrokerError
            If the broker goes away: close this member and start a new one.
        """
        with Watchdog(GROUP) as watchdog:
            while not stop.is_set():
                # what waits is not to wait for the broker as well
                wait_s = 0.0 if self._intake.waiting else POLL_S
                self.tick(self._consumer.poll(wait_s, max_messages=MAX_MESSAGES))
                watchdog.seen()
            self._states.write(now_s=time.monotonic(), everyone=True)
            self._commit()

    def close(self) -> None:
        """Leave the group and disconnect."""
        self._consumer.close()
        self._producer.close()

    def tick(self, polled: Polled) -> None:
        """Deal with one poll.

        Raises
        ------
        BrokerError
            If the broker goes away, or what was ours is not ours any more.
        """
        self._give_up(polled.revoked)
        self._take_over(polled.assigned)
        now = time.monotonic()
        found = self._judge(self._intake.take(polled.messages, now_s=now))
        many = len(found) >= MANY
        self._output.settle()
        self._output.say(found, now_s=now)
        self._output.hand_over()
        if not many:
            self._output.settle()
        metrics.MESSAGES.labels("score", WAVEFORMS.name).inc(len(polled.messages))
        self._press_back()
        if now >= self._next_sign_s:
            self._next_sign_s = now + SIGN_OF_LIFE_EVERY_S
            self._sign_of_life()
        if now >= self._next_states_s:
            self._next_states_s = now + STATES_EVERY_S
            self._output.let_go_of_old(now_s=now)
            self._states.write(now_s=now)
        if now >= self._next_commit_s:
            self._next_commit_s = now + COMMIT_EVERY_S
            self._commit()

    # --- what is ours ---

    def _give_up(self, partitions: Iterable[int]) -> None:
        for partition in partitions:
            part = self._partitions.pop(partition, None)
            for patient in part.patients if part else ():
                self._monitor.discharge(patient)

    def _take_over(self, partitions: Iterable[int]) -> None:
        taken = take_over(
            self._cluster,
            self._consumer,
            self._producer,
            partitions,
            role="score",
            kind=ScoreState,
            inputs=[WAVEFORMS.name],
            state=SCORE_STATE.name,
            outputs=[FINDINGS.name],
        )
        for partition, one in taken.items():
            self._partitions[partition] = restored(
                one, self._monitor, state_every_s=self._state_every_s
            )
            self._consumer.start(partition, one.inputs)
            metrics.TAKEOVERS.labels("score").inc()
        self._count_patients()

    # --- findings ---

    def _judge(self, admitted: Sequence[tuple[Incoming, Chunk]]) -> list[Findings]:
        chunks = [chunk for _, chunk in admitted]
        try:
            return self._monitor.advance(chunks)
        except EcgError:  # before anything has changed: the others are judged without the refused
            refusals = self._monitor.refusals(chunks)
            if not refusals:
                raise
            for position, error in refusals.items():
                self._dead_letters.give_up(admitted[position][0], "refused", str(error))
            return self._monitor.advance(
                [chunk for position, chunk in enumerate(chunks) if position not in refusals]
            )

    def _press_back(self) -> None:
        """Stop reading a partition of which too much waits, and go on when half of it is done."""
        for number, part in self._partitions.items():
            if part.n_waiting >= MAX_WAITING:
                if not part.full:
                    logger.warning(
                        "partition %d: %d messages of %d patients wait; nothing more is read of it "
                        "until half of them are judged",
                        number,
                        part.n_waiting,
                        len(part.waiting),
                    )
                part.full = True
                self._consumer.hold(number)
            elif part.full and part.n_waiting < MAX_WAITING // 2:
                part.full = False
                self._consumer.release(number)

    def _sign_of_life(self) -> None:
        for partition, part in self._partitions.items():
            sign = RoleMessage(role="score", epoch=part.epoch, at_ns=self._clock.now_ns())
            self._producer.send(ROLES.name, "score", encode(sign), partition=partition)
        self._output.settle()
        self._count_patients()

    def _count_patients(self) -> None:
        count = sum(len(part.patients) for part in self._partitions.values())
        metrics.PATIENTS.labels("score").set(count)
        metrics.WAITING.set(self._intake.waiting)

    # --- offsets ---

    def _commit(self) -> None:
        self._output.settle()
        for part in self._partitions.values():
            offsets, notes = part.ledger.to_commit()
            if self._consumer.commit(offsets, notes):
                part.ledger.committed(offsets)


def run_score(
    cluster: Cluster,
    make_monitor: Callable[[], Monitor],
    *,
    stop: threading.Event,
    clock: Clock | None = None,
    state_every_s: float = STATE_EVERY_S,
    metrics_port: int | None = None,
) -> None:
    """Run the role until ``stop`` is set; wait for the broker whenever it is away.

    Parameters
    ----------
    cluster : Cluster
        Where the topics are.
    make_monitor : callable
        Returns a new monitor; called again after the broker was away.
    stop : threading.Event
        Ends the role in good order: tick finished, states written, group left.
    clock : Clock, optional
        The machine's, unless given.
    state_every_s : float
        How often a patient's state is written, in s.
    metrics_port : int, optional
        Serve Prometheus metrics there on 127.0.0.1.
    """
    torch.set_num_threads(1)
    if metrics_port is not None:
        metrics.serve(metrics_port)
    while not stop.is_set():
        if not wait_for_broker(cluster, stop=stop):
            return
        try:
            score = Score(
                cluster, make_monitor(), clock=clock or SystemClock(), state_every_s=state_every_s
            )
        except BrokerError as error:
            logger.warning("score cannot start: %s", error)
            stop.wait(1.0)
            continue
        try:
            logger.info("score has joined at %s", cluster.bootstrap)
            score.run(stop)
        except FencedError as error:
            logger.warning("score was left behind and joins again: %s", error)
        except BrokerError as error:
            logger.warning("score starts again: %s", error)
            stop.wait(0.5)
        finally:
            score.close()

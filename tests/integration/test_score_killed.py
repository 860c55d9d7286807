"""``score`` is killed at every step of its work, and paused until it is a zombie."""

import os
import signal
import time
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import pytest

from ecg.monitor import Monitor
from ecg.simulator import Simulator
from stream.kafka import Cluster, Producer, Reader
from stream.messages import EPOCH_KEY, FindingsMessage, Signal, Waveform
from stream.topics import FINDINGS
from stream.wire import decode
from tests.integration.runner import Fault, Runner, alive, stopped, wait_until
from tests.waveforms import Listener, all_findings, chunks, cut, send

PATIENTS = 6
SECONDS = 120
CHUNK = 63

FAULTS = (
    Fault(step="send", topic="ecg.findings", nth=20),
    Fault(step="flushed", topic="~ecg.score-state"),
    Fault(step="flushed", topic="~ecg.findings"),
    Fault(step="flush", topic="ecg.findings", nth=3),
    Fault(step="flushed", topic="ecg.findings", nth=2),
    Fault(step="flush", topic="ecg.score-state", nth=2),
    Fault(step="flushed", topic="ecg.score-state", nth=2),
    Fault(step="committed", nth=6),
)


@cache
def rounds() -> list[list[Waveform]]:
    """Return simulated ECG: in each round one chunk of every patient."""
    by_patient = []
    for number in range(PATIENTS):
        simulator = Simulator(seed=number, then="sinus")
        signals = [
            Signal(name=lead, kind="ecg", unit="mV", gain=gain, baseline=baseline)
            for lead, gain, baseline in zip(
                simulator.leads, simulator.gain, simulator.baseline, strict=True
            )
        ]
        samples = simulator.take(round(SECONDS * simulator.fs))
        by_patient.append(list(cut(f"p{number}", samples, chunk=CHUNK, signals=signals)))
    return [list(one) for one in zip(*by_patient, strict=True)]


@cache
def expected() -> dict[tuple[str, str], list[object]]:
    """Return what the monitor says without Kafka."""
    monitor = Monitor()
    found = [one for each in rounds() for one in monitor.advance(chunks(each))]
    return {key: list(findings) for key, findings in all_findings(found).items()}


@dataclass(slots=True)
class Feeder:
    """Sends rounds when it is told to."""

    producer: Producer
    sent: int = 0

    def feed(self, n: int) -> None:
        """Send the next n rounds."""
        for each in rounds()[self.sent : self.sent + n]:
            for message in each:
                send(self.producer, message)
        self.producer.flush()
        self.sent += n

    def feed_until_dead(self, cluster: Cluster, runner: Runner, fault: Fault) -> None:
        """Start a process and send a round at a time, from its takeover on, until it is dead."""
        deadline = time.monotonic() + 60
        ready = False
        with Reader(cluster, [FINDINGS.name], start="latest") as findings:
            pid = runner.start(fault)
            while alive(pid):
                assert time.monotonic() < deadline
                ready |= any(message.key == EPOCH_KEY for message in findings.poll(0.05))
                if ready:
                    self.feed(1)

    def feed_until_taken_over(self, cluster: Cluster, runner: Runner) -> int:
        """Start a process and send a round at a time until it takes a partition over."""
        deadline = time.monotonic() + 60
        with Reader(cluster, [FINDINGS.name], start="latest") as findings:
            pid = runner.start()
            while not any(message.key == EPOCH_KEY for message in findings.poll(0.05)):
                assert time.monotonic() < deadline
                self.feed(1)
        return pid


def hear_everything(cluster: Cluster, *, late: bool = False) -> Listener:
    """Hear all findings, and on until a message of an outdated epoch has come, if one must."""
    last = sum(len(each[0].samples) for each in rounds()) // 4 - 1
    listener = Listener(cluster)
    ends = {(f"p{number}", "s1"): last for number in range(PATIENTS)}
    listener.listen_until(ends, also=lambda: not late or _has_late(listener))
    return listener


def _has_late(listener: Listener) -> bool:
    return any(
        second < first
        for epochs in epochs_heard(listener).values()
        for first, second in pairwise(epochs)
    )


def epochs_heard(listener: Listener) -> dict[int, list[int]]:
    """Return the epochs of each partition's messages in the order of the log."""
    epochs: dict[int, list[int]] = {}
    for message in listener.raw:
        if message.key and message.key.startswith("p") and message.value:
            epoch = decode(message.value, FindingsMessage).epoch
            epochs.setdefault(message.partition, []).append(epoch)
    return epochs


MANY = pytest.mark.parametrize("many", [pytest.param("500", marks=pytest.mark.slow), "0"])
"""With 0, all findings are waited for while the next tick is judged, as under load."""


@MANY
@pytest.mark.timeout(240)
def test_findings_are_the_same_when_score_is_killed_at_every_step(
    cluster: Cluster, many: str
) -> None:
    with Runner("score", cluster, many) as runner, Producer(cluster) as producer:
        feeder = Feeder(producer)
        feeder.feed(10)
        for fault in FAULTS:
            feeder.feed_until_dead(cluster, runner, fault)
        assert feeder.sent < len(rounds()), "all was sent before the last kill"
        runner.start()
        feeder.feed(len(rounds()) - feeder.sent)
        listener = hear_everything(cluster)
    assert listener.found == expected()
    # each takeover that got as far as publishing wrote with an epoch of its own
    assert all(len(set(epochs)) >= 4 for epochs in epochs_heard(listener).values())


@MANY
@pytest.mark.timeout(120)
def test_findings_are_the_same_while_members_come_and_go(cluster: Cluster, many: str) -> None:
    def feed_until_heard(n: int) -> None:
        feeder.feed(n)
        ends = {(f"p{number}", "s1"): feeder.sent * CHUNK - 1 for number in range(PATIENTS)}
        Listener(cluster).listen_until(ends)

    with Runner("score", cluster, many) as runner, Producer(cluster) as producer:
        feeder = Feeder(producer)
        first = runner.start()
        feed_until_heard(20)
        second = feeder.feed_until_taken_over(cluster, runner)
        feed_until_heard(20)
        third = feeder.feed_until_taken_over(cluster, runner)
        os.kill(second, signal.SIGKILL)
        feed_until_heard(20)
        os.kill(first, signal.SIGTERM)
        wait_until(lambda: not alive(first))
        assert alive(third)
        feeder.feed(len(rounds()) - feeder.sent)
        listener = hear_everything(cluster)
    assert listener.found == expected()


@pytest.mark.timeout(120)
def test_zombie_is_not_heard(cluster: Cluster) -> None:
    with Runner("score", cluster) as runner, Producer(cluster) as producer:
        feeder = Feeder(producer)
        feeder.feed(10)
        zombie = runner.start(Fault(step="send", topic="ecg.findings", nth=4, how="stop"))
        wait_until(lambda: stopped(zombie))
        feeder.feed(30)
        runner.start()
        Listener(cluster).listen_until({("p0", "s1"): 40 * CHUNK - 1})
        # it wakes in the middle of publishing a tick that another one has published long ago
        os.kill(zombie, signal.SIGCONT)
        feeder.feed(len(rounds()) - feeder.sent)
        listener = hear_everything(cluster, late=True)
    assert listener.found == expected()

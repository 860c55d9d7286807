"""For how many live patients one core raises alarms: the whole role, through Apache Kafka.

What it hears is what the shipped model says of recordings that it may learn from
(MIT-BIH DS1, as in the capacity benchmark), in real time. The process that sends it
is no part of what is measured; the broker is on the same machine. CPU time is that
of the role's process, all its threads.
"""

import argparse
import os
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from msgspec.structs import replace
from rich.console import Console
from rich.progress import track

from benchmarks.apache.server import STEADY, KafkaServer
from benchmarks.beside import cpu_beside, tell
from benchmarks.capacity.feed import FS, Feed, data_dir, name_of, open_feed
from ecg.checkpoint import load
from ecg.finding import Findings, Span
from ecg.monitor import Monitor
from stream.alarm import GROUP, AlarmRole
from stream.clock import SystemClock
from stream.kafka import Cluster, Consumer, Producer, create_topics
from stream.messages import FindingsMessage
from stream.topics import FINDINGS, TOPICS
from stream.wire import encode

CHUNK_S = 0.25
N_CHUNK = round(FS * CHUNK_S)
SOURCES = 88
"""Patients whose findings are worked out beforehand; all others are one of them by another name."""
UNREAD_S = 2.0
"""What may be left unread when all is sent and the role is told to stop."""

Script = list[list[tuple[int, Findings]]]
"""Of each quarter of a second: what is said, and of which source."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One run."""

    patients: int
    seconds: float
    messages: int
    cpu_s: float
    cpu_s_per_patient_s: float
    patients_per_core: float
    unread: int
    """Messages that the role had not taken in at the end."""
    held: bool
    """Whether that is no more than ``UNREAD_S`` brings."""


def worked_out(feed: Feed, *, sources: int, seconds: float) -> Script:
    """Return what the monitor says of ``sources`` patients, as ``score`` would send it.

    Chunks that show nothing are told with the next that do.
    """
    monitor = Monitor(load(device="cpu"))
    script: Script = []
    after = [-1] * sources
    number = {name_of(patient): patient for patient in range(sources)}
    for tick in track(range(round(seconds / CHUNK_S)), "judging", console=Console(stderr=True)):
        chunks = [feed.chunk(patient, tick * N_CHUNK, N_CHUNK) for patient in range(sources)]
        said = []
        for found in monitor.advance(chunks):
            if found.beats or found.windows or found.statuses or found.gaps:
                who = number[found.patient]
                said.append((who, replace(found, after_sample=after[who])))
                after[who] = found.through_sample
        script.append(said)
    return script


def send(cluster: Cluster, script: Script, patients: int, sources: int) -> None:
    """Send it for all patients, in real time, dated as if their hearts beat now."""
    began, began_ns = time.monotonic(), time.time_ns()
    with Producer(cluster, in_batches=True) as producer:
        for tick, said in enumerate(script):
            for who, found in said:
                first = found.after_sample + 1
                taken_ns = began_ns + round(first / FS * 1e9)
                span = Span(
                    first_sample=first,
                    n_samples=found.through_sample - found.after_sample,
                    source_ns=taken_ns,
                    sent_ns=taken_ns,
                )
                for patient in range(who, patients, sources):
                    name = name_of(patient)
                    message = FindingsMessage.of(
                        replace(found, patient=name, spans=(span,)), epoch=1
                    )
                    producer.send(FINDINGS.name, name, encode(message))
            producer.flush()
            time.sleep(max(0.0, began + (tick + 1) * CHUNK_S - time.monotonic()))


def measured(cluster: Cluster, script: Script, *, patients: int, sources: int) -> Result:
    """Raise the alarms of patients for as long as the script is, in real time."""
    seconds = len(script) * CHUNK_S
    role = AlarmRole(cluster, clock=SystemClock())
    cpu_s, _ = cpu_beside(role.run, send, cluster, script, patients, sources)
    role.close()
    unread = _unread(cluster)
    messages = sum(len(range(who, patients, sources)) for said in script for who, _ in said)
    per_patient_s = cpu_s / (patients * seconds)
    return Result(
        patients=patients,
        seconds=seconds,
        messages=messages,
        cpu_s=cpu_s,
        cpu_s_per_patient_s=per_patient_s,
        patients_per_core=1 / per_patient_s,
        unread=unread,
        held=unread <= messages / seconds * UNREAD_S,
    )


def _unread(cluster: Cluster) -> int:
    """Return how many findings the role has not committed."""
    with Consumer(cluster, GROUP, [FINDINGS.name]) as consumer:
        places = [(FINDINGS.name, number) for number in range(consumer.partitions(FINDINGS.name))]
        committed, ends = consumer.committed(places), consumer.ends(places)
    return sum(end - committed.get(place, 0) for place, end in ends.items())


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print a table and JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.alarm", description=__doc__)
    parser.add_argument("--patients", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=90.0, help="of real time")
    parser.add_argument("--data", type=Path, help="recordings; else as RHYTHMWATCH_DATA says")
    parser.add_argument("--json", metavar="FILE", default="-", help="where to; - prints it")
    options = parser.parse_args(arguments)
    if options.patients < 1 or options.seconds < 1:
        parser.error("--patients and --seconds must be 1 or more")
    load_before = os.getloadavg()[0]
    feed = open_feed(data_dir(options.data))
    sources = min(SOURCES, options.patients)
    script = worked_out(feed, sources=sources, seconds=options.seconds)
    with Console(stderr=True).status(f"raising alarms of {options.patients} patients in real time"):
        with KafkaServer(java=STEADY) as server:
            create_topics(server.cluster, TOPICS, partitions=8)
            result = measured(server.cluster, script, patients=options.patients, sources=sources)
    tell(asdict(result), "alarm", of=feed.what, load_before=load_before, where=options.json)


if __name__ == "__main__":
    main()

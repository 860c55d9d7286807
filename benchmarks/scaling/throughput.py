"""How fast scorers judge a backlog that is there before they start."""

import multiprocessing
import time
from dataclasses import dataclass

from benchmarks.scaling.scorers import FS, cpu_s, fresh, scorers, send
from stream.kafka import Cluster, Reader
from stream.sources import simulated_sources
from stream.topics import FINDINGS
from stream.watermark import Heard


@dataclass(frozen=True, slots=True, kw_only=True)
class Throughput:
    """How fast some scorers judge a backlog."""

    scorers: int
    patient_s: float
    """Signal of all patients together, in s."""
    wall_s: float
    times_real_time: float
    """Patients in real time that are judged at this speed."""
    catching_up: float
    """How many times as fast as they send the patients of the backlog are caught up with."""
    scorer_cpu_s: float
    """CPU time of the scorers while they judge."""
    patients_per_core: float
    """Patients in real time for one core that does nothing but score."""


def throughput(cluster: Cluster, number: int, *, patients: int) -> Throughput:
    """Measure how fast scorers judge a backlog of messages of 1 s."""
    own = fresh(cluster)
    spawn = multiprocessing.get_context("spawn")
    sender = spawn.Process(target=send, args=(own, patients, 1000), kwargs={"live": False})
    sender.start()
    sender.join()
    source = simulated_sources(1, fs=FS)[0]
    names = {f"sim-{i + 1}" for i in range(patients)}
    last = source.n_samples - 1
    done: set[str] = set()
    heard = Heard()
    with scorers(own, number) as running, Reader(own, [FINDINGS.name]) as reader:
        first_ms = last_ms = 0
        used_s = 0.0
        deadline = time.monotonic() + 240
        while done != names:
            if time.monotonic() > deadline or any(one.poll() is not None for one in running):
                raise RuntimeError(f"{number} scorers judged only {len(done)} of {patients}")
            for message in reader.poll(0.1):
                found = heard.findings(message)
                if found is None:
                    continue
                if not first_ms:
                    first_ms, used_s = message.timestamp_ms, sum(map(cpu_s, running))
                last_ms = max(last_ms, message.timestamp_ms)
                if found.through_sample >= last:
                    done.add(found.patient)
        used_s = sum(map(cpu_s, running)) - used_s
    patient_s = patients * source.duration_s
    wall_s = (last_ms - first_ms) / 1000
    return Throughput(
        scorers=number,
        patient_s=patient_s,
        wall_s=wall_s,
        times_real_time=patient_s / wall_s,
        catching_up=source.duration_s / wall_s,
        scorer_cpu_s=used_s,
        patients_per_core=patient_s / used_s,
    )

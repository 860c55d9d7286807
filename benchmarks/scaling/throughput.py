"""How fast scorers judge a backlog that is there before they start."""

import multiprocessing
import time
from dataclasses import dataclass, field

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
    """Signal of all patients together that was judged meanwhile, in s."""
    wall_s: float
    times_real_time: float
    """Patients in real time that are judged at this speed."""
    catching_up: float
    """How many times as fast as they send the patients of the backlog are caught up with."""
    scorer_cpu_s: float
    """CPU time of the scorers while they judge."""
    patients_per_core: float
    """Patients in real time for one core that does nothing but score."""


@dataclass(slots=True)
class Progress:
    """How far everybody is judged, and how far they were at ``began_ms``.

    The clocks start then, when the first finding is read; what was published before it took none
    of their time.
    """

    began_ms: int = 0
    last_ms: int = 0
    before: dict[str, int] = field(default_factory=dict)
    through: dict[str, int] = field(default_factory=dict)

    def take(self, patient: str, through_sample: int, at_ms: int) -> None:
        """Note a finding, and when it was published."""
        self.last_ms = max(self.last_ms, at_ms)
        self.through[patient] = through_sample
        if at_ms <= self.began_ms:
            self.before[patient] = through_sample

    @property
    def samples(self) -> int:
        """Samples of all patients together that were judged since."""
        return sum(
            through - self.before.get(patient, -1) for patient, through in self.through.items()
        )


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
    progress = Progress()
    with scorers(own, number) as running, Reader(own, [FINDINGS.name]) as reader:
        used_s = 0.0
        deadline = time.monotonic() + 240
        while done != names:
            if time.monotonic() > deadline or any(one.poll() is not None for one in running):
                raise RuntimeError(f"{number} scorers judged only {len(done)} of {patients}")
            for message in reader.poll(0.1):
                found = heard.findings(message)
                if found is None:
                    continue
                if not progress.began_ms:
                    progress.began_ms = time.time_ns() // 1_000_000
                    used_s = sum(map(cpu_s, running))
                progress.take(found.patient, found.through_sample, message.timestamp_ms)
                if found.through_sample >= last:
                    done.add(found.patient)
        used_s = sum(map(cpu_s, running)) - used_s
    patient_s = progress.samples / FS
    wall_s = (progress.last_ms - progress.began_ms) / 1000
    if min(patient_s, wall_s) <= 0:
        raise RuntimeError(f"{patients} patients were judged at once; take a larger --backlog")
    return Throughput(
        scorers=number,
        patient_s=patient_s,
        wall_s=wall_s,
        times_real_time=patient_s / wall_s,
        catching_up=patient_s / patients / wall_s,
        scorer_cpu_s=used_s,
        patients_per_core=patient_s / used_s,
    )

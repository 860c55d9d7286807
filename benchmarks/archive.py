"""How many live patients one core archives: the whole role, through Apache Kafka, in real time.

The load generator is another process and no part of what is measured; the broker
is on the same machine. Beats, statuses and rhythm windows come as a scorer would
send them, made up. CPU time is that of the archiving process, all its threads.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from rich.console import Console

from benchmarks.apache.server import KafkaServer
from benchmarks.beside import cpu_beside, tell
from ecg.finding import Beat, LeadQuality, RhythmWindow, Status
from ecg.marks import Marks
from stream.archive import Archive
from stream.archive_directory import prepare
from stream.clock import SystemClock
from stream.kafka import Cluster, Producer, create_topics
from stream.messages import FindingsMessage, Signal, Waveform
from stream.topics import FINDINGS, TOPICS, WAVEFORMS
from stream.wire import encode, encode_waveform, headers_of, pack_samples

FS = 360.0
CHUNK_S = 0.25
N_CHUNK = round(FS * CHUNK_S)
SIGNALS = tuple(
    Signal(name=name, kind="ecg", unit="mV", gain=200.0, baseline=1024) for name in ("MLII", "V5")
)
HOUR_BEATS = 4300
"""Beats of an hour at 72 a minute."""
EVERY_S = 15.0
"""How often the measured role writes, in s: twice as often as by itself, so that a short run
holds several writes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One run."""

    patients: int
    seconds: float
    chunk_ms: int
    every_s: float
    cpu_s: float
    cpu_s_per_patient_s: float
    """CPU seconds for a second of one patient, measured."""
    hour_cpu_s_per_patient_s: float
    """The same in the last minute of an hour, when the annotations of a whole hour are written
    anew at each writing: the annotations' part added, measured apart."""
    patients_per_core: float
    """1 / hour_cpu_s_per_patient_s."""
    held: bool
    """Whether nothing was left unread at the end but the last second."""
    kb_per_patient_s: float
    """Written to disk for samples, in kB."""


def chunks(patients: int, tick: int, now_ns: int) -> Iterator[Waveform]:
    """Yield a quarter of a second of everybody."""
    noise = np.random.default_rng(tick).integers(-500, 500, (N_CHUNK, 2)).astype(np.int16)
    packed = pack_samples(noise, SIGNALS)
    for i in range(patients):
        yield Waveform(
            patient=f"p{i}",
            stream="s",
            first_sample=tick * N_CHUNK,
            fs=FS,
            source_ns=now_ns,
            sent_ns=now_ns,
            signals=SIGNALS,
            samples=packed,
        )


def said(patient: str, end: int) -> FindingsMessage:
    """Return what a scorer says of the second before sample ``end``."""
    second = round(FS)
    leads = tuple(LeadQuality(lead=signal.name, fit=True) for signal in SIGNALS)
    return FindingsMessage(
        epoch=1,
        patient=patient,
        stream="s",
        fs=FS,
        after_sample=end - second,
        through_sample=end,
        beats=(
            Beat(
                sample=max(0, end - 500),
                decided_sample=end,
                beat_class="N",
                probabilities=(0.9, 0.025, 0.025, 0.025, 0.025),
                score=0.1,
                rr_s=1.0,
                lead="MLII",
                model="benchmark",
            ),
        ),
        windows=(
            RhythmWindow(
                first_sample=end - second,
                end_sample=end,
                decided_sample=end,
                rhythm="organised",
                probability=0.99,
                score=0.01,
                model="benchmark",
            ),
        ),
        statuses=(
            Status(
                sample=end,
                decided_sample=end,
                last_r=end - 100,
                heart_rate_bpm=60.0,
                fit=True,
                reason=None,
                warm_up=False,
                model="benchmark",
                leads=leads,
                lead_choice="by name",
            ),
        ),
    )


def generate(cluster: Cluster, patients: int, seconds: float) -> None:
    """Send everybody's chunks in real time, and what is said of each second."""
    began = time.monotonic()
    with Producer(cluster) as producer:
        for tick in range(round(seconds / CHUNK_S)):
            now_ns = time.time_ns()
            for chunk in chunks(patients, tick, now_ns):
                producer.send(
                    WAVEFORMS.name,
                    chunk.patient,
                    encode_waveform(chunk),
                    headers=headers_of(chunk),
                )
            if tick % 4 == 3:
                for i in range(patients):
                    end = (tick + 1) * N_CHUNK
                    producer.send(FINDINGS.name, f"p{i}", encode(said(f"p{i}", end)))
            producer.flush()
            time.sleep(max(0.0, began + (tick + 1) * CHUNK_S - time.monotonic()))


def measured(cluster: Cluster, *, patients: int, seconds: float) -> Result:
    """Archive what a generator sends for so long."""
    with tempfile.TemporaryDirectory(prefix="rhythmwatch-archive-") as directory:
        root = Path(directory)
        prepare(root)
        archive = Archive(cluster, root, clock=SystemClock(), every_s=EVERY_S)
        annotations_s = whole_hour_s(root)
        cpu_s, late_s = cpu_beside(archive.run, generate, cluster, patients, seconds)
        archive.close()
        written = [file.stat().st_size for file in root.rglob("*.dat")]
    n_samples = sum(written) / (2 * len(SIGNALS))
    sent = patients * round(seconds / CHUNK_S) * N_CHUNK
    per_patient_s = cpu_s / (patients * seconds)
    added = annotations_s / EVERY_S
    return Result(
        patients=patients,
        seconds=seconds,
        chunk_ms=round(CHUNK_S * 1000),
        every_s=EVERY_S,
        cpu_s=cpu_s,
        cpu_s_per_patient_s=per_patient_s,
        hour_cpu_s_per_patient_s=per_patient_s + added,
        patients_per_core=1 / (per_patient_s + added),
        held=n_samples >= sent - patients * FS and late_s < EVERY_S,
        kb_per_patient_s=sum(written) / patients / seconds / 1000,
    )


def whole_hour_s(directory: Path, *, repeats: int = 20) -> float:
    """Return the CPU time that it takes to write the annotations of a whole hour."""
    marks = Marks()
    for i in range(HOUR_BEATS):
        marks.add_beat(round((i + 1) * 3600 * FS / HOUR_BEATS), "N")
    marks.write(directory, "hour", fs=FS)
    began = time.process_time()
    for _ in range(repeats):
        marks.write(directory, "hour", fs=FS)
    return (time.process_time() - began) / repeats


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print a table and JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.archive", description=__doc__)
    parser.add_argument("--patients", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=60.0, help="of real time")
    parser.add_argument("--json", metavar="FILE", default="-", help="where to; - prints it")
    options = parser.parse_args(arguments)
    if options.patients < 1 or options.seconds < 1:
        parser.error("--patients and --seconds must be 1 or more")
    load = os.getloadavg()[0]
    with Console(stderr=True).status(f"archiving {options.patients} patients in real time"):
        with KafkaServer() as server:
            create_topics(server.cluster, TOPICS, partitions=8)
            result = measured(server.cluster, patients=options.patients, seconds=options.seconds)
    tell(
        asdict(result),
        "archive",
        of="noise in two leads at 360 Hz",
        load_before=load,
        where=options.json,
    )


if __name__ == "__main__":
    main()

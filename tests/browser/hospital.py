"""Patients of known truth for the screens: waveforms, findings, alarms and signs of life.

What the source, score and alarm roles would write, at the pace of the clock, without them: a
test of the screens decides itself what there is to see.
"""

import threading
import time
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ecg.alarm import AlarmEvent, Code, Priority
from ecg.chunk import MISSING
from ecg.finding import Beat, BeatClass, LeadQuality, Span, Status, Unfit
from stream.kafka import Cluster, Producer
from stream.messages import (
    AlarmMessage,
    FindingsMessage,
    PatientMessage,
    RoleMessage,
    Signal,
    Waveform,
)
from stream.topics import ALARMS, FINDINGS, PATIENTS, ROLES, WAVEFORMS
from stream.wire import encode, encode_waveform, pack_samples

FS = 250.0
CHUNK = 50
"""Samples of a chunk: 200 ms."""
PARTITIONS = 2
GAIN = 200.0
NORMAL = ((-0.16, 0.025, 0.12), (-0.03, 0.008, -0.10), (0.0, 0.011, 1.1), (0.028, 0.009, -0.22))
VENTRICULAR = ((0.0, 0.035, 1.5), (0.09, 0.04, -0.55))
WAVES: dict[str, tuple[tuple[float, float, float], ...]] = {
    "N": (*NORMAL, (0.27, 0.05, 0.28)),
    "V": (*VENTRICULAR, (0.26, 0.07, -0.35)),
}
"""Of each class: waves as (centre after R in s, width in s, height in mV)."""


def ecg_mv(r_times_s: list[tuple[float, str]], times_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the voltage at ``times_s`` of beats at the given times."""
    mv = 0.04 * np.sin(2 * np.pi * 0.25 * times_s)
    for r_s, beat_class in r_times_s:
        for centre, width, height in WAVES[beat_class]:
            mv += height * np.exp(-0.5 * ((times_s - r_s - centre) / width) ** 2)
    return mv


@dataclass
class Bed:
    """One patient; change ``off``, ``silent`` or ``every_v`` to change what is sent."""

    patient: str
    bed: str
    bpm: float = 72.0
    every_v: int = 5
    """Every so many beats one is ventricular; 0 for never."""
    label: str = "SIMULATED"
    leads: tuple[str, ...] = ("II", "V1")
    judged: tuple[str, ...] = ("II", "V1")
    """The leads in the order in which they are judged."""
    off: Unfit | None = None
    silent: bool = False
    stream: str = "s1"
    sample: int = 0
    told: int = 0
    alarms: dict[str, AlarmEvent] = field(default_factory=dict)

    def beats(self, first_s: float, end_s: float) -> list[tuple[float, str]]:
        """Return the R times and classes of the beats in a stretch of time."""
        rr_s = 60.0 / self.bpm
        found = []
        for n in range(max(0, int(first_s / rr_s) - 1), int(end_s / rr_s) + 2):
            early = self.every_v and n % self.every_v == self.every_v - 1
            r_s = (n + 0.5 - (0.28 if early else 0.0)) * rr_s
            if first_s <= r_s < end_s:
                found.append((r_s, "V" if early else "N"))
        return found


class Hospital:
    """Publishes its beds' messages from a thread of its own until it is left.

    ``score_runs`` and ``alarm_runs`` say whether the roles it stands for live.
    """

    def __init__(self, cluster: Cluster, beds: list[Bed]) -> None:
        self.beds = {bed.patient: bed for bed in beds}
        self.score_runs = True
        self.alarm_runs = True
        self._cluster = cluster
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="hospital", daemon=True)
        self._producer = Producer(cluster)
        for bed in beds:
            self.register(bed.patient)

    def __enter__(self) -> "Hospital":
        """Begin to send."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop sending."""
        self._stop.set()
        self._thread.join(timeout=20)
        self._producer.close()

    def _run(self) -> None:
        next_s = time.monotonic()
        role_s = 0.0
        while not self._stop.wait(max(0.0, next_s - time.monotonic())):
            next_s += CHUNK / FS
            with self._lock:
                for bed in self.beds.values():
                    if not bed.silent:
                        self._send(bed)
                if self.alarm_runs and time.monotonic() - role_s >= 1.0:
                    role_s = time.monotonic()
                    for partition in range(PARTITIONS):
                        role = RoleMessage(role="alarm", epoch=1, at_ns=time.time_ns())
                        self._producer.send(ROLES.name, "alarm", encode(role), partition=partition)

    def _send(self, bed: Bed) -> None:
        first, end = bed.sample, bed.sample + CHUNK
        times_s = np.arange(first, end) / FS
        mv = ecg_mv(bed.beats(times_s[0] - 1, times_s[-1] + 1), times_s)
        columns = np.stack([mv, -0.4 * mv + 0.1 * np.sin(times_s)], axis=1)
        columns += np.random.default_rng(first).normal(0, 0.01, columns.shape)
        adc = np.round(columns[:, : len(bed.leads)] * GAIN).astype(np.int16)
        if bed.off == "missing":
            adc[:] = MISSING
        signals = tuple(
            Signal(name=lead, kind="ecg", unit="mV", gain=GAIN, baseline=0) for lead in bed.leads
        )
        now_ns = time.time_ns()
        source_ns = now_ns - round(CHUNK / FS * 1e9)
        bed.sample = end
        waveform = Waveform(
            patient=bed.patient,
            stream=bed.stream,
            first_sample=first,
            fs=FS,
            source_ns=source_ns,
            sent_ns=now_ns,
            signals=signals,
            samples=pack_samples(adc, signals),
        )
        self._producer.send(WAVEFORMS.name, bed.patient, encode_waveform(waveform))
        if self.score_runs:
            span = Span(first_sample=first, n_samples=CHUNK, source_ns=source_ns, sent_ns=now_ns)
            self._producer.send(
                FINDINGS.name, bed.patient, encode(self._findings(bed, first, end, span))
            )

    def _findings(self, bed: Bed, first: int, end: int, span: Span) -> FindingsMessage:
        beats = []
        for r_s, kind in bed.beats(bed.told / FS, (end - 1) / FS - 0.6):
            beat_class: BeatClass = "V" if kind == "V" else "N"
            p_v = 0.93 if kind == "V" else 0.02
            beats.append(
                Beat(
                    sample=round(r_s * FS),
                    decided_sample=end - 1,
                    beat_class=beat_class,
                    probabilities=(0.98 - p_v, 0.01, p_v, 0.005, 0.005),
                    score=1 - (0.98 - p_v),
                    rr_s=60.0 / bed.bpm,
                    lead=bed.leads[0],
                    model="test-1",
                )
            )
        bed.told = max(bed.told, round(((end - 1) / FS - 0.6) * FS))
        statuses = []
        if end // FS > first // FS:
            fit = bed.off is None
            statuses.append(
                Status(
                    sample=int(end // FS * FS),
                    decided_sample=end - 1,
                    last_r=None,
                    heart_rate_bpm=bed.bpm if fit else None,
                    fit=fit,
                    reason=bed.off,
                    warm_up=False,
                    model="test-1",
                    leads=tuple(
                        LeadQuality(lead=lead, fit=fit, reason=bed.off) for lead in bed.judged
                    ),
                )
            )
        return FindingsMessage(
            patient=bed.patient,
            epoch=1,
            stream=bed.stream,
            fs=FS,
            after_sample=first - 1,
            through_sample=end - 1,
            spans=(span,),
            beats=tuple(beats) if bed.off is None else (),
            statuses=tuple(statuses),
        )

    def register(self, patient: str, **what: object) -> None:
        """Write the patient's entry anew, with what is said instead of the bed's own."""
        bed = self.beds[patient]
        entry = {"bed": bed.bed, "label": bed.label} | what
        message = PatientMessage(patient=patient, **entry)  # type: ignore[arg-type]  # a test's own words
        with self._lock:
            self._producer.send(PATIENTS.name, patient, encode(message))
            self._producer.flush()

    def remove(self, patient: str) -> None:
        """Take the patient's entry away."""
        with self._lock:
            self._producer.send(PATIENTS.name, patient, None)
            self._producer.flush()

    def begin_again(self, patient: str, *, stream: str, judged: tuple[str, ...]) -> None:
        """Let a patient's source begin again, with other leads judged."""
        with self._lock:
            bed = self.beds[patient]
            bed.stream, bed.judged = stream, judged
            bed.sample = bed.told = 0

    def alarm(self, patient: str, code: Code, priority: Priority, text: str) -> AlarmEvent:
        """Raise an alarm now; returns its event."""
        with self._lock:
            bed = self.beds[patient]
            now_ns = time.time_ns()
            event = AlarmEvent(
                alarm_id=f"{patient}-{code}-{bed.sample}",
                sequence=1,
                event="raised",
                patient=patient,
                stream=bed.stream,
                code=code,
                kind="technical" if priority == "low" else "physiological",
                priority=priority,
                text=text,
                onset_sample=max(0, bed.sample - 1000),
                sample=max(0, bed.sample - 1),
                onset_ns=now_ns - 4_000_000_000,
                detected_ns=now_ns,
                holds=True,
                latched=False,
                acknowledged=False,
            )
            self._tell(event)
            return event

    def change(self, before: AlarmEvent, **what: object) -> AlarmEvent:
        """Send the alarm's next transition."""
        with self._lock:
            changed = replace(before, sequence=before.sequence + 1, **what)  # type: ignore[arg-type]  # a test's own words
            self._tell(changed)
            return changed

    def _tell(self, event: AlarmEvent) -> None:
        message = AlarmMessage(
            id=event.event_id,
            type=f"rhythmwatch.alarm.{event.event}",
            subject=event.patient,
            time="2026-01-01T00:00:00Z",
            epoch=1,
            data=event,
        )
        self._producer.send(ALARMS.name, event.patient, encode(message))

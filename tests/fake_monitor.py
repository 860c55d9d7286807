"""A monitor for protocol tests: quick, exact, and with a memory that shows any lost sample."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from ecg.chunk import Chunk, check_fs
from ecg.errors import EcgError, RateError, StateError
from ecg.finding import Beat, Findings, Gap, LeadQuality, Span, Status

BEAT_EVERY = 75
DELAY = 40
"""A beat is decided so many samples later, so most are decided in another chunk."""


@dataclass(slots=True)
class _Patient:
    stream: str
    fs: float
    next_sample: int = 0
    memory: int = 0
    """Checksum of all samples so far: every beat carries it."""


class FakeMonitor:
    """Says a beat every 75 samples and a status every second; the same whatever the chunks."""

    def __init__(self) -> None:
        self._patients: dict[str, _Patient] = {}

    def refusals(self, chunks: Sequence[Chunk]) -> dict[int, EcgError]:
        refused: dict[int, EcgError] = {}
        for position, chunk in enumerate(chunks):
            try:
                check_fs(chunk.fs)
            except RateError as error:
                refused[position] = error
        return refused

    def advance(self, chunks: Sequence[Chunk]) -> list[Findings]:
        for error in self.refusals(chunks).values():
            raise error
        found: dict[tuple[str, str], list[Findings]] = {}
        for chunk in chunks:
            patient = self._patients.get(chunk.patient)
            if patient is None or patient.stream != chunk.stream:
                patient = _Patient(chunk.stream, chunk.fs)
                self._patients[chunk.patient] = patient
            one = self._take(patient, chunk)
            if one is not None:
                found.setdefault((chunk.patient, chunk.stream), []).append(one)
        return [_joined(parts) for parts in found.values()]

    def _take(self, patient: _Patient, chunk: Chunk) -> Findings | None:
        expected = patient.next_sample
        if chunk.end_sample <= expected:
            return None
        gaps: tuple[Gap, ...] = ()
        start = max(expected, chunk.first_sample)
        if chunk.first_sample > expected:
            gaps = (
                Gap(
                    first_sample=expected,
                    end_sample=chunk.first_sample,
                    decided_sample=chunk.first_sample,
                    reset=False,
                ),
            )
        beats = []
        statuses = []
        for sample in range(start, chunk.end_sample):
            row = np.ascontiguousarray(chunk.samples[sample - chunk.first_sample])
            patient.memory = zlib.crc32(row.tobytes(), patient.memory)
            if sample % BEAT_EVERY == DELAY and sample > DELAY:
                beats.append(
                    Beat(
                        sample=sample - DELAY,
                        decided_sample=sample,
                        beat_class="N",
                        score=patient.memory / 2**32,
                        lead=chunk.leads[0],
                    )
                )
            if sample and sample % round(chunk.fs) == 0:
                statuses.append(
                    Status(
                        sample=sample,
                        decided_sample=sample,
                        last_r=None,
                        heart_rate_bpm=60.0,
                        fit=True,
                        reason=None,
                        warm_up=False,
                        model="fake",
                        leads=(LeadQuality(lead=chunk.leads[0], fit=True),),
                    )
                )
        patient.next_sample = chunk.end_sample
        return Findings(
            patient=chunk.patient,
            stream=chunk.stream,
            fs=chunk.fs,
            after_sample=expected - 1,
            through_sample=chunk.end_sample - 1,
            spans=(
                Span(
                    first_sample=start,
                    n_samples=chunk.end_sample - start,
                    source_ns=chunk.source_ns,
                    sent_ns=chunk.sent_ns,
                ),
            ),
            beats=tuple(beats),
            statuses=tuple(statuses),
            gaps=gaps,
        )

    def export(self, patient: str) -> bytes:
        if patient not in self._patients:
            raise StateError(f"no patient {patient!r} to export")
        state = self._patients[patient]
        return msgspec.json.encode((state.stream, state.fs, state.next_sample, state.memory))

    def restore(self, patient: str, state: bytes) -> None:
        self._patients[patient] = _Patient(*msgspec.json.decode(state))

    def discharge(self, patient: str) -> None:
        self._patients.pop(patient, None)


def _joined(parts: Sequence[Findings]) -> Findings:
    first, last = parts[0], parts[-1]
    return Findings(
        patient=first.patient,
        stream=first.stream,
        fs=first.fs,
        after_sample=first.after_sample,
        through_sample=last.through_sample,
        spans=tuple(span for part in parts for span in part.spans),
        beats=tuple(beat for part in parts for beat in part.beats),
        statuses=tuple(status for part in parts for status in part.statuses),
        gaps=tuple(gap for part in parts for gap in part.gaps),
    )

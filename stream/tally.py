"""What happened, in figures: counts, delays and latencies of findings, alarms and webhooks."""

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ecg.alarm import AlarmEvent
from ecg.finding import BEAT_CLASSES, Findings, Span

_SPANS_KEPT = 64
"""Spans remembered of each stream; a finding is at most seconds younger than its samples."""


@dataclass(slots=True)
class Tally:
    """Counts findings and alarms as a consumer reads them.

    Latency is from the sending of the message that held a finding's decided
    sample to the reading of the finding; delay is from an R peak to the sample
    at which the beat could be judged.
    """

    first_sent_ns: int | None = None
    """When the first sample was sent, in ns UTC."""
    beats: Counter[str] = field(default_factory=Counter)
    alarms: list[AlarmEvent] = field(default_factory=list)
    through: dict[tuple[str, str], int] = field(default_factory=dict)
    """Sample number of the newest sample judged, by patient and stream."""
    heart_rates: dict[str, float | None] = field(default_factory=dict)
    _latencies_ms: list[float] = field(default_factory=list)
    _delays_s: list[float] = field(default_factory=list)
    _spans: dict[tuple[str, str], deque[Span]] = field(default_factory=dict)

    def add_findings(self, findings: Findings, *, arrived_ns: int) -> None:
        """Count the findings of one message."""
        key = (findings.patient, findings.stream)
        spans = self._spans.setdefault(key, deque(maxlen=_SPANS_KEPT))
        spans.extend(findings.spans)
        for span in findings.spans:
            if self.first_sent_ns is None or span.sent_ns < self.first_sent_ns:
                self.first_sent_ns = span.sent_ns
        self.through[key] = max(findings.through_sample, self.through.get(key, -1))
        for beat in findings.beats:
            if beat.beat_class is not None:
                self.beats[beat.beat_class] += 1
            self._delays_s.append((beat.decided_sample - beat.sample) / findings.fs)
        for status in findings.statuses:
            self.heart_rates[findings.patient] = status.heart_rate_bpm
        for finding in findings.in_order():
            held = _holding(spans, finding.decided_sample)
            if held is not None:
                self._latencies_ms.append((arrived_ns - held.sent_ns) / 1e6)

    def add_alarm(self, event: AlarmEvent) -> None:
        """Count one transition of an alarm."""
        self.alarms.append(event)

    @property
    def patients(self) -> list[str]:
        """Everybody of whom there are findings."""
        return sorted({patient for patient, _ in self.through})

    @property
    def samples(self) -> int:
        """Samples judged, of one lead, of all patients together."""
        return sum(through + 1 for through in self.through.values())

    def summary(self) -> dict[str, Any]:
        """Return the figures as they go into JSON."""
        return {
            "patients": self.patients,
            "samples": self.samples,
            "beats": {name: self.beats[name] for name in BEAT_CLASSES},
            "alarms": [
                {
                    "patient": event.patient,
                    "code": event.code,
                    "kind": event.kind,
                    "priority": event.priority,
                    "onset_sample": event.onset_sample,
                    "event": event.event,
                }
                for event in self.alarms
            ],
            "latency_ms": _percentiles(self._latencies_ms, (50, 95, 99), digits=1),
            "delay_s": _percentiles(self._delays_s, (50, 95, 100), digits=3),
        }


def _holding(spans: Sequence[Span], sample: int) -> Span | None:
    """Return the span that holds a sample, None where no message brought it."""
    for span in reversed(spans):
        if span.first_sample <= sample < span.first_sample + span.n_samples:
            return span
    return None


def _percentiles(
    values: Sequence[float], percents: Sequence[int], *, digits: int
) -> dict[str, float | None]:
    names = ["max" if percent == 100 else f"p{percent}" for percent in percents]
    if not values:
        return dict.fromkeys(names)
    found = np.percentile(np.asarray(values), percents)
    return {name: round(float(value), digits) for name, value in zip(names, found, strict=True)}

"""Scripted findings: what a monitor would say of a patient whose beats are given."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from msgspec import structs

from ecg.finding import (
    BEAT_CLASSES,
    Beat,
    BeatClass,
    Findings,
    LeadQuality,
    Rhythm,
    RhythmWindow,
    Span,
    Status,
    Unfit,
)

FS = 250.0
START_NS = 1_700_000_000_000_000_000
BEAT_DELAY_S = 0.4
STATUS_DELAY_S = 0.5
WINDOW_S = 4


@dataclass(frozen=True, kw_only=True)
class Story:
    """What happens to a patient, second by second; heart rate follows from the beats."""

    seconds: int
    beats: Sequence[tuple[float, BeatClass | None]] = ()
    vf: Sequence[int] = ()
    """Seconds at whose end the last four seconds read fibrillation."""
    no_rhythm: Sequence[int] = ()
    unfit: Mapping[int, Unfit] = field(default_factory=dict)
    """Reason for each second in which no lead is fit."""
    unfit_lead: Mapping[int, Unfit] = field(default_factory=dict)
    """Reason for each second in which only the second lead is unfit."""
    warm_up_s: int = 0
    no_model: Sequence[int] = ()
    patient: str = "p1"
    stream: str = "s1"

    def whole(self) -> Findings:
        """Return all findings in one message, with spans of 250 ms."""
        end = round((self.seconds + 1) * FS)
        step = round(FS / 4)
        spans = tuple(
            Span(
                first_sample=first,
                n_samples=min(step, end - first),
                source_ns=START_NS + round(first / FS * 1e9),
                sent_ns=START_NS,
            )
            for first in range(0, end, step)
        )
        return Findings(
            patient=self.patient,
            stream=self.stream,
            fs=FS,
            after_sample=-1,
            through_sample=end - 1,
            spans=spans,
            beats=self._beats(),
            windows=self._windows(),
            statuses=tuple(self._status(second) for second in range(1, self.seconds + 1)),
        )

    def _beats(self) -> tuple[Beat, ...]:
        said = []
        before: int | None = None
        for at, beat_class in sorted(self.beats, key=lambda beat: beat[0]):
            sample = round(at * FS)
            judged = beat_class is not None
            said.append(
                Beat(
                    sample=sample,
                    decided_sample=sample + round(BEAT_DELAY_S * FS),
                    beat_class=beat_class,
                    reason=None if judged else "unfit: noisy",
                    probabilities=tuple(0.9 if c == beat_class else 0.025 for c in BEAT_CLASSES)
                    if judged
                    else None,
                    rr_s=None if before is None else (sample - before) / FS,
                    lead="II",
                    model="m1" if judged else None,
                )
            )
            before = sample
        return tuple(said)

    def _windows(self) -> tuple[RhythmWindow, ...]:
        said = []
        for second in range(WINDOW_S, self.seconds + 1):
            rhythm: Rhythm | None = "vf" if second in self.vf else "organised"
            if second in self.no_rhythm or second in self.unfit:
                rhythm = None
            said.append(
                RhythmWindow(
                    first_sample=round((second - WINDOW_S) * FS),
                    end_sample=round(second * FS),
                    decided_sample=round(second * FS),
                    rhythm=rhythm,
                    probability=None if rhythm is None else 0.95,
                )
            )
        return tuple(said)

    def _status(self, second: int) -> Status:
        sample = round(second * FS)
        before = sorted(round(at * FS) for at, _ in self.beats if round(at * FS) <= sample)
        rr = [b - a for a, b in pairwise(before[-13:])]
        reason = self.unfit.get(second)
        some = self.unfit_lead.get(second)
        return Status(
            sample=sample,
            decided_sample=sample + round(STATUS_DELAY_S * FS),
            last_r=before[-1] if before else None,
            heart_rate_bpm=60 * FS * len(rr) / sum(rr) if rr and reason is None else None,
            fit=reason is None,
            reason=reason,
            warm_up=second <= self.warm_up_s,
            model=None if second in self.no_model else "m1",
            leads=(
                LeadQuality(lead="II", fit=reason is None, reason=reason),
                LeadQuality(lead="V1", fit=reason is None and some is None, reason=reason or some),
            ),
        )


def regular(
    rate: float, *, start: float = 0.5, end: float, beat_class: BeatClass = "N"
) -> list[tuple[float, BeatClass | None]]:
    """Return beats at a steady rate, in 1/min, from ``start`` and before ``end``, in s."""
    step = 60.0 / rate
    n = int((end - start) / step + 1e-9) + 1
    return [(start + i * step, beat_class) for i in range(n) if start + i * step < end]


def cut(findings: Findings, at: Sequence[int]) -> list[Findings]:
    """Return the same findings in several messages, cut after the given samples."""
    inner = sorted({s for s in at if findings.after_sample < s < findings.through_sample})
    edges = [findings.after_sample, *inner, findings.through_sample]
    parts = []
    for after, through in pairwise(edges):
        parts.append(
            structs.replace(
                findings,
                after_sample=after,
                through_sample=through,
                spans=tuple(s for s in findings.spans if after < s.first_sample <= through),
                beats=tuple(b for b in findings.beats if after < b.decided_sample <= through),
                windows=tuple(w for w in findings.windows if after < w.decided_sample <= through),
                statuses=tuple(s for s in findings.statuses if after < s.decided_sample <= through),
                gaps=tuple(g for g in findings.gaps if after < g.decided_sample <= through),
            )
        )
    return parts

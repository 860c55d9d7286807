"""When a sample was taken: wall-clock anchors of a stream's newest samples."""

from dataclasses import dataclass, field

from ecg.finding import LATEST_NS, Span

KEEP_EVERY_S = 0.2
"""Spans closer together than this are thinned: 50-ms chunks need no anchor each."""
KEEP = 64
"""Anchors kept; at least 12.8 s, longer than any condition needs to be seen."""
JUMP_S = 5.0
"""A source clock that is this far from where its samples put it has jumped."""


@dataclass(slots=True, kw_only=True)
class Timeline:
    """Sample numbers and their times, folded span by span, so that no grouping of them matters."""

    fs: float
    samples: list[int] = field(default_factory=list)
    times_ns: list[int] = field(default_factory=list)
    next_sample: int = 0
    next_ns: int = 0

    def note(self, span: Span) -> float:
        """Take a span; return how far the source's clock has jumped before it, in s, else 0."""
        if self.samples and span.first_sample < self.next_sample:
            return 0.0
        jump_s = 0.0
        if self.samples:
            missing_s = (span.first_sample - self.next_sample) / self.fs
            off_s = (span.source_ns - self.next_ns) / 1e9 - missing_s
            jump_s = off_s if abs(off_s) > JUMP_S else 0.0
        self.next_sample = span.first_sample + span.n_samples
        self.next_ns = span.source_ns + round(span.n_samples / self.fs * 1e9)
        apart = span.first_sample - self.samples[-1] if self.samples else None
        if apart is None or jump_s or apart >= KEEP_EVERY_S * self.fs:
            self.samples.append(span.first_sample)
            self.times_ns.append(span.source_ns)
            del self.samples[:-KEEP], self.times_ns[:-KEEP]
        return jump_s

    def time_ns(self, sample: int) -> int:
        """Return when ``sample`` was taken, in ns UTC, from the anchor before it.

        A sample older than every anchor is reckoned from the oldest.
        """
        if not self.samples:
            return 0
        index = len(self.samples) - 1
        while index and self.samples[index] > sample:
            index -= 1
        ns = self.times_ns[index] + round((sample - self.samples[index]) / self.fs * 1e9)
        return min(max(ns, 0), LATEST_NS)

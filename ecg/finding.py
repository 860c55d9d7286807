"""What the monitor says about a patient: beats, rhythm windows, statuses, gaps.

Every finding has a ``decided_sample``: the earliest sample of the stream at
which it could be said, whatever the chunks. Findings of a patient are in the
order of it, so it is the position that consumers keep as their watermark.

They are msgspec structs, as the messages are: thousands of patients give tens of
thousands of these a second, and a frozen dataclass takes ten times as long to make.
"""

from collections.abc import Iterator
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from ecg.chunk import LAST_SAMPLE

BEAT_CLASSES: tuple["BeatClass", ...] = ("N", "S", "V", "F", "Q")
"""ANSI/AAMI EC57 beat classes, in the order of every probability vector."""

RHYTHMS: tuple["Rhythm", ...] = ("organised", "vf", "asystole")
"""Classes of a rhythm window, in the order of its probability vector."""

BeatClass = Literal["N", "S", "V", "F", "Q"]
Rhythm = Literal["organised", "vf", "asystole"]
Unfit = Literal["missing", "lead_off", "flat", "clipped", "noisy"]
"""Why a lead cannot be judged; of several the first in this order is said."""

LATEST_NS = 2**62
"""A time of day, ns UTC, of the year 2116: what lies beyond is a wrong number."""
Sample = Annotated[int, Meta(gt=-LAST_SAMPLE, lt=LAST_SAMPLE)]
Time = Annotated[int, Meta(ge=0, lt=LATEST_NS)]
_Interval = Annotated[float, Meta(ge=0.001, le=1e9)]
_Probabilities = Annotated[tuple[float, ...], Meta(min_length=5, max_length=5)]


class Beat(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One beat and its class.

    Parameters
    ----------
    sample : int
        Sample number of the R peak.
    decided_sample : int
        Earliest sample at which the class could be said; at most 2.0 s later.
    beat_class : {"N", "S", "V", "F", "Q"} or None
        The likeliest, but for S, which is called before it is (``ecg.call``). None where the beat
        was seen but cannot be judged; ``reason`` says why.
    reason : str or None
        ``"unfit: noisy"``, ``"warm-up"``, ``"no model"``, ...; None when judged.
    probabilities : tuple of float or None
        Calibrated, in the order of ``BEAT_CLASSES``.
    score : float or None
        The anomaly score, 1 - P(N).
    rr_s : float or None
        RR interval that ends at this beat, in s; None for the first beat and
        after a gap.
    lead : str
        The lead that places the R peak.
    model : str or None
        Version of the model that judged.
    """

    sample: Sample
    decided_sample: Sample
    beat_class: BeatClass | None
    reason: str | None = None
    probabilities: _Probabilities | None = None
    score: float | None = None
    rr_s: _Interval | None = None
    lead: str
    model: str | None = None


class RhythmWindow(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The rhythm of a fixed run of samples, ``first_sample`` up to ``end_sample`` (excluded)."""

    first_sample: Sample
    end_sample: Sample
    decided_sample: Sample
    rhythm: Rhythm | None
    reason: str | None = None
    probability: float | None = None
    score: float | None = None
    model: str | None = None


class LeadQuality(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Whether one lead is fit to be judged."""

    lead: str
    fit: bool
    reason: Unfit | None = None


class Status(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Once every whole second of stream: what is known, and what is not.

    Parameters
    ----------
    sample : int
        The whole second: a multiple of fs, rounded up to a sample.
    decided_sample : int
        Earliest sample at which this could be said.
    last_r : int or None
        R peak of the last beat detected so far, also one not yet judged.
    heart_rate_bpm : float or None
        Mean over the last RR intervals, in 1/min; None while unknown.
    fit : bool
        True if at least one judged lead can be judged.
    reason : {"missing", "lead_off", "flat", "clipped", "noisy"} or None
        Why not.
    warm_up : bool
        True in the first 30 s of valid ECG of a stream or after a long gap.
    model : str or None
        Version of the model, None when no model is loaded.
    leads : tuple of LeadQuality
        Every judged lead, the primary one first.
    lead_choice : str
        How they were chosen, for people.
    """

    sample: Sample
    decided_sample: Sample
    last_r: Sample | None
    heart_rate_bpm: Annotated[float, Meta(ge=0, le=1e6)] | None
    fit: bool
    reason: Unfit | None
    warm_up: bool
    model: str | None
    leads: tuple[LeadQuality, ...]
    lead_choice: str = ""


class Gap(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Samples that never came: ``first_sample`` up to ``end_sample`` (excluded).

    Where the two are equal none are missing, but what follows does not continue what was
    before: a splice, or other leads. No interval, run or pause goes through either.
    """

    first_sample: Sample
    end_sample: Sample
    decided_sample: Sample
    reset: bool
    """True when the signal state started anew: the gap was long, or the leads are others."""


Finding = Beat | RhythmWindow | Status | Gap


class Span(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Wall-clock anchor of some consecutive samples, in ns UTC."""

    first_sample: Sample
    n_samples: Sample
    source_ns: Time
    sent_ns: Time


class Findings(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """All findings of one patient in one tick.

    They cover the positions after ``after_sample`` up to ``through_sample``:
    each finding's ``decided_sample`` lies in that range. ``spans`` gives the
    wall-clock times of the samples that the tick brought.
    """

    patient: str
    stream: str
    fs: float
    after_sample: int
    through_sample: int
    spans: tuple[Span, ...] = ()
    beats: tuple[Beat, ...] = ()
    windows: tuple[RhythmWindow, ...] = ()
    statuses: tuple[Status, ...] = ()
    gaps: tuple[Gap, ...] = ()

    def in_order(self) -> Iterator[Finding]:
        """Yield the findings by decided sample; of equals beats, gaps, windows, statuses."""
        # a beat that is decided where a gap ends was before it: nothing more was to come
        found: list[Finding] = [*self.beats, *self.gaps, *self.windows, *self.statuses]
        yield from sorted(found, key=lambda finding: finding.decided_sample)

    def time_ns(self, sample: int) -> int:
        """Return when ``sample`` was taken, in ns UTC, from the nearest span.

        Raises
        ------
        ValueError
            If there are no spans.
        """
        if not self.spans:
            raise ValueError("findings without spans have no wall-clock time")
        span = next((s for s in reversed(self.spans) if s.first_sample <= sample), self.spans[0])
        return span.source_ns + round((sample - span.first_sample) / self.fs * 1e9)

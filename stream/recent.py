"""What was heard of one patient lately: bounded memory, whatever the length of the stream."""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from ecg.alarm import AlarmEvent
from ecg.chunk import MISSING
from ecg.finding import Beat, RhythmWindow, Status
from stream.messages import FindingsMessage, PatientMessage, Signal, TrendMessage, Waveform

WAVEFORM_S = 30.0
"""Seconds of waveform that are kept: enough for a 10-s strip around an alarm said 11 s late."""
STRIP_S = 10.0
"""Seconds of the strip that is kept with an alarm: the 10 s before it was detected."""
UNJUDGED_CHUNKS = 512
"""Arrival times kept of chunks that no finding covers yet."""
OLD_STREAMS = 16
T = TypeVar("T")


class Log(Generic[T]):
    """The last entries of a growing list, each known by its number from the start.

    Examples
    --------
    >>> log = Log[str](2)
    >>> for word in ("a", "b", "c"):
    ...     log.append(word)
    >>> log.after(0), log.count
    (['b', 'c'], 3)
    >>> log.after(2)
    ['c']
    """

    def __init__(self, size: int) -> None:
        self._entries: deque[T] = deque(maxlen=size)
        self.count = 0

    def append(self, entry: T) -> None:
        """Add an entry; the oldest goes when the log is full."""
        self._entries.append(entry)
        self.count += 1

    def after(self, count: int) -> list[T]:
        """Return the kept entries whose number is ``count`` or more, the oldest first."""
        wanted = min(self.count - count, len(self._entries))
        return list(self._entries)[len(self._entries) - wanted :] if wanted > 0 else []

    def last(self) -> T | None:
        """Return the newest entry."""
        return self._entries[-1] if self._entries else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """Consecutive samples of one stream, shape (n_samples, n_leads), ``MISSING`` where none."""

    stream: str
    fs: float
    signals: tuple[Signal, ...]
    first_sample: int
    samples: NDArray[np.int16]

    @property
    def end_sample(self) -> int:
        """Sample number one past the last row."""
        return self.first_sample + len(self.samples)


class Recent:
    """The last half minute of one patient, and what is known of him or her now.

    Times of arrival are seconds of a monotonic clock, handed in; a patient of
    whom nothing arrives has an age that grows.
    """

    def __init__(self, patient: str) -> None:
        self.patient = patient
        self.registry: PatientMessage | None = None
        self.partition: int | None = None
        self.alarms: dict[str, AlarmEvent] = {}
        self.events = Log[AlarmEvent](500)
        self.strips: dict[str, Stretch] = {}
        self.trends: deque[TrendMessage] = deque(maxlen=24 * 60)
        self._silenced_until_ns: int | None = None
        self._past: deque[str] = deque(maxlen=OLD_STREAMS)
        self._forget_signal("")

    @property
    def bed(self) -> str:
        """The bed, as the registry has it."""
        return self.registry.bed if self.registry is not None else ""

    @property
    def discharged(self) -> bool:
        """Whether the registry says that the patient is gone."""
        return self.registry is not None and self.registry.discharged

    def rest(self, *, since_ns: int) -> "Recent":
        """Return what is kept of a discharged patient: the entry and the alarms since a time."""
        rest = Recent(self.patient)
        rest.registry, rest.partition = self.registry, self.partition
        for event in self.events.after(0):
            if event.detected_ns >= since_ns:
                rest.events.append(event)
        return rest

    def _forget_signal(self, stream: str) -> None:
        self.stream = stream
        self.fs = 0.0
        self.signals: tuple[Signal, ...] = ()
        self.end_sample = 0
        self.through_sample = -1
        self.newest_ns: int | None = None
        self.arrived_s: float | None = None
        self.beats = Log[Beat](256)
        self.statuses = Log[Status](64)
        self.windows = Log[RhythmWindow](32)
        self._first_kept = 0
        self._ring = np.empty((0, 0), dtype=np.int16)
        self._unjudged: deque[tuple[int, float]] = deque()

    def _enter(self, stream: str) -> bool:
        """Follow ``stream`` if it is the current one or newer; say whether to listen."""
        if stream == self.stream:
            return True
        if stream in self._past:
            return False
        if self.stream:
            self._past.append(self.stream)
        self._forget_signal(stream)
        return True

    def take_waveform(self, message: Waveform, *, at_s: float) -> None:
        """Keep the samples of a chunk; a gap before it is filled with ``MISSING``."""
        if not self._enter(message.stream):
            return
        samples = message.array()
        if message.signals != self.signals or message.fs != self.fs:
            self.signals, self.fs = message.signals, message.fs
            self._ring = np.full(
                (math.ceil(WAVEFORM_S * message.fs), len(message.signals)), MISSING, np.int16
            )
            self.end_sample = self._first_kept = message.first_sample
        skip = max(0, self.end_sample - message.first_sample)
        if skip >= len(samples):
            return
        self._write(message.first_sample + skip, samples[skip:])
        self.arrived_s = at_s
        self.newest_ns = message.source_ns + round(len(samples) / message.fs * 1e9)
        if self.end_sample - 1 > self.through_sample and len(self._unjudged) < UNJUDGED_CHUNKS:
            self._unjudged.append((self.end_sample, at_s))

    def _write(self, first: int, samples: NDArray[np.int16]) -> None:
        size = len(self._ring)
        gap = min(first - self.end_sample, size)
        self._ring[np.arange(first - gap, first) % size] = MISSING
        self.end_sample = first + len(samples)
        kept = samples[-size:]
        self._ring[np.arange(self.end_sample - len(kept), self.end_sample) % size] = kept
        self._first_kept = max(self._first_kept, self.end_sample - size)

    def take_findings(self, message: FindingsMessage) -> None:
        """Keep what was found; the caller has dropped repeats and messages of old writers."""
        if not self._enter(message.stream):
            return
        for beat in message.beats:
            self.beats.append(beat)
        for status in message.statuses:
            self.statuses.append(status)
        for window in message.windows:
            self.windows.append(window)
        self.through_sample = max(self.through_sample, message.through_sample)
        while self._unjudged and self._unjudged[0][0] - 1 <= self.through_sample:
            self._unjudged.popleft()

    def take_alarm(self, event: AlarmEvent) -> None:
        """Keep an alarm's transition, and the strip before it where all of it is at hand.

        The caller has dropped repeats; the role's state may be ahead of its events.
        """
        known = self.alarms.get(event.alarm_id)
        if event.event == "ended":
            self.alarms.pop(event.alarm_id, None)
        elif known is None or event.sequence >= known.sequence:
            self.alarms[event.alarm_id] = event
        self.events.append(event)
        if event.event == "raised" and event.stream == self.stream and self.fs:
            first, end = event.sample + 1 - round(STRIP_S * self.fs), event.sample + 1
            strip = self.stretch(first, end)
            # a part of it would hide that the whole can be read back
            if (
                strip is not None
                and strip.first_sample <= max(0, first)
                and strip.end_sample == end
            ):
                self.strips[event.alarm_id] = strip
                while len(self.strips) > 100:
                    del self.strips[next(iter(self.strips))]

    def take_standing(self, events: Sequence[AlarmEvent], *, silenced_until_ns: int | None) -> None:
        """Take what the alarm role's state says: these alarms stand, and no others.

        An event that says more of one of them than the state does is kept.
        """
        standing = {}
        for event in events:
            known = self.alarms.get(event.alarm_id)
            newer = known is not None and known.sequence >= event.sequence
            standing[event.alarm_id] = known if known is not None and newer else event
        self.alarms = standing
        self._silenced_until_ns = silenced_until_ns

    def take_trend(self, message: TrendMessage) -> None:
        """Keep a minute's summary; the caller has dropped repeats."""
        self.trends.append(message)

    def stretch(self, first: int, end: int | None = None) -> Stretch | None:
        """Return the kept samples from ``first`` up to ``end`` (excluded); None if there are none.

        Parameters
        ----------
        first, end : int
            Sample numbers; what is no longer or not yet here is left out.
        """
        first = max(first, self._first_kept)
        end = self.end_sample if end is None else min(end, self.end_sample)
        if not self.signals or end <= first:
            return None
        return Stretch(
            stream=self.stream,
            fs=self.fs,
            signals=self.signals,
            first_sample=first,
            samples=self._ring[np.arange(first, end) % len(self._ring)],
        )

    def age_s(self, *, now_ns: int, now_s: float) -> float | None:
        """Return how old the newest sample is, in s; None before the first.

        The larger of the time since it was taken and the time since it
        arrived: a source whose clock is ahead cannot look fresh for ever, and
        what arrives late is old.
        """
        if self.arrived_s is None or self.newest_ns is None:
            return None
        return max(0.0, now_s - self.arrived_s, (now_ns - self.newest_ns) / 1e9)

    def unjudged_s(self, *, now_s: float) -> float:
        """Return for how long the oldest sample that no finding covers has been here, in s."""
        return now_s - self._unjudged[0][1] if self._unjudged else 0.0

    def silenced_until_ns(self) -> int | None:
        """Return until when the patient's sounds are paused, as the alarms say it."""
        said = [event.silenced_until_ns or 0 for event in self.alarms.values()]
        return max([*said, self._silenced_until_ns or 0]) or None

    def v_per_min(self) -> int | None:
        """Return the ventricular beats of the last minute; None while beats are not judged."""
        status = self.statuses.last()
        if status is None or not status.fit or status.model is None or not self.fs:
            return None
        since = self.through_sample - 60.0 * self.fs
        return sum(beat.beat_class == "V" and beat.sample > since for beat in self.beats.after(0))

    def current_alarms(self) -> Sequence[AlarmEvent]:
        """Return the alarms that have not ended: high before medium before low, newest first."""
        rank = {"high": 0, "medium": 1, "low": 2}
        return sorted(
            self.alarms.values(),
            key=lambda event: (rank[event.priority], event.acknowledged, -event.onset_ns),
        )

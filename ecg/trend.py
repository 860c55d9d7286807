"""One-minute summaries: findings in, minutes out, so that no screen reads all findings again."""

from collections.abc import Callable
from dataclasses import dataclass, field

from ecg.finding import BEAT_CLASSES, Beat, Finding, Status

MINUTE_S = 60
LATE_S = 2.5
"""A minute is complete when this much more has been said: a beat is decided up to 2.0 s late."""
UNJUDGED = "unjudged"
"""The name under which beats without a class are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Minute:
    """One minute of a stream, from ``first_sample`` up to ``end_sample`` (excluded).

    Heart rates are in 1/min over the seconds that had one, None where none had; ``beats`` counts
    by class, beats without one under ``unjudged``; ``unfit_s`` counts seconds that could not be
    judged, those that never came among them.
    """

    stream: str
    first_sample: int
    end_sample: int
    start_ns: int
    heart_rate_mean: float | None
    heart_rate_min: float | None
    heart_rate_max: float | None
    beats: dict[str, int]
    unfit_s: float


@dataclass(slots=True, kw_only=True)
class _Open:
    """A minute that is not complete."""

    start_ns: int
    rates: int = 0
    rate_sum: float = 0.0
    rate_min: float = 0.0
    rate_max: float = 0.0
    beats: dict[str, int] = field(default_factory=dict)
    fit: int = 0


@dataclass(slots=True, kw_only=True)
class Trends:
    """The minutes of one stream that are not complete: at most two."""

    stream: str
    fs: float
    open: dict[int, _Open] = field(default_factory=dict)
    done: int = 0
    """Minutes before this one are complete."""

    def advance(self, finding: Finding, time_ns: Callable[[int], int]) -> list[Minute]:
        """Take the next finding; return the minutes that are complete with it."""
        minutes = self._complete(finding.decided_sample)
        match finding:
            case Beat():
                found = self._minute(finding.sample, time_ns)
                if found is not None:
                    name = finding.beat_class or UNJUDGED
                    found.beats[name] = found.beats.get(name, 0) + 1
            case Status():
                found = self._minute(finding.sample - 1, time_ns)
                if found is not None:
                    self._second(found, finding)
        return minutes

    def _second(self, minute: _Open, status: Status) -> None:
        if not status.fit:
            return
        minute.fit += 1
        rate = status.heart_rate_bpm
        if rate is None:
            return
        minute.rate_min = min(minute.rate_min, rate) if minute.rates else rate
        minute.rate_max = max(minute.rate_max, rate) if minute.rates else rate
        minute.rates += 1
        minute.rate_sum += rate

    def _start(self, number: int) -> int:
        return round(number * MINUTE_S * self.fs)

    def _minute(self, sample: int, time_ns: Callable[[int], int]) -> _Open | None:
        number = int(max(sample, 0) // (MINUTE_S * self.fs))
        if number < self.done:
            return None
        if number not in self.open:
            self.open[number] = _Open(start_ns=time_ns(self._start(number)))
        return self.open[number]

    def close(self) -> list[Minute]:
        """Return the minutes that are not complete: their stream has ended."""
        return [self._whole(number) for number in sorted(self.open)]

    def _complete(self, now: int) -> list[Minute]:
        complete: list[Minute] = []
        for number in sorted(self.open):
            if now < self._start(number + 1) + LATE_S * self.fs:
                break
            complete.append(self._whole(number))
        return complete

    def _whole(self, number: int) -> Minute:
        """Take a minute out, as what it came to."""
        minute = self.open.pop(number)
        self.done = number + 1
        counted = minute.beats
        mean = round(minute.rate_sum / minute.rates, 2) if minute.rates else None
        return Minute(
            stream=self.stream,
            first_sample=self._start(number),
            end_sample=self._start(number + 1),
            start_ns=minute.start_ns,
            heart_rate_mean=mean,
            heart_rate_min=minute.rate_min if minute.rates else None,
            heart_rate_max=minute.rate_max if minute.rates else None,
            beats={name: counted.get(name, 0) for name in (*BEAT_CLASSES, UNJUDGED)},
            unfit_s=float(MINUTE_S - minute.fit),
        )

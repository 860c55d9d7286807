"""What is known of one stream, and the conditions that hold in it, with value and onset."""

from dataclasses import dataclass, field
from typing import Literal

from ecg import criteria as rule
from ecg.alarm import Limits, Priority
from ecg.criteria import CRITERIA


@dataclass(slots=True, kw_only=True)
class Condition:
    """One condition that holds, from ``onset`` until the sample ``until`` unless seen again."""

    key: str
    onset: int
    until: int
    text: str
    priority: Priority
    value: float | None = None
    limit: float | None = None
    unit: str | None = None
    count: int = 0
    probability: float | None = None
    leads: tuple[str, ...] = ()


@dataclass(slots=True, kw_only=True)
class Run:
    """V beats in a row: how many, and the last of them."""

    count: int = 0
    skipped: int = 0
    samples: list[int] = field(default_factory=list)
    probabilities: list[float] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Conditions:
    """What is known of one stream, and the conditions that hold in it."""

    fs: float
    stated: int = -1
    """The last status, or where the stream began."""
    holding: dict[str, Condition] = field(default_factory=dict)
    fit: bool = False
    reason: str | None = None
    warm_up: bool = True
    model: str | None = None
    leads: tuple[str, ...] = ()
    """The leads that are fit."""
    last_r: int | None = None
    fit_since: int | None = None
    """The first fit status since the last break for good."""
    unfit_since: int | None = None
    broken: int | None = None
    """Where the last break ended: an interval that began before may have hidden a beat."""
    lost: int = 0
    """Samples in which nobody could judge, since the last beat."""
    run: Run = field(default_factory=Run)
    likely: Run = field(default_factory=Run)
    """Beats in a row each of which may be V, whatever it is called."""
    vf_first: int | None = None
    vf_end: int = 0
    vf_probability: float | None = None
    v_seconds: dict[int, int] = field(default_factory=dict)
    """V beats in each second of the last minute that has any."""
    last_v: int | None = None
    rr_s: list[float] = field(default_factory=list)
    """The last RR intervals that no break is in, since the last break for good; in s."""
    rated: int = 0
    """The R peak at which the last of them ended."""
    unbroken: int = 0
    """So many of them came in a row, since the last break."""
    histories: dict[str, int] = field(default_factory=dict)
    """Technical conditions seen in the last statuses, newest in the lowest bit."""
    bad_since: dict[str, int] = field(default_factory=dict)
    interrupted: bool = False
    """Samples were missing, or a splice came, since the last status."""
    sight: dict[str, Literal["unseen", "passing"]] = field(default_factory=dict)
    """Conditions that hold though they are not seen: *unseen* since the signal broke off, or
    *passing*, as they were not there when they could be judged last."""

    def break_off(self, now: int, *, for_good: bool) -> None:
        """Take note that nobody could judge the signal just before ``now``.

        No run and no interval goes through that. What holds is not known to have passed, and has
        ``UNSEEN_S`` to be seen again; after a break ``for_good``, a long one, nobody can say that
        it still does, and what was heard before it counts no more.
        """
        self.run = Run()
        self.likely = Run()
        self.vf_first = None
        self.broken = now
        self.unbroken = 0
        if for_good:
            self.fit_since = None
            self.lost = 0
            self.forget_rate()
        self.lose_sight(rule.LASTING, now)

    def lose_sight(self, keys: frozenset[str], now: int) -> None:
        """Let those of the conditions that hold go on for a while: nobody sees whether they do.

        Once, until they are seen again, and never those that were passing.
        """
        for key, held in self.holding.items():
            if key in keys and key not in self.sight:
                self.sight[key] = "unseen"
                held.until = max(held.until, now + round(rule.UNSEEN_S * self.fs))

    def forget_rate(self) -> None:
        """Let the heart rate be judged by intervals to come alone."""
        self.rr_s.clear()
        self.unbroken = 0

    def judged(self, key: str, now: int) -> None:
        """Say that a condition could be judged at ``now`` and was not seen."""
        was = self.sight.pop(key, None)
        held = self.holding.get(key)
        if held is None:
            return
        if was == "unseen":
            held.until = min(held.until, now + round(CRITERIA[key].hold_s * self.fs))
        self.sight[key] = "passing"

    def hold(
        self,
        key: str,
        *,
        onset: int,
        now: int,
        text: str,
        value: float | None = None,
        limit: float | None = None,
        unit: str | None = None,
        count: int = 0,
        probability: float | None = None,
        leads: tuple[str, ...] | None = None,
        priority: Priority | None = None,
        hold_s: float | None = None,
    ) -> None:
        """Say that a condition holds at ``now``; one that held already keeps its onset."""
        criterion = CRITERIA[key]
        held = self.holding.get(key)
        self.sight.pop(key, None)
        self.holding[key] = Condition(
            key=key,
            onset=onset if held is None else held.onset,
            until=now + round((criterion.hold_s if hold_s is None else hold_s) * self.fs),
            text=text,
            priority=criterion.priority if priority is None else priority,
            value=value,
            limit=limit,
            unit=unit,
            count=count,
            probability=probability,
            leads=self.leads if leads is None else leads,
        )

    def no_longer_over(self, limits: Limits) -> list[str]:
        """Return the conditions that hold by their value but would not with these limits."""
        high, low = rule.extreme_high(limits), rule.extreme_low(limits)
        within = {
            "extreme_tachy": lambda value: value <= high,
            "extreme_brady": lambda value: value >= low,
            "hr_high": lambda value: value <= limits.hr_high,
            "hr_low": lambda value: value >= limits.hr_low,
            "v_per_min": lambda value: value <= limits.v_per_min,
            "pause": lambda value: value <= limits.pause_s,
            "asystole": lambda value: value < limits.asystole_s,
        }
        return [
            key
            for key, held in self.holding.items()
            if key in within and held.value is not None and within[key](held.value)
        ]

    def seconds(self, samples: int) -> float:
        """Return how long so many samples are."""
        return samples / self.fs

    def fibrillates(self, now: int) -> bool:
        """Tell whether rhythm windows read fibrillation just now, though not for long enough."""
        return self.vf_first is not None and now - self.vf_end <= CRITERIA["vf"].hold_s * self.fs

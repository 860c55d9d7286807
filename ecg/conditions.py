"""Which conditions hold: findings of one stream in, conditions with value and onset out.

Everything here is a function of sample numbers: no wall clock, so a replay finds the same.
"""

from dataclasses import dataclass, field
from math import floor

from ecg import criteria as rule
from ecg.alarm import Limits, Priority
from ecg.criteria import CODE_OF_REASON, CRITERIA
from ecg.finding import BEAT_CLASSES, Beat, Finding, Gap, RhythmWindow, Status

_V = BEAT_CLASSES.index("V")
_MOMENTARY = ("nsvt", "v_run", "v_pair")
_RECENT = 5
"""V beats over which the rate of a run is taken."""


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
    holding: dict[str, Condition] = field(default_factory=dict)
    fit: bool = False
    reason: str | None = None
    warm_up: bool = True
    model: str | None = None
    leads: tuple[str, ...] = ()
    """The leads that are fit."""
    last_r: int | None = None
    fit_since: int | None = None
    """The first status of the present fit stretch."""
    unfit_since: int | None = None
    run: Run = field(default_factory=Run)
    vf_first: int | None = None
    vf_end: int = 0
    vf_probability: float | None = None
    v_seconds: dict[int, int] = field(default_factory=dict)
    """V beats in each second of the last minute that has any."""
    last_v: int | None = None
    rr_s: list[float] = field(default_factory=list)
    """The last RR intervals since the last break, in s."""
    histories: dict[str, int] = field(default_factory=dict)
    """Technical conditions seen in the last statuses, newest in the lowest bit."""
    bad_since: dict[str, int] = field(default_factory=dict)

    def advance(self, finding: Finding, limits: Limits) -> None:
        """Take the next finding, in the order of ``decided_sample``."""
        match finding:
            case Beat():
                self._beat(finding, limits)
            case Status():
                self._status(finding, limits)
            case RhythmWindow():
                self._window(finding)
            case Gap():
                self._gap(finding)
        now = finding.decided_sample
        for key in [key for key, held in self.holding.items() if held.until < now]:
            del self.holding[key]

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
        }
        return [
            key
            for key, held in self.holding.items()
            if key in within and held.value is not None and within[key](held.value)
        ]

    def _seconds(self, samples: int) -> float:
        return samples / self.fs

    def _gap(self, gap: Gap) -> None:
        """Nothing is known across a gap: no run, no pause, no fibrillation goes through it."""
        self.run = Run()
        self.vf_first = None
        self.fit_since = None
        self.rr_s.clear()
        if gap.reset:
            self.last_r = None
            self.warm_up = True
            self.v_seconds.clear()

    # beats

    def _beat(self, beat: Beat, limits: Limits) -> None:
        if self.last_r is None or beat.sample > self.last_r:
            self.last_r = beat.sample
        self._interval(beat, limits)
        match beat.beat_class:
            case "V":
                self._v_beat(beat)
            case "N" | "S":
                self._end_run(beat.decided_sample)
            case _ if self.run.count:
                self.run.skipped += 1
                if self.run.skipped > rule.RUN_SKIPS:
                    self.run = Run()

    def _interval(self, beat: Beat, limits: Limits) -> None:
        """Look at the RR interval that ends at a beat, if the signal was fit all through it."""
        onset = beat.sample - round((beat.rr_s or 0.0) * self.fs)
        unknown = beat.rr_s is None or self.fit_since is None or onset < self.fit_since
        if beat.rr_s is None or unknown or "vf" in self.holding:
            self.rr_s.clear()
            return
        if beat.rr_s > limits.pause_s:
            self._pause(beat.rr_s, onset, beat.decided_sample, limits)
        if beat.rr_s >= limits.asystole_s:
            self.rr_s.clear()
            return
        self.rr_s.append(beat.rr_s)
        del self.rr_s[: -rule.RATE_BEATS - rule.RATE_BEATS_NEWER]

    def _rate(self, status: Status) -> float | None:
        """Return the heart rate: as the status says it, unless it reaches across a break."""
        recent = self.rr_s
        whole = len(recent) >= rule.RATE_BEATS + rule.RATE_BEATS_NEWER
        if status.heart_rate_bpm is None or whole:
            return status.heart_rate_bpm
        if len(recent) < rule.RATE_BEATS_LEAST:
            return None
        if min(recent[-3:]) > rule.SLOW_RR_S:
            recent = recent[-rule.RATE_BEATS_LEAST :]
        recent = recent[-rule.RATE_BEATS :]
        return 60.0 * len(recent) / sum(recent)

    def _pause(self, value: float, onset: int, now: int, limits: Limits) -> None:
        self.hold(
            "pause",
            onset=onset,
            now=now,
            text=f"PAUSE {value:.1f} s>{limits.pause_s:g}",
            value=round(value, 3),
            limit=limits.pause_s,
            unit="s",
        )

    def _v_beat(self, beat: Beat) -> None:
        if "vf" in self.holding:
            return  # what the detector finds in fibrillation are no beats
        run = self.run
        if run.samples and beat.sample - run.samples[-1] > rule.RUN_BREAK_S * self.fs:
            self._end_run(beat.decided_sample)
            run = self.run
        run.count += 1
        run.skipped = 0
        run.samples.append(beat.sample)
        run.probabilities.append(1.0 if beat.probabilities is None else beat.probabilities[_V])
        del run.samples[:-_RECENT], run.probabilities[:-_RECENT]
        second = floor(beat.sample / self.fs)
        self.v_seconds[second] = self.v_seconds.get(second, 0) + 1
        self.last_v = beat.sample
        if run.count >= rule.VT_RUN:
            rate = self._run_rate()
            if rate > rule.VT_RATE:
                self.rr_s.clear()
                self._hold_run("vt", rate, beat.decided_sample)
            elif rate >= rule.VENT_RHYTHM_RATE:
                self._hold_run("vent_rhythm", rate, beat.decided_sample)

    def _run_rate(self) -> float:
        samples = self.run.samples
        return 60.0 * (len(samples) - 1) / self._seconds(samples[-1] - samples[0])

    def _hold_run(self, key: str, rate: float, now: int) -> None:
        run = self.run
        stars = "*** " if key == "vt" else ""
        self.hold(
            key,
            onset=run.samples[0],
            now=now,
            text=f"{stars}{CRITERIA[key].words} {rate:.0f}/min, {run.count} V",
            value=round(rate, 1),
            limit=rule.VENT_RHYTHM_RATE if key == "vent_rhythm" else rule.VT_RATE,
            unit="/min",
            count=run.count,
            probability=round(sum(run.probabilities) / len(run.probabilities), 4),
        )

    def _end_run(self, now: int) -> None:
        """Say what a run was that is now complete: a pair, a run, a short tachycardia."""
        run = self.run
        if 2 <= run.count < rule.VT_RUN:
            rate = self._run_rate()
            if run.count == 2:
                key = "v_pair"
            else:
                key = "nsvt" if rate > rule.VT_RATE else "v_run"
            self._hold_run(key, rate, now)
        if run.count:
            self.run = Run()

    # rhythm windows

    def _window(self, window: RhythmWindow) -> None:
        if window.rhythm is None:
            return
        if window.rhythm != "vf":
            self.vf_first = None
            return
        if self.vf_first is None or window.first_sample > self.vf_end:
            self.vf_first = window.first_sample
        self.vf_end = max(self.vf_end, window.end_sample)
        self.vf_probability = window.probability
        covered_s = self._seconds(self.vf_end - self.vf_first)
        if covered_s >= rule.VF_S:
            self.run = Run()
            self.rr_s.clear()
            for key in ("asystole", *_MOMENTARY):
                self.holding.pop(key, None)
            self.hold(
                "vf",
                onset=self.vf_first,
                now=window.decided_sample,
                text=f"*** VF {covered_s:.0f} s",
                value=round(covered_s, 1),
                limit=rule.VF_S,
                unit="s",
                probability=window.probability,
            )

    def _fibrillates(self, now: int) -> bool:
        return self.vf_first is not None and now - self.vf_end <= CRITERIA["vf"].hold_s * self.fs

    # statuses

    def _status(self, status: Status, limits: Limits) -> None:
        self.fit = status.fit
        self.reason = status.reason
        self.warm_up = status.warm_up
        self.model = status.model
        self.leads = tuple(lead.lead for lead in status.leads if lead.fit)
        self.last_r = status.last_r
        minute_ago = floor(status.sample / self.fs) - 60
        for second in [second for second in self.v_seconds if second < minute_ago]:
            del self.v_seconds[second]
        if status.fit:
            if self.fit_since is None:
                self.fit_since = status.sample
            self.unfit_since = None
            self._without_beat(status, self.fit_since, limits)
            self._heart_rate(status, limits)
            self._v_per_min(status, limits)
            run = self.run.samples
            if run and status.sample - run[-1] > rule.RUN_BREAK_S * self.fs:
                self._end_run(status.decided_sample)
        else:
            self._unfit(status)
        self._technical(status)

    def _unfit(self, status: Status) -> None:
        self.fit_since = None
        self.rr_s.clear()
        self.run = Run()
        self.vf_first = None
        if self.unfit_since is None:
            self.unfit_since = status.sample
        if status.sample - self.unfit_since >= rule.UNFIT_GRACE_S * self.fs:
            for key in [k for k in self.holding if CRITERIA[k].kind == "physiological"]:
                del self.holding[key]

    def _without_beat(self, status: Status, fit_since: int, limits: Limits) -> None:
        start = fit_since if status.last_r is None else max(status.last_r, fit_since)
        since_s = self._seconds(status.sample - start)
        never = status.last_r is None
        if since_s >= (max(limits.asystole_s, rule.FIRST_BEAT_S) if never else limits.asystole_s):
            self.rr_s.clear()
            if not self._fibrillates(status.sample):
                self.hold(
                    "asystole",
                    onset=start,
                    now=status.decided_sample,
                    text=f"*** ASYSTOLE {since_s:.0f} s",
                    value=round(since_s, 1),
                    limit=limits.asystole_s,
                    unit="s",
                )
        else:
            self.holding.pop("asystole", None)
            if not never and start == status.last_r and since_s > limits.pause_s:
                self._pause(since_s, start, status.decided_sample, limits)

    def _heart_rate(self, status: Status, limits: Limits) -> None:
        rate = self._rate(status)
        if rate is None:
            return
        shown = floor(rate + 0.5)  # what the screen shows decides
        too_high, too_low = rule.extreme_high(limits), rule.extreme_low(limits)
        for key, over, limit in (
            ("extreme_tachy", shown > too_high, too_high),
            ("extreme_brady", shown < too_low, too_low),
            ("hr_high", shown > limits.hr_high, limits.hr_high),
            ("hr_low", shown < limits.hr_low, limits.hr_low),
        ):
            if not over:
                continue
            sign = ">" if shown > limit else "<"
            stars = "*** " if CRITERIA[key].latches else ""
            self.hold(
                key,
                onset=status.sample if status.last_r is None else status.last_r,
                now=status.decided_sample,
                text=f"{stars}{CRITERIA[key].words} {shown}{sign}{limit:g}",
                value=float(shown),
                limit=limit,
                unit="/min",
            )

    def _v_per_min(self, status: Status, limits: Limits) -> None:
        count = sum(self.v_seconds.values())
        if count > limits.v_per_min and self.last_v is not None:
            self.hold(
                "v_per_min",
                onset=self.last_v,
                now=status.decided_sample,
                text=f"V/MIN {count}>{limits.v_per_min:g}",
                value=float(count),
                limit=limits.v_per_min,
                unit="/min",
            )

    def _technical(self, status: Status) -> None:
        whole = None if status.fit else CODE_OF_REASON[status.reason or "noisy"]
        for code in CODE_OF_REASON.values():
            self._look_back(code, whole == code, status, leads=())
            bad = tuple(
                lead.lead
                for lead in status.leads
                if not lead.fit and CODE_OF_REASON[lead.reason or "noisy"] == code
            )
            self._look_back(f"{code}.some", status.fit and bool(bad), status, leads=bad)
        self._look_back("no_model", status.model is None, status, leads=())

    def _look_back(self, key: str, seen: bool, status: Status, leads: tuple[str, ...]) -> None:
        """Let a technical condition begin and end only when several statuses agree."""
        before = self.histories.get(key, 0)
        history = ((before << 1) | seen) & ((1 << rule.HISTORY) - 1)
        if not history & ((1 << rule.HISTORY_CLEAR) - 1):
            self.holding.pop(key, None)
            self.histories.pop(key, None)
            self.bad_since.pop(key, None)
            return
        self.histories[key] = history
        since = self.bad_since.setdefault(key, status.sample)
        held = self.holding.get(key)
        least = rule.HISTORY_BAD_SOME if key.endswith(".some") else rule.HISTORY_BAD
        if held is None and history.bit_count() < least:
            return
        criterion = CRITERIA[key]
        names = (leads if seen or held is None else held.leads) or ()
        priority = criterion.priority
        if key in ("clipped", "noisy") and self._seconds(status.sample - since) >= rule.UNJUDGED_S:
            priority = "high"
        text = " ".join((criterion.words, *names))
        self.hold(
            key,
            onset=since,
            now=status.decided_sample,
            text=text,
            leads=names,
            priority=priority,
            hold_s=rule.HISTORY,
        )

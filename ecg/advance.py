"""Which conditions hold: findings of one stream in, conditions with value and onset out.

Everything here is a function of sample numbers: no wall clock, so a replay finds the same.
"""

from math import floor

from ecg import criteria as rule
from ecg.alarm import Limits
from ecg.conditions import Conditions, Run
from ecg.criteria import CRITERIA
from ecg.finding import Beat, Finding, Gap, RhythmWindow, Status
from ecg.rate import judge_interval, judge_no_beat, judge_rate
from ecg.technical import judge_signal
from ecg.ventricular import (
    MOMENTARY,
    count_v_per_min,
    end_run,
    go_on,
    goes_on,
    take_likely,
    take_v_beat,
)


def advance(known: Conditions, finding: Finding, limits: Limits) -> None:
    """Take the next finding, in the order of ``decided_sample``."""
    match finding:
        case Beat():
            _beat(known, finding, limits)
        case Status():
            _status(known, finding, limits)
        case RhythmWindow():
            _window(known, finding)
        case Gap():
            _gap(known, finding)
    now = finding.decided_sample
    for key in [key for key, held in known.holding.items() if held.until < now]:
        del known.holding[key]


def _beat(known: Conditions, beat: Beat, limits: Limits) -> None:
    if known.last_r is None or beat.sample > known.last_r:
        known.last_r = beat.sample
        known.lost = 0
    judge_interval(known, beat, limits)
    match beat.beat_class:
        case "V":
            take_v_beat(known, beat)
        case _ if goes_on(known, beat):
            go_on(known, beat)
        case "N" | "S":
            end_run(known, beat.decided_sample)
        case _ if known.run.count:
            known.run.skipped += 1
            if known.run.skipped > rule.RUN_SKIPS:
                end_run(known, beat.decided_sample)
    take_likely(known, beat)


def _window(known: Conditions, window: RhythmWindow) -> None:
    if window.rhythm is None:
        return
    if window.rhythm != "vf":
        known.vf_first = None
        known.judged("vf", window.decided_sample)
        return
    if known.vf_first is None or window.first_sample > known.vf_end:
        # what was out of sight for a while goes on from where it began
        held = known.holding.get("vf") if known.sight.get("vf") == "unseen" else None
        known.vf_first = window.first_sample if held is None else held.onset
    known.vf_end = max(known.vf_end, window.end_sample)
    known.vf_probability = window.probability
    covered_s = known.seconds(known.vf_end - known.vf_first)
    if covered_s >= rule.VF_S:
        known.run = Run()
        known.likely = Run()
        known.forget_rate()
        for key in ("asystole", *MOMENTARY):
            known.holding.pop(key, None)
        known.hold(
            "vf",
            onset=known.vf_first,
            now=window.decided_sample,
            text=f"*** VF {covered_s:.0f} s",
            value=round(covered_s, 1),
            limit=rule.VF_S,
            unit="s",
            probability=window.probability,
        )


def _status(known: Conditions, status: Status, limits: Limits) -> None:
    known.stated = status.sample
    known.fit = status.fit
    known.reason = status.reason
    known.warm_up = status.warm_up
    known.model = status.model
    known.leads = tuple(lead.lead for lead in status.leads if lead.fit)
    if status.last_r != known.last_r:
        known.lost = 0
    known.last_r = status.last_r
    minute_ago = floor(status.sample / known.fs) - 60
    for second in [second for second in known.v_seconds if second < minute_ago]:
        del known.v_seconds[second]
    if status.fit:
        if known.fit_since is None:
            known.fit_since = status.sample
        known.unfit_since = None
        judge_no_beat(known, status, known.fit_since, limits)
        judge_rate(known, status, limits)
        count_v_per_min(known, status, limits)
        run = known.run.samples
        if run and status.sample - run[-1] > rule.RUN_BREAK_S * known.fs:
            end_run(known, status.decided_sample)
    else:
        _unfit(known, status)
    judge_signal(known, status)


def _unfit(known: Conditions, status: Status) -> None:
    if known.unfit_since is None:
        known.unfit_since = status.sample
    known.lost += round(known.fs)
    long = status.sample - known.unfit_since >= rule.UNFIT_GRACE_S * known.fs
    known.break_off(status.sample, for_good=long)
    if long:
        for key in [k for k in known.holding if CRITERIA[k].kind == "physiological"]:
            del known.holding[key]


def _gap(known: Conditions, gap: Gap) -> None:
    """Nothing is known across a gap, unless it is so short that it hides no beat."""
    missing = gap.end_sample - gap.first_sample
    splice = gap.reset or missing == 0
    if not splice and missing <= rule.SHORT_GAP_S * known.fs:
        return
    known.interrupted = True
    long = missing >= rule.UNFIT_GRACE_S * known.fs
    known.break_off(gap.end_sample, for_good=splice or long)
    if long:
        for key in rule.LASTING & known.holding.keys():
            del known.holding[key]
    if gap.reset:
        known.last_r = None
        known.warm_up = True
        known.v_seconds.clear()

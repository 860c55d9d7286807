"""The time between beats: heart rate, pauses, asystole."""

from math import floor

from ecg import criteria as rule
from ecg.alarm import Limits
from ecg.conditions import Conditions
from ecg.criteria import CRITERIA
from ecg.finding import Beat, Status


def judge_interval(known: Conditions, beat: Beat, limits: Limits) -> None:
    """Look at the RR interval that ends at a beat, if the signal was fit all through it."""
    if known.fit_since is None or "vf" in known.holding:
        known.forget_rate()
        known.lose_sight(rule.RATES, beat.decided_sample)
        return
    onset = beat.sample - round((beat.rr_s or 0.0) * known.fs)
    if beat.rr_s is None or onset < max(known.fit_since, known.broken or 0):
        known.unbroken = 0
        return
    if beat.rr_s > limits.pause_s:
        _pause(known, beat.rr_s, onset, beat.decided_sample, limits)
    if beat.rr_s >= limits.asystole_s:
        known.forget_rate()
        return
    known.unbroken += 1
    known.rated = beat.sample
    known.rr_s.append(beat.rr_s)
    del known.rr_s[: -rule.RATE_BEATS - rule.RATE_BEATS_NEWER]


def judge_no_beat(known: Conditions, status: Status, fit_since: int, limits: Limits) -> None:
    """Look at how long no beat has come: asystole, or a pause that has not ended."""
    start = fit_since if status.last_r is None else max(status.last_r, fit_since)
    since_s = known.seconds(status.sample - start - known.lost)
    never = status.last_r is None
    if since_s >= (max(limits.asystole_s, rule.FIRST_BEAT_S) if never else limits.asystole_s):
        known.forget_rate()
        if not known.fibrillates(status.sample):
            known.hold(
                "asystole",
                onset=start,
                now=status.decided_sample,
                text=f"*** ASYSTOLE {since_s:.0f} s",
                value=round(since_s, 1),
                limit=limits.asystole_s,
                unit="s",
            )
    else:
        held = known.holding.get("asystole")
        if held is not None and status.last_r is not None and status.last_r > held.onset:
            known.judged("asystole", status.decided_sample)
            del known.holding["asystole"]
        whole = known.broken is None or start >= known.broken
        if not never and whole and start == status.last_r and since_s > limits.pause_s:
            _pause(known, since_s, start, status.decided_sample, limits)


def _pause(known: Conditions, value: float, onset: int, now: int, limits: Limits) -> None:
    known.hold(
        "pause",
        onset=onset,
        now=now,
        text=f"PAUSE {value:.1f} s>{limits.pause_s:g}",
        value=round(value, 3),
        limit=limits.pause_s,
        unit="s",
    )


def judge_rate(known: Conditions, status: Status, limits: Limits) -> None:
    """Compare the heart rate with its limits."""
    rate = _rate(known, status)
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
            known.judged(key, status.decided_sample)
            continue
        sign = ">" if shown > limit else "<"
        stars = "*** " if CRITERIA[key].latches else ""
        known.hold(
            key,
            onset=status.sample if status.last_r is None else status.last_r,
            now=status.decided_sample,
            text=f"{stars}{CRITERIA[key].words} {shown}{sign}{limit:g}",
            value=float(shown),
            limit=limit,
            unit="/min",
        )


def _rate(known: Conditions, status: Status) -> float | None:
    """Return the heart rate: as the status says it, unless it reaches across a break."""
    recent = known.rr_s
    whole = known.unbroken >= rule.RATE_BEATS + rule.RATE_BEATS_NEWER
    if status.heart_rate_bpm is None or whole:
        return status.heart_rate_bpm
    if status.sample - known.rated > rule.UNSEEN_S * known.fs:
        known.forget_rate()  # these say nothing of now
    if len(recent) < rule.RATE_BEATS_LEAST:
        return None
    if min(recent[-3:]) > rule.SLOW_RR_S:
        recent = recent[-rule.RATE_BEATS_LEAST :]
    recent = recent[-rule.RATE_BEATS :]
    return 60.0 * len(recent) / sum(recent)

"""V beats: how many a minute, and the runs that they make, from a pair to a tachycardia."""

from copy import deepcopy
from math import floor

from ecg import criteria as rule
from ecg.alarm import Limits
from ecg.conditions import Conditions, Run
from ecg.criteria import CRITERIA
from ecg.finding import BEAT_CLASSES, Beat, Status

MOMENTARY = ("nsvt", "v_run", "v_pair")
"""What is said of a run when it has ended."""
_V = BEAT_CLASSES.index("V")
_RECENT = 5
"""V beats over which the rate of a run is taken."""


def take_v_beat(known: Conditions, beat: Beat) -> None:
    """Count a V beat; it goes on with the run, or begins one."""
    if "vf" in known.holding:
        return  # what the detector finds in fibrillation are no beats
    run = known.run
    if run.samples and beat.sample <= run.samples[-1]:
        return  # no beat counts twice
    if run.samples and beat.sample - run.samples[-1] > rule.RUN_BREAK_S * known.fs:
        end_run(known, beat.decided_sample)
        run = known.run
    run.count += 1
    _append(run, beat)
    second = floor(beat.sample / known.fs)
    known.v_seconds[second] = known.v_seconds.get(second, 0) + 1
    known.last_v = beat.sample
    if run.count >= rule.VT_RUN:
        rate = _rate_of(known, run)
        if rate > rule.VT_RATE:
            _hold_tachycardia(known, beat.decided_sample)
        elif rate >= rule.VENT_RHYTHM_RATE:
            _hold_run(known, "vent_rhythm", rate, beat.decided_sample)


def take_likely(known: Conditions, beat: Beat) -> None:
    """Hold a tachycardia by beats in a row of which each may be V, and most are, by probability."""
    likely = known.likely
    if beat.probabilities is None or beat.beat_class in ("F", "Q"):
        likely.skipped += 1
        if likely.skipped > rule.RUN_SKIPS:
            known.likely = Run()
        return
    if "vf" in known.holding or (likely.samples and beat.sample <= likely.samples[-1]):
        return
    if beat.probabilities[_V] < rule.MAY_BE_V:
        known.likely = Run()
        return
    if likely.samples and beat.sample - likely.samples[-1] > rule.RUN_BREAK_S * known.fs:
        likely = known.likely = Run()
    likely.count += 1
    _append(likely, beat)
    if (
        likely.count >= rule.VT_RUN
        and _rate_of(known, likely) > rule.VT_RATE
        and sum(likely.probabilities) >= rule.LIKELY_V * len(likely.probabilities)
    ):
        if known.run.count < likely.count:
            known.run = deepcopy(likely)
        _hold_tachycardia(known, beat.decided_sample)


def goes_on(known: Conditions, beat: Beat) -> bool:
    """Tell whether a beat that is not called V is one more of a tachycardia that lasts.

    Its shape may have become the patient's usual one, and its RR intervals are even: to the model
    nothing is odd any more. A heart that leaves it changes its rate.
    """
    run = known.run
    if run.count < rule.LASTING_RUN or _rate_of(known, run) <= rule.VT_RATE:
        return False
    rr_s = known.seconds(beat.sample - run.samples[-1])
    return abs(rr_s * _rate_of(known, run) / 60.0 - 1.0) <= rule.SAME_RATE


def go_on(known: Conditions, beat: Beat) -> None:
    """Let a tachycardia hold by a beat that is not called V."""
    _append(known.run, beat)
    _hold_tachycardia(known, beat.decided_sample)


def _append(run: Run, beat: Beat) -> None:
    run.skipped = 0
    run.samples.append(beat.sample)
    run.probabilities.append(1.0 if beat.probabilities is None else beat.probabilities[_V])
    del run.samples[:-_RECENT], run.probabilities[:-_RECENT]


def end_run(known: Conditions, now: int) -> None:
    """Say what a run was that is now complete: a pair, a run, a short tachycardia."""
    run = known.run
    if 2 <= run.count < rule.VT_RUN:
        rate = _rate_of(known, run)
        if run.count == 2:
            key = "v_pair"
        else:
            key = "nsvt" if rate > rule.VT_RATE else "v_run"
        _hold_run(known, key, rate, now)
    if run.count:
        known.run = Run()
    for key in ("vt", "vent_rhythm"):
        known.judged(key, now)


def _hold_tachycardia(known: Conditions, now: int) -> None:
    known.forget_rate()
    _hold_run(known, "vt", _rate_of(known, known.run), now)


def _hold_run(known: Conditions, key: str, rate: float, now: int) -> None:
    run = known.run
    stars = "*** " if key == "vt" else ""
    known.hold(
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


def _rate_of(known: Conditions, run: Run) -> float:
    return 60.0 * (len(run.samples) - 1) / known.seconds(run.samples[-1] - run.samples[0])


def count_v_per_min(known: Conditions, status: Status, limits: Limits) -> None:
    """Compare the V beats of the last minute with their limit."""
    count = sum(known.v_seconds.values())
    if count > limits.v_per_min and known.last_v is not None:
        known.hold(
            "v_per_min",
            onset=known.last_v,
            now=status.decided_sample,
            text=f"V/MIN {count}>{limits.v_per_min:g}",
            value=float(count),
            limit=limits.v_per_min,
            unit="/min",
        )

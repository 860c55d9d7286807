"""What keeps a signal from being judged: leads off, flat, clipped, noisy, missing; no model."""

from ecg import criteria as rule
from ecg.conditions import Conditions
from ecg.criteria import CODE_OF_REASON, CRITERIA
from ecg.finding import Status


def judge_signal(known: Conditions, status: Status) -> None:
    """Look at why the signal, or a lead of it, is not fit, and whether there is a model."""
    whole = None if status.fit else CODE_OF_REASON[status.reason or "noisy"]
    if known.interrupted:
        whole, known.interrupted = CODE_OF_REASON["missing"], False
    for code in CODE_OF_REASON.values():
        _look_back(known, code, whole == code, status, leads=())
        bad = tuple(
            lead.lead
            for lead in status.leads
            if not lead.fit and CODE_OF_REASON[lead.reason or "noisy"] == code
        )
        _look_back(known, f"{code}.some", status.fit and bool(bad), status, leads=bad)
    _look_back(known, "no_model", status.model is None, status, leads=())


def _look_back(
    known: Conditions, key: str, seen: bool, status: Status, leads: tuple[str, ...]
) -> None:
    """Let a technical condition begin and end only when several statuses agree."""
    before = known.histories.get(key, 0)
    history = ((before << 1) | seen) & ((1 << rule.HISTORY) - 1)
    if not history & ((1 << rule.HISTORY_CLEAR) - 1):
        known.holding.pop(key, None)
        known.histories.pop(key, None)
        known.bad_since.pop(key, None)
        return
    known.histories[key] = history
    since = known.bad_since.setdefault(key, status.sample)
    held = known.holding.get(key)
    least = rule.HISTORY_BAD_SOME if key.endswith(".some") else rule.HISTORY_BAD
    if held is None and history.bit_count() < least:
        return
    criterion = CRITERIA[key]
    names = (leads if seen or held is None else held.leads) or ()
    priority = criterion.priority
    if key in ("clipped", "noisy") and known.seconds(status.sample - since) >= rule.UNJUDGED_S:
        priority = "high"
    text = " ".join((criterion.words, *names))
    known.hold(
        key,
        onset=since,
        now=status.decided_sample,
        text=text,
        leads=names,
        priority=priority,
        hold_s=rule.HISTORY,
    )

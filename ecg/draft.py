"""From the kernel's rows and the model's probabilities to findings.

What holds for all rows is worked out on columns; objects are made row by row,
only of what was found.
"""

from functools import lru_cache

import msgspec
import numpy as np
from numpy.typing import NDArray

from ecg.call import ARTEFACT_CALLED, call
from ecg.finding import (
    BEAT_CLASSES,
    RHYTHMS,
    Beat,
    Findings,
    Gap,
    LeadQuality,
    RhythmWindow,
    Span,
    Status,
)
from ecg.quality import FIT, REASONS
from ecg.roster import Place

WARM_UP_S = 30.0
"""Valid ECG that a stream needs before its arrhythmias are believed."""


class Draft(msgspec.Struct, gc=False):
    """Collects what one tick finds out about one stream.

    Parameters
    ----------
    place : Place
        Whose.
    after, through : int
        Samples after the one, up to the other, have come.
    spans : tuple of Span
        When they were taken.
    beats, windows, statuses, gaps : list, optional
        What was found; most ticks of most patients bring none of these.
    """

    place: Place
    after: int = -1
    through: int = -1
    spans: tuple[Span, ...] = ()
    beats: list[Beat] | None = None
    windows: list[RhythmWindow] | None = None
    statuses: list[Status] | None = None
    gaps: list[Gap] | None = None

    def add_span(self, span: Span) -> None:
        """Note that more samples came."""
        self.through = span.first_sample + span.n_samples - 1
        self.spans = (*self.spans, span)

    def add_gap(self, first_sample: int, end_sample: int, *, reset: bool) -> None:
        """Note samples that never came, or none where what follows is another signal."""
        gap = Gap(
            first_sample=first_sample,
            end_sample=end_sample,
            decided_sample=end_sample,
            reset=reset,
        )
        self.gaps = [*(self.gaps or ()), gap]

    def findings(self) -> Findings:
        """Return what was found."""
        place = self.place
        return Findings(
            patient=place.patient,
            stream=place.stream,
            fs=place.fs,
            after_sample=self.after,
            through_sample=self.through,
            spans=self.spans,
            beats=tuple(self.beats) if self.beats else (),
            windows=tuple(self.windows) if self.windows else (),
            statuses=tuple(self.statuses) if self.statuses else (),
            gaps=tuple(self.gaps) if self.gaps else (),
        )


def add_beats(
    drafts: dict[int, Draft],
    rows: NDArray[np.void],
    worst: NDArray[np.int32],
    probabilities: NDArray[np.float32] | None,
    model: str | None,
) -> None:
    """Note beats, but for those of which the model is sure that they are artefacts (``ecg.call``).

    Parameters
    ----------
    drafts : dict of int to Draft
        By row of state.
    rows : ndarray of kernel.BEAT, shape (n_beats,)
    worst : ndarray of int, shape (n_beats,)
        ``quality.FIT`` where a lead of the patient can be judged, else the worst reason.
    probabilities : ndarray, shape (n_beats, len(OUTPUTS)), or None
        None without a model.
    model : str or None
        Its version.
    """
    columns = [rows[name].tolist() for name in ("slot", "sample", "decided", "rr")]
    if probabilities is None:
        judged, called = np.zeros((len(rows), 0)), np.zeros(len(rows), np.int64)
    else:
        judged, called = call(probabilities, rows["fibrillation"])
    for slot, sample, decided, rr, code, shares, top in zip(
        *columns, worst.tolist(), judged.tolist(), called.tolist(), strict=True
    ):
        known = model is not None and code == FIT
        if known and top == ARTEFACT_CALLED:
            continue
        draft = drafts[slot]
        beat = Beat(
            sample=sample,
            decided_sample=decided,
            beat_class=BEAT_CLASSES[top] if known else None,
            reason=None if known else _NOT_JUDGED[code],
            probabilities=tuple(shares) if known else None,
            score=1.0 - shares[0] if known else None,
            rr_s=rr if rr > 0 else None,
            lead=draft.place.choice.leads[0],
            model=model,
        )
        if draft.beats is None:
            draft.beats = [beat]
        else:
            draft.beats.append(beat)


def add_seconds(
    drafts: dict[int, Draft],
    rows: NDArray[np.void],
    worst: NDArray[np.int32],
    probabilities: NDArray[np.float32] | None,
    model: str | None,
) -> None:
    """Note how patients stood at whole seconds, and the rhythm of those seconds.

    Parameters as of ``add_beats``: rows of kernel.SECOND, probabilities of shape
    (n_seconds, len(RHYTHMS)), of which those of seconds that are unfit are not used.
    """
    columns = [
        rows[name].tolist()
        for name in ("slot", "sample", "decided", "last_r", "heart_rate", "unfit")
    ]
    warm_up = (rows["valid_s"] < WARM_UP_S).tolist()
    best = organised = highest = [0] * len(rows)
    if probabilities is not None:
        best = probabilities.argmax(axis=1).tolist()
        highest = probabilities.max(axis=1).tolist()
        organised = probabilities[:, 0].tolist()
    for slot, sample, decided, last_r, rate, codes, warming, code, top, p, p_organised in zip(
        *columns, warm_up, worst.tolist(), best, highest, organised, strict=True
    ):
        draft = drafts[slot]
        place = draft.place
        fit = code == FIT
        known = model is not None and fit
        window = RhythmWindow(
            first_sample=max(sample - round(place.fs), 0),
            end_sample=sample,
            decided_sample=decided,
            rhythm=RHYTHMS[top] if known else None,
            reason=None if known else _NOT_JUDGED[code],
            probability=p if known else None,
            score=1.0 - p_organised if known else None,
            model=model,
        )
        status = Status(
            sample=sample,
            decided_sample=decided,
            last_r=last_r if last_r >= 0 else None,
            heart_rate_bpm=rate if rate > 0 and fit else None,
            fit=fit,
            reason=REASONS[code],
            warm_up=warming,
            model=model,
            leads=_qualities(place.choice.leads, tuple(codes)),
            lead_choice=place.choice.why,
        )
        if draft.windows is None or draft.statuses is None:
            draft.windows, draft.statuses = [window], [status]
        else:
            draft.windows.append(window)
            draft.statuses.append(status)


_NOT_JUDGED = ["no model" if reason is None else f"unfit: {reason}" for reason in REASONS]
"""Why there is no class, by the code of the best lead; without a model the fit ones have none."""


@lru_cache(maxsize=4096)
def _qualities(leads: tuple[str, ...], codes: tuple[int, ...]) -> tuple[LeadQuality, ...]:
    """Return what there is to say of each lead; the same few answers come again and again."""
    return tuple(
        LeadQuality(lead=lead, fit=code == FIT, reason=REASONS[code])
        for lead, code in zip(leads, codes, strict=False)
    )

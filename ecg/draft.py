"""From the kernel's rows and the model's probabilities to findings."""

import numpy as np
from numpy.typing import NDArray

from ecg.chunk import Chunk
from ecg.finding import (
    BEAT_CLASSES,
    RHYTHMS,
    Beat,
    BeatClass,
    Findings,
    Gap,
    LeadQuality,
    Rhythm,
    RhythmWindow,
    Span,
    Status,
    Unfit,
)
from ecg.model import ARTEFACT, OUTPUTS
from ecg.quality import FIT, REASONS
from ecg.roster import Place

WARM_UP_S = 30.0
"""Valid ECG that a stream needs before its arrhythmias are believed."""

_ARTEFACT = OUTPUTS.index(ARTEFACT)
_SURE_ARTEFACT = 0.7
"""On patients the model did not know, as many beats are lost above this as false ones remain:
at 0.5 a quarter of what was dropped were beats."""


class Draft:
    """Collects what one tick finds out about one stream.

    Parameters
    ----------
    place : Place
        Whose.
    after : int
        Sample number up to which everything was said before.
    model : str or None
        Version of the model at work.
    """

    def __init__(self, place: Place, *, after: int, model: str | None) -> None:
        self.place = place
        self._after = after
        self._through = after
        self._model = model
        self._spans: list[Span] = []
        self._beats: list[Beat] = []
        self._windows: list[RhythmWindow] = []
        self._statuses: list[Status] = []
        self._gaps: list[Gap] = []

    def add_span(self, chunk: Chunk, first_sample: int) -> None:
        """Note that samples of ``chunk`` came, from ``first_sample`` on."""
        self._through = chunk.end_sample - 1
        self._spans.append(
            Span(
                first_sample=chunk.first_sample,
                n_samples=chunk.n_samples,
                source_ns=chunk.source_ns,
                sent_ns=chunk.sent_ns,
            )
        )

    def add_gap(self, first_sample: int, end_sample: int, *, reset: bool) -> None:
        """Note samples that never came, seen when the next ones did."""
        self._gaps.append(
            Gap(
                first_sample=first_sample,
                end_sample=end_sample,
                decided_sample=end_sample,
                reset=reset,
            )
        )

    def add_beat(self, row: np.void, probabilities: NDArray[np.float32] | None) -> None:
        """Note a beat, unless the model is sure that it is an artefact."""
        reason = self._why_not_judged(row["unfit"])
        judged = probabilities if reason is None else None
        if judged is not None and judged[_ARTEFACT] > _SURE_ARTEFACT:
            return
        beat_class: BeatClass | None = None
        shares: tuple[float, ...] | None = None
        score: float | None = None
        if judged is not None:
            classes = judged[: len(BEAT_CLASSES)].astype(np.float64)
            classes /= classes.sum()
            beat_class = BEAT_CLASSES[int(classes.argmax())]
            shares = tuple(float(p) for p in classes)
            score = 1.0 - shares[0]
        rr = float(row["rr"])
        self._beats.append(
            Beat(
                sample=int(row["sample"]),
                decided_sample=int(row["decided"]),
                beat_class=beat_class,
                reason=reason,
                probabilities=shares,
                score=score,
                rr_s=rr if rr > 0 else None,
                lead=self.place.choice.leads[0],
                model=self._model,
            )
        )

    def add_second(self, row: np.void, probabilities: NDArray[np.float32] | None) -> None:
        """Note how the patient stood at a whole second, and the rhythm of that second."""
        self._add_window(row, probabilities)
        leads = self.place.choice.leads
        qualities = tuple(
            LeadQuality(lead=lead, fit=bool(code == FIT), reason=REASONS[code])
            for lead, code in zip(leads, row["unfit"], strict=False)
        )
        rate, last_r = float(row["heart_rate"]), int(row["last_r"])
        reason = self._unfit(row["unfit"])
        self._statuses.append(
            Status(
                sample=int(row["sample"]),
                decided_sample=int(row["decided"]),
                last_r=last_r if last_r >= 0 else None,
                heart_rate_bpm=rate if rate > 0 and reason is None else None,
                fit=reason is None,
                reason=reason,
                warm_up=bool(row["valid_s"] < WARM_UP_S),
                model=self._model,
                leads=qualities,
                lead_choice=self.place.choice.why,
            )
        )

    def _add_window(self, row: np.void, probabilities: NDArray[np.float32] | None) -> None:
        reason = self._why_not_judged(row["unfit"])
        rhythm: Rhythm | None = None
        probability: float | None = None
        score: float | None = None
        if reason is None and probabilities is not None:
            best = int(probabilities.argmax())
            rhythm, probability = RHYTHMS[best], float(probabilities[best])
            score = 1.0 - float(probabilities[0])
        end = int(row["sample"])
        self._windows.append(
            RhythmWindow(
                first_sample=max(end - round(self.place.fs), 0),
                end_sample=end,
                decided_sample=int(row["decided"]),
                rhythm=rhythm,
                reason=reason,
                probability=probability,
                score=score,
                model=self._model,
            )
        )

    def findings(self) -> Findings | None:
        """Return what was found; None where no new sample came."""
        if self._through <= self._after:
            return None
        return Findings(
            patient=self.place.patient,
            stream=self.place.stream,
            fs=self.place.fs,
            after_sample=self._after,
            through_sample=self._through,
            spans=tuple(self._spans),
            beats=tuple(self._beats),
            windows=tuple(self._windows),
            statuses=tuple(self._statuses),
            gaps=tuple(self._gaps),
        )

    def _unfit(self, codes: NDArray[np.int32]) -> Unfit | None:
        """Return why no lead can be judged, the worst reason; None if one can."""
        judged = codes[: len(self.place.choice.leads)]
        return None if (judged == FIT).any() else REASONS[int(judged.min())]

    def _why_not_judged(self, codes: NDArray[np.int32]) -> str | None:
        unfit = self._unfit(codes)
        if unfit is not None:
            return f"unfit: {unfit}"
        return "no model" if self._model is None else None

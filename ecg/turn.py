"""One call of the monitor: where chunks belong, which samples wait, what came of them.

Samples wait until all chunks are seen, so that patients alike are advanced together and all
their beats are judged in one batch. Only where a patient starts anew does what waits have its
turn first.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from ecg import tick
from ecg.chunk import MISSING, Chunk
from ecg.draft import Draft, add_beats, add_seconds
from ecg.finding import RHYTHMS, Findings, Span
from ecg.judge import Judge
from ecg.quality import FIT, REASONS
from ecg.roster import Place, Roster
from ecg.state import N_LEADS
from ecg.tick import Batch, Room, Tick

FORGET_GAP_S = 60.0
"""After a gap longer than this the patient's signal state starts anew."""
WARM_UP_GAP_S = 10.0
"""After a gap longer than this the warm-up is repeated."""

_FILL = 2000
"""Missing samples that a gap is filled with at a time: memory never follows its length."""

OnBeat = Callable[[Place, np.void, NDArray[np.float32], NDArray[np.float32]], None]
"""Called with every beat before it is judged: place, ``kernel.BEAT``, window, context."""
OnSecond = Callable[[Place, np.void], None]
"""Called with every second before it is judged: place, ``kernel.SECOND``."""


class Turn:
    """The chunks of one call on their way to findings.

    Parameters
    ----------
    roster : Roster
        The patients; changed.
    judge : Judge or None
        The model at work.
    room : Room
        What the kernel writes into.
    on_beat, on_second : callable, optional
        See what the models see.
    """

    def __init__(
        self,
        roster: Roster,
        judge: Judge | None,
        room: Room,
        *,
        on_beat: OnBeat | None = None,
        on_second: OnSecond | None = None,
    ) -> None:
        self._roster, self._judge, self._room = roster, judge, room
        self._on_beat, self._on_second = on_beat, on_second
        self._model = judge.version if judge else None
        self._found: list[Draft] = []
        self._drafts: dict[int, Draft] = {}
        """Those of the places as they are now, by row of state."""
        self._batches: dict[tuple[float, int], Batch] = {}
        """Samples that wait, those alike together."""
        self._left: list[Tick] = []
        """Beats of signal that ended, which come before those of the samples that wait."""

    def take(self, chunks: Sequence[Chunk]) -> list[Findings]:
        """Take chunks, none of which is to be refused, and return the findings of each stream."""
        drafts, batches = self._drafts, self._batches
        get, get_draft = self._roster.places.get, drafts.get
        for chunk in chunks:
            place = get(chunk.patient)
            if place is None or place.stream != chunk.stream:
                if place is not None and place.slot in drafts:
                    self._run()
                    del drafts[place.slot]
                place = self._roster.admit(chunk)
            expected, slot = place.next_sample, place.slot
            first, samples = chunk.first_sample, chunk.samples
            end = first + len(samples)
            if end <= expected:
                continue  # a repeat
            span = Span(
                first_sample=first,
                n_samples=end - first,
                source_ns=chunk.source_ns,
                sent_ns=chunk.sent_ns,
            )
            draft = get_draft(slot)
            begins = draft is None
            if draft is None:
                draft = drafts[slot] = Draft(place, expected - 1, end - 1, (span,))
                self._found.append(draft)
            else:
                draft.add_span(span)
            trial = place.trial
            if chunk.gain is not place.gain or chunk.baseline is not place.baseline:
                self._rescale(place, chunk, begins=begins)
            if first != expected or chunk.discontinuity or (trial is not None and end > trial.end):
                if not begins:  # what came of it before has its turn first
                    self._run()
                samples = self._join(draft, chunk)
                if not len(samples):
                    continue
            elif trial is not None:
                trial.hear(samples)
            place.next_sample = end
            batch = batches.get(place.shape)
            if batch is None:
                batch = batches[place.shape] = Batch(place.resampler)
            batch.slots.append(slot)
            batch.blocks.append(samples)
        self._run()
        return [draft.findings() for draft in self._found]

    def _rescale(self, place: Place, chunk: Chunk, *, begins: bool) -> None:
        """Read samples by the scale of a chunk from it on, if that is another than before."""
        if chunk.gain != place.gain or chunk.baseline != place.baseline:
            if not begins:  # what waits has the scale that it came with
                self._run()
            self._roster.rescale(place, chunk)
        place.gain, place.baseline = chunk.gain, chunk.baseline

    def _join(self, draft: Draft, chunk: Chunk) -> NDArray[np.int16]:
        """Bring a place to where a chunk goes on; return the samples that follow as usual."""
        place = draft.place
        expected = place.next_sample
        if chunk.first_sample > expected:
            self._gap(draft, chunk, expected)
        if chunk.discontinuity and chunk.first_sample >= expected:
            draft.add_gap(chunk.first_sample, chunk.first_sample, reset=False)
            self._drain(draft, chunk.first_sample)
            self._roster.splice(place, chunk.first_sample)
        samples = chunk.samples[max(expected - chunk.first_sample, 0) :]
        return samples if place.trial is None else self._try_leads(draft, chunk, samples)

    def _gap(self, draft: Draft, chunk: Chunk, expected: int) -> None:
        """Bridge samples that never came: filled with missing ones, or forgotten if too many."""
        place = draft.place
        n = chunk.first_sample - expected
        forget = n > FORGET_GAP_S * chunk.fs
        draft.add_gap(expected, chunk.first_sample, reset=forget)
        if forget:
            self._drain(draft, chunk.first_sample)
            self._judge_left()
            self._roster.restart(place, chunk, chunk.first_sample)
            return
        missing = np.full((min(n, _FILL), chunk.samples.shape[1]), MISSING, np.int16)
        for start in range(0, n, _FILL):
            filling = missing[: min(_FILL, n - start)]
            if place.trial is not None:
                filling = self._try_leads(draft, chunk, filling)
            self._run_one(draft, filling)
        if n > WARM_UP_GAP_S * chunk.fs:
            self._roster.states[place.slot]["valid"] = 0

    def _run(self) -> None:
        """Let the kernel and the model take the samples that wait, those alike in one call."""
        self._judge_left()
        for batch in self._batches.values():
            self._advance(batch)
        self._batches.clear()

    def _advance(self, batch: Batch) -> None:
        found = tick.advance(self._roster.states, batch, self._room)
        self._say_seconds(found.seconds)
        self._say_beats(found.beats, found.windows, found.contexts)

    def _run_one(self, draft: Draft, samples: NDArray[np.int16]) -> None:
        """Let the kernel and the model take samples of one patient."""
        place = draft.place
        if len(samples):
            place.next_sample += len(samples)
            self._judge_left()
            self._advance(Batch(place.resampler, slots=[place.slot], blocks=[samples]))

    def _try_leads(
        self, draft: Draft, chunk: Chunk, samples: NDArray[np.int16]
    ) -> NDArray[np.int16]:
        """Let a lead trial hear samples, and conclude it where it ends; return those that wait."""
        place = draft.place
        while place.trial is not None:
            end = place.trial.end
            head, beyond = np.split(samples, [end - place.next_sample])
            if len(head):
                place.trial.hear(head)
            if not len(beyond):
                break  # concluded by the first sample beyond it
            self._run_one(draft, head)
            samples = beyond
            choice = place.trial.choice()
            if choice is not None and choice.columns != place.choice.columns:
                self._drain(draft, end)
                self._judge_left()
                draft.add_gap(end, end, reset=True)
            self._roster.settle(place, chunk, choice)
        return samples

    def _drain(self, draft: Draft, decided: int) -> None:
        """Let go of the beats that still wait when their signal ends, with what there is of it."""
        place = draft.place
        left = tick.drain(self._roster.states, place.slot, decided, place.resampler)
        if len(left.beats):
            self._left.append(left)

    def _judge_left(self) -> None:
        """Judge the beats of signal that ended, before a patient forgets or goes on."""
        if self._left:
            self._say_beats(
                np.concatenate([left.beats for left in self._left]),
                np.concatenate([left.windows for left in self._left]),
                np.concatenate([left.contexts for left in self._left]),
            )
            self._left.clear()

    def _say_seconds(self, seconds: NDArray[np.void]) -> None:
        """Let the model judge the rhythm of seconds that are fit, and note all."""
        if not len(seconds):
            return
        if self._on_second is not None:
            for row in seconds:
                self._on_second(self._drafts[int(row["slot"])].place, row)
        worst = self._worst(seconds)
        probabilities = None
        if self._judge is not None:
            fit = np.flatnonzero(worst == FIT)
            probabilities = np.zeros((len(seconds), len(RHYTHMS)), np.float32)
            if len(fit):
                probabilities[fit] = self._judge.judge_seconds(
                    seconds["slot"][fit], seconds["descriptors"][fit], self._roster.memory
                )
        add_seconds(self._drafts, seconds, worst, probabilities, self._model)

    def _say_beats(
        self,
        beats: NDArray[np.void],
        windows: NDArray[np.float32],
        contexts: NDArray[np.float32],
    ) -> None:
        """Let the model judge beats, and note them."""
        if not len(beats):
            return
        if self._on_beat is not None:
            for k, row in enumerate(beats):
                self._on_beat(self._drafts[int(row["slot"])].place, row, windows[k], contexts[k])
        probabilities = None
        if self._judge is not None:
            probabilities = self._judge.judge_beats(
                beats["slot"], windows, contexts, self._roster.memory
            )
        add_beats(self._drafts, beats, self._worst(beats), probabilities, self._model)

    def _worst(self, rows: NDArray[np.void]) -> NDArray[np.int32]:
        """Return ``FIT`` for rows of whose judged leads one is, the worst reason for others."""
        n_leads = self._roster.states["n_leads"][rows["slot"]]
        judged = np.arange(N_LEADS) < n_leads[:, None]
        # of the codes FIT is the least, then come the reasons, worst first
        worst: NDArray[np.int32] = np.where(judged, rows["unfit"], len(REASONS)).min(axis=1)
        return worst

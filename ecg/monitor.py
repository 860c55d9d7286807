"""The domain path on one screen: chunks of many patients in, findings out.

    chunk -> its place in the stream -> kernel (resample, filter, detect, describe)
          -> judge (LSTM) -> findings

The stream, the training set, the evaluation and the benchmarks all call
``Monitor.advance``; there is no second way.
"""

import gc
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from ecg import tick
from ecg.chunk import MISSING, Chunk
from ecg.draft import Draft, add_beats, add_seconds
from ecg.errors import EcgError
from ecg.finding import RHYTHMS, Findings, Span
from ecg.judge import Judge
from ecg.quality import FIT, REASONS
from ecg.roster import Place, Roster
from ecg.state import N_LEADS
from ecg.tick import Batch, Room

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


class Monitor:
    """Judge the ECGs of many patients, chunk by chunk.

    Parameters
    ----------
    judge : Judge or None
        The model at work; without one beats are found but not judged, and
        every finding says so.
    leads : sequence of str, optional
        Leads to judge where a patient has them; by preference otherwise.
    on_beat, on_second : callable, optional
        See what the models see; the training sets are made of it.
    """

    def __init__(
        self,
        judge: Judge | None = None,
        *,
        leads: Sequence[str] | None = None,
        on_beat: OnBeat | None = None,
        on_second: OnSecond | None = None,
    ) -> None:
        self._judge = judge
        self._on_beat = on_beat
        self._on_second = on_second
        self._model = judge.version if judge else None
        self._roster = Roster(hidden=judge.hidden if judge else 0, version=self._model, leads=leads)
        self._room = Room()

    def refusals(self, chunks: Sequence[Chunk]) -> dict[int, EcgError]:
        """Say which of ``chunks`` cannot be taken, by position, and why; changes nothing."""
        return self._roster.refusals(chunks)

    def advance(self, chunks: Sequence[Chunk]) -> list[Findings]:
        """Take new samples of any number of patients and say what they show.

        Chunks of one patient must be in order and continue where the last one
        ended; a start beyond that is a gap, an overlap is cut, a repeat gives
        nothing. A chunk of another stream starts the patient anew.

        Parameters
        ----------
        chunks : sequence of Chunk
            New samples.

        Returns
        -------
        list of Findings
            One for each stream that has new samples.

        Raises
        ------
        EcgError
            The first of ``refusals``, before anything has changed.
        """
        for error in self.refusals(chunks).values():
            raise error
        # Nothing made here refers in circles. Looking for such among thousands of patients, again
        # and again while their findings are made, took a third of the time.
        collecting = gc.isenabled()
        gc.disable()
        try:
            return self._advance(chunks)
        finally:
            if collecting:
                gc.enable()

    def export(self, patient: str) -> bytes:
        """Return the exact state of a patient, at most 16 kB.

        Raises
        ------
        StateError
            If the patient is not here.
        """
        return self._roster.export(patient)

    def restore(self, patient: str, state: bytes) -> None:
        """Take a patient over from exported state; goes on as if never interrupted.

        Raises
        ------
        StateError
            If the state is damaged, of another layout, or another patient's.
        """
        self._roster.restore(patient, state)

    def discharge(self, patient: str) -> None:
        """Forget a patient; unknown ones are no error."""
        self._roster.discharge(patient)

    def next_sample(self, patient: str) -> int | None:
        """Return the sample number a patient waits for; None if the patient is not here."""
        place = self._roster.get(patient)
        return None if place is None else place.next_sample

    def _advance(self, chunks: Sequence[Chunk]) -> list[Findings]:
        found: list[Draft] = []
        drafts: dict[int, Draft] = {}
        """Those of the places as they are now, by row of state."""
        batches: dict[tuple[float, int], Batch] = {}
        get, get_draft = self._roster.places.get, drafts.get
        for chunk in chunks:
            place = get(chunk.patient)
            if place is None or place.stream != chunk.stream:
                if place is not None and place.slot in drafts:
                    self._run(batches, drafts)
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
                found.append(draft)
            else:
                draft.add_span(span)
            if first != expected or chunk.discontinuity or place.trial is not None:
                if not begins:  # what came of it before has its turn first
                    self._run(batches, drafts)
                samples = self._join(draft, chunk)
                if not len(samples):
                    continue
            place.next_sample = end
            batch = batches.get(place.shape)
            if batch is None:
                batch = batches[place.shape] = Batch(place.resampler)
            batch.slots.append(slot)
            batch.blocks.append(samples)
        self._run(batches, drafts)
        return [draft.findings() for draft in found]

    def _join(self, draft: Draft, chunk: Chunk) -> NDArray[np.int16]:
        """Bring a place to where a chunk goes on; return the samples that follow as usual."""
        place = draft.place
        expected = place.next_sample
        if chunk.first_sample > expected:
            self._gap(draft, chunk, expected)
        elif chunk.discontinuity and chunk.first_sample == expected:
            draft.add_gap(expected, expected, reset=False)
        if chunk.discontinuity and chunk.first_sample >= expected:
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

    def _run(self, batches: dict[tuple[float, int], Batch], drafts: dict[int, Draft]) -> None:
        """Let the kernel and the model take the samples that wait, those alike in one call."""
        for batch in batches.values():
            found = tick.advance(self._roster.states, batch, self._room)
            self._say_seconds(drafts, found.seconds)
            self._say_beats(drafts, found.beats, found.windows, found.contexts)
        batches.clear()

    def _run_one(self, draft: Draft, samples: NDArray[np.int16]) -> None:
        """Let the kernel and the model take samples of one patient."""
        place = draft.place
        if len(samples):
            place.next_sample += len(samples)
            batch = Batch(place.resampler, slots=[place.slot], blocks=[samples])
            self._run({place.shape: batch}, {place.slot: draft})

    def _try_leads(
        self, draft: Draft, chunk: Chunk, samples: NDArray[np.int16]
    ) -> NDArray[np.int16]:
        """Judge samples up to the end of a lead trial, which hears them; return those beyond."""
        place = draft.place
        while place.trial is not None:
            end = place.trial.end
            head, samples = np.split(samples, [end - place.next_sample])
            if len(head):
                place.trial.hear(head)
                self._run_one(draft, head)
            if not len(samples):
                break  # concluded by the first sample beyond it
            choice = place.trial.choice()
            if choice is not None and choice.columns != place.choice.columns:
                self._drain(draft, end)
                draft.add_gap(end, end, reset=True)
            self._roster.settle(place, chunk, choice)
        return samples

    def _drain(self, draft: Draft, decided: int) -> None:
        """Judge the beats that still wait when their signal ends, with what there is of it."""
        place = draft.place
        left = tick.drain(self._roster.states, place.slot, decided, place.resampler)
        self._say_beats({place.slot: draft}, left.beats, left.windows, left.contexts)

    def _say_seconds(self, drafts: dict[int, Draft], seconds: NDArray[np.void]) -> None:
        """Let the model judge the rhythm of seconds that are fit, and note all."""
        if not len(seconds):
            return
        if self._on_second is not None:
            for row in seconds:
                self._on_second(drafts[int(row["slot"])].place, row)
        worst = self._worst(seconds)
        probabilities = None
        if self._judge is not None:
            fit = np.flatnonzero(worst == FIT)
            probabilities = np.zeros((len(seconds), len(RHYTHMS)), np.float32)
            if len(fit):
                probabilities[fit] = self._judge.judge_seconds(
                    seconds["slot"][fit], seconds["descriptors"][fit], self._roster.memory
                )
        add_seconds(drafts, seconds, worst, probabilities, self._model)

    def _say_beats(
        self,
        drafts: dict[int, Draft],
        beats: NDArray[np.void],
        windows: NDArray[np.float32],
        contexts: NDArray[np.float32],
    ) -> None:
        """Let the model judge beats, and note them."""
        if not len(beats):
            return
        if self._on_beat is not None:
            for k, row in enumerate(beats):
                self._on_beat(drafts[int(row["slot"])].place, row, windows[k], contexts[k])
        probabilities = None
        if self._judge is not None:
            probabilities = self._judge.judge_beats(
                beats["slot"], windows, contexts, self._roster.memory
            )
        add_beats(drafts, beats, self._worst(beats), probabilities, self._model)

    def _worst(self, rows: NDArray[np.void]) -> NDArray[np.int32]:
        """Return ``FIT`` for rows of whose judged leads one is, the worst reason for others."""
        n_leads = self._roster.states["n_leads"][rows["slot"]]
        judged = np.arange(N_LEADS) < n_leads[:, None]
        # of the codes FIT is the least, then come the reasons, worst first
        worst: NDArray[np.int32] = np.where(judged, rows["unfit"], len(REASONS)).min(axis=1)
        return worst

"""The domain path on one screen: chunks of many patients in, findings out.

    chunk -> its place in the stream (``ecg.turn``) -> kernel (resample, filter, detect, describe)
          -> judge (LSTM) -> findings

The stream, the training set, the evaluation and the benchmarks all call
``Monitor.advance``; there is no second way.
"""

import gc
from collections.abc import Sequence

from ecg.chunk import Chunk
from ecg.errors import EcgError
from ecg.finding import Findings
from ecg.judge import Judge
from ecg.roster import Roster
from ecg.tick import Room
from ecg.turn import OnBeat, OnSecond, Turn


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
        version = judge.version if judge else None
        self._roster = Roster(hidden=judge.hidden if judge else 0, version=version, leads=leads)
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
        turn = Turn(
            self._roster, self._judge, self._room, on_beat=self._on_beat, on_second=self._on_second
        )
        try:
            return turn.take(chunks)
        finally:
            if collecting:
                gc.enable()

    def export(self, patient: str) -> bytes:
        """Return the exact state of a patient: at most 16 kB, more while leads are on trial.

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

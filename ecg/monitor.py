"""The domain path on one screen: chunks of many patients in, findings out."""

from collections.abc import Sequence

from ecg.chunk import Chunk
from ecg.finding import Findings


class Monitor:
    """Judge the ECGs of many patients, chunk by chunk."""

    def advance(self, chunks: Sequence[Chunk]) -> list[Findings]:
        """Take new samples of any number of patients and say what they show.

        Chunks of one patient must be in order and continue where the last one
        ended; a start beyond that is a gap, an overlap is cut, a repeat gives
        nothing. A chunk of another stream starts the patient anew.
        """
        raise NotImplementedError

    def export(self, patient: str) -> bytes:
        """Return the exact state of a patient, at most 16 kB."""
        raise NotImplementedError

    def restore(self, patient: str, state: bytes) -> None:
        """Take a patient over from exported state."""
        raise NotImplementedError

    def discharge(self, patient: str) -> None:
        """Forget a patient."""
        raise NotImplementedError

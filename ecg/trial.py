"""Ten seconds on trial: which leads to judge where their names do not say it.

A stream with more than two leads, of which not two have a name of the
preference list, is judged on its first two while all of them go through the
signal path, in pairs and unheard; the shares of seconds in which each could
have been judged then decide. Other patients pay nothing.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ecg import segment, tick
from ecg.chunk import Chunk
from ecg.errors import StateError
from ecg.filters import resampler
from ecg.lead import MAX_LEADS, LeadChoice, by_name, choose_leads
from ecg.quality import FIT
from ecg.state import N_LEADS, PATIENT

TRIAL_S = 10
MAX_TRIED = 12
"""Leads that are tried at most, as many as an ECG has: it bounds what is kept of a patient."""


def needs_trial(names: Sequence[str]) -> bool:
    """Tell whether names alone do not say which leads to judge.

    Examples
    --------
    >>> needs_trial(["ECG1", "ECG2", "ECG3"]), needs_trial(["ECG1", "ECG2"])
    (True, False)
    >>> needs_trial(["ECG1", "V5", "II"])
    False
    """
    return len(names) > MAX_LEADS and len(by_name(names)) < MAX_LEADS


class Trial:
    """Hears the leads of a stream for its first 10 s.

    Parameters
    ----------
    names : sequence of str
        All leads of the stream.
    fs : float
        Its sampling frequency, in Hz.
    rows : ndarray of PATIENT, shape (n_pairs,)
        Signal state of two leads each.
    end : int
        Stream sample at which the seconds of the trial have been heard.
    fit : sequence of int
        In how many of them each column could have been judged, so far.
    """

    def __init__(
        self,
        *,
        names: Sequence[str],
        fs: float,
        rows: NDArray[np.void],
        end: int,
        fit: Sequence[int],
    ) -> None:
        self.end = end
        self._names = tuple(names)
        self._design = resampler(fs)
        self._rows = rows
        self._fit = list(fit)

    @classmethod
    def begin(cls, chunk: Chunk, at: int) -> "Trial":
        """Begin at sample ``at`` with the leads of ``chunk``, named ones first if too many."""
        named = by_name(chunk.leads)
        others = [column for column in range(len(chunk.leads)) if column not in named]
        tried = [*named, *others][:MAX_TRIED]
        pairs = [tried[k : k + N_LEADS] for k in range(0, len(tried), N_LEADS)]
        rows = np.array([segment.begin(chunk, pair, at) for pair in pairs], PATIENT)
        design = resampler(chunk.fs)
        # the last whole second, and what the resampler needs beyond it to say so
        whole = int(np.ceil((int(at / chunk.fs) + TRIAL_S) * chunk.fs))
        end = whole + design.half + -(-design.step // design.unit) + 1
        fit = [0] * len(chunk.leads)
        return cls(names=chunk.leads, fs=chunk.fs, rows=rows, end=end, fit=fit)

    def hear(self, samples: NDArray[np.int16]) -> None:
        """Take the stream's next samples, none beyond ``end``."""
        n = len(self._rows)
        batch = tick.Batch(self._design, slots=list(range(n)), blocks=[samples] * n)
        for second in tick.advance(self._rows, batch).seconds:
            row = self._rows[second["slot"]]
            for lead in range(row["n_leads"]):
                self._fit[row["column"][lead]] += int(second["unfit"][lead] == FIT)

    def splice(self, at: int) -> None:
        """Begin a new segment of signal at ``at``; what was heard before it counts."""
        for row in self._rows:
            segment.splice(row, self._design.fs, at)

    def rescale(self, chunk: Chunk) -> None:
        """Read the samples by the gain and baseline of ``chunk`` from now on."""
        for row in self._rows:
            segment.rescale(row, chunk)

    def choice(self) -> LeadChoice | None:
        """Return the leads to judge from now on; None if none could be judged in all the time."""
        if not any(self._fit):
            return None
        return choose_leads(self._names, quality=[fit / TRIAL_S for fit in self._fit])

    def export(self) -> tuple[dict[str, object], bytes]:
        """Return what to keep of the trial: a few words, and the rows of state."""
        return {"end": self.end, "fit": self._fit}, self._rows.tobytes()

    @classmethod
    def restore(
        cls, names: Sequence[str], fs: float, about: dict[str, object], rows: bytes
    ) -> "Trial":
        """Return the trial that was exported.

        Raises
        ------
        StateError
            If it is damaged.
        """
        end, fit = about.get("end"), about.get("fit")
        if not isinstance(end, int) or not isinstance(fit, list) or len(fit) != len(names):
            raise StateError(f"damaged state of a lead trial: {about}")
        if not rows or len(rows) % PATIENT.itemsize:
            raise StateError(f"damaged state of a lead trial: {len(rows)} bytes of rows")
        return cls(names=names, fs=fs, rows=np.frombuffer(rows, PATIENT).copy(), end=end, fit=fit)

"""A chunk: some consecutive samples of one patient's ECG leads, as they arrive."""

from math import inf

import msgspec
import numpy as np
from numpy.typing import NDArray

from ecg.errors import ChunkError, RateError

MISSING = np.int16(np.iinfo(np.int16).min)
"""The int16 value that says "no sample here"; it is never a voltage."""

LAST_SAMPLE = 2**53
"""Samples beyond this have no exact place in floating point, and none in JSON."""

MIN_FS = 100.0
MAX_FS = 1000.0
"""Sampling frequencies that are accepted, in Hz. Below 100 Hz a QRS has too few
samples to be placed and classed; above 1000 Hz there is nothing more to learn."""


def check_fs(fs: float) -> float:
    """Return ``fs`` if the engine accepts it.

    Raises
    ------
    RateError
        If it is outside ``MIN_FS`` to ``MAX_FS``, or not a number.

    Examples
    --------
    >>> check_fs(360)
    360.0
    """
    if not MIN_FS <= fs <= MAX_FS:
        raise RateError(f"fs must be {MIN_FS:g} to {MAX_FS:g} Hz, got {fs:g} Hz; resample it first")
    return float(fs)


class Chunk(msgspec.Struct, frozen=True, kw_only=True, eq=False, gc=False):
    """Consecutive samples of all ECG leads of one patient.

    Parameters
    ----------
    patient : str
        Whose ECG this is.
    stream : str
        Which stream of that patient; new at every start of the source.
    first_sample : int
        Sample number of the first row, from the start of the stream.
    fs : float
        Sampling frequency of the stream, in Hz.
    leads : tuple of str
        Lead names as the source gives them, one a column.
    samples : ndarray of int16, shape (n_samples, n_leads)
        ADC values; ``MISSING`` where there is none.
    gain : tuple of float
        ADC units per mV, one a lead.
    baseline : tuple of int
        ADC value of 0 mV, one a lead.
    discontinuity : bool
        True where the chunk does not continue what was recorded before it (a
        replay that loops): no RR interval and no filter transient crosses it.
    source_ns, sent_ns : int
        When the source took the first sample, and sent this chunk, in ns UTC.

    Raises
    ------
    ChunkError
        If shape, type, gain or position contradict each other.
    """

    patient: str
    stream: str
    first_sample: int
    fs: float
    leads: tuple[str, ...]
    samples: NDArray[np.int16]
    gain: tuple[float, ...]
    baseline: tuple[int, ...]
    discontinuity: bool = False
    source_ns: int = 0
    sent_ns: int = 0

    def __post_init__(self) -> None:
        """Check that the parts agree."""
        n_leads = len(self.leads)
        if self.samples.dtype != np.int16 or self.samples.ndim != 2:
            raise ChunkError(
                "samples must be int16 of shape (n_samples, n_leads), "
                f"got {self.samples.dtype} of shape {self.samples.shape}"
            )
        if n_leads == 0 or self.samples.shape[1] != n_leads:
            raise ChunkError(f"{n_leads} lead names for {self.samples.shape[1]} columns of samples")
        if len(self.gain) != n_leads or len(self.baseline) != n_leads:
            raise ChunkError(f"gain and baseline must have {n_leads} values, one a lead")
        if not all(0 < g < inf for g in self.gain):
            raise ChunkError(f"gain must be positive ADC units per mV, got {self.gain}")
        if not 0 <= self.first_sample < LAST_SAMPLE - len(self.samples):
            raise ChunkError(
                "first_sample must be 0 or more and below "
                f"{LAST_SAMPLE - len(self.samples)}, got {self.first_sample}"
            )

    def followed_by(
        self,
        samples: NDArray[np.int16],
        *,
        first_sample: int,
        discontinuity: bool,
        source_ns: int,
        sent_ns: int,
    ) -> "Chunk":
        """Return a later chunk of the same stream and leads.

        What stays has been checked, so nothing is checked again: a source sends
        some chunks a second for days.

        Parameters
        ----------
        samples : ndarray of int16, shape (n_samples, n_leads)
            The new samples.
        first_sample, discontinuity, source_ns, sent_ns
            As in the class.
        """
        return _Later(
            patient=self.patient,
            stream=self.stream,
            first_sample=first_sample,
            fs=self.fs,
            leads=self.leads,
            samples=samples,
            gain=self.gain,
            baseline=self.baseline,
            discontinuity=discontinuity,
            source_ns=source_ns,
            sent_ns=sent_ns,
        )

    @property
    def n_samples(self) -> int:
        """Number of rows."""
        return len(self.samples)

    @property
    def end_sample(self) -> int:
        """Sample number one past the last row."""
        return self.first_sample + len(self.samples)


class _Later(Chunk, frozen=True, kw_only=True, eq=False, gc=False):
    """A chunk that follows one that was checked."""

    def __post_init__(self) -> None:
        """Check nothing again."""

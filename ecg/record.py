"""A record: an ECG in memory, its samples as they are streamed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ecg.chunk import MISSING, Chunk
from ecg.errors import LeadError, RecordError

CHUNK_S = 0.25
"""Default duration of a chunk, in s."""

OtherKind = Literal["ppg", "abp", "resp"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OtherSignal:
    """A signal of a record that is no ECG; ``(adc - baseline) / gain`` is its value in ``unit``."""

    name: str
    kind: OtherKind
    unit: str
    fs: float
    samples: NDArray[np.int16]
    gain: float
    baseline: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Record:
    """An ECG record in memory.

    Parameters
    ----------
    name : str
        The record's name.
    fs : float
        Sampling frequency of the leads, in Hz.
    leads : tuple of str
        Lead names as in the header, one a column.
    samples : ndarray of int16, shape (n_samples, n_leads)
        ADC values; ``ecg.chunk.MISSING`` where there is none.
    gain : tuple of float
        ADC units per mV, one a lead.
    baseline : tuple of int
        ADC value of 0 mV, one a lead.
    others : tuple of OtherSignal
        Signals that are no ECG.
    """

    name: str
    fs: float
    leads: tuple[str, ...]
    samples: NDArray[np.int16]
    gain: tuple[float, ...]
    baseline: tuple[int, ...]
    others: tuple[OtherSignal, ...] = ()

    @property
    def n_samples(self) -> int:
        """Number of rows."""
        return int(self.samples.shape[0])

    @property
    def duration_s(self) -> float:
        """Length in s."""
        return self.n_samples / self.fs

    def column(self, lead: str) -> int:
        """Return the column of a lead.

        Raises
        ------
        LeadError
            If there is no such lead.
        """
        if lead not in self.leads:
            raise LeadError(f"record {self.name} has no lead {lead!r}, only {self.leads}")
        return self.leads.index(lead)

    def millivolts(self) -> NDArray[np.float64]:
        """Return the samples in mV, NaN where missing, shape (n_samples, n_leads)."""
        return to_millivolts(self.samples, gain=self.gain, baseline=self.baseline)

    def chunks(
        self,
        patient: str,
        stream: str,
        *,
        chunk_samples: int | None = None,
        duration_s: float = CHUNK_S,
        first_sample: int = 0,
    ) -> Iterator[Chunk]:
        """Yield the record as chunks; the last one is as long as what is left.

        Parameters
        ----------
        patient, stream : str
            What the chunks carry.
        chunk_samples : int, optional
            Samples a chunk; without it ``duration_s`` decides.
        duration_s : float
            Duration of a chunk, in s, rounded to a sample.
        first_sample : int
            Sample number in the stream of the record's first sample; not 0 where
            a replay loops, and then the first chunk says ``discontinuity``.

        Yields
        ------
        Chunk
            Consecutive and without overlap; together they are the record.

        Raises
        ------
        RecordError
            If a chunk would hold no sample.
        """
        step = max(1, round(duration_s * self.fs)) if chunk_samples is None else chunk_samples
        if step < 1:
            raise RecordError(f"a chunk needs at least one sample, got {step}")
        for start in range(0, self.n_samples, step):
            yield Chunk(
                patient=patient,
                stream=stream,
                first_sample=first_sample + start,
                fs=self.fs,
                leads=self.leads,
                samples=self.samples[start : start + step],
                gain=self.gain,
                baseline=self.baseline,
                discontinuity=start == 0 and first_sample > 0,
            )


def to_millivolts(
    samples: NDArray[np.int16], *, gain: Sequence[float], baseline: Sequence[int]
) -> NDArray[np.float64]:
    """Return ADC values in mV, NaN where missing, shape (n_samples, n_leads).

    Examples
    --------
    >>> to_millivolts(np.array([[1224], [-32768]], dtype=np.int16), gain=[200.0], baseline=[1024])
    array([[ 1.],
           [nan]])
    """
    millivolts: NDArray[np.float64] = samples.astype(np.float64)
    millivolts -= np.asarray(baseline, dtype=np.float64)
    millivolts /= np.asarray(gain, dtype=np.float64)
    millivolts[samples == MISSING] = np.nan
    return millivolts

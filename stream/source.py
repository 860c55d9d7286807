"""What replay sends: the ECG of one patient, of which every reader can take every message."""

import re
from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray

from stream.errors import DecodeError, SettingsError
from stream.messages import PatientMessage, Signal, Waveform
from stream.wire import decode, decode_waveform, encode, encode_waveform

MIN_CHUNK_MS = 50
"""The least that a waveform message holds, in ms of signal."""

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """All samples of one patient, ready to be sent.

    Parameters
    ----------
    patient : str
        Patient id; letters, digits, ``. _ : -``, at most 64.
    label : str
        What a screen says of where the ECG comes from, e.g. ``SIMULATED``.
    fs : float
        Sampling frequency, in Hz.
    signals : tuple of Signal
        The columns.
    samples : ndarray of int16, shape (n_samples, n_signals)
        ADC values as recorded; sent as they are.

    Raises
    ------
    SettingsError
        If the patient id cannot be used, or something of it cannot be sent.
    """

    patient: str
    label: str
    fs: float
    signals: tuple[Signal, ...]
    samples: NDArray[np.int16]

    def __post_init__(self) -> None:
        """Check what a reader of the messages would refuse."""
        check_id("patient", self.patient)
        if not self.signals:
            raise SettingsError(f"{self.patient} has no signal to send")
        if self.samples.dtype != np.int16 or self.samples.ndim != 2:
            raise SettingsError(
                f"samples of {self.patient} must be int16 of shape (n_samples, n_signals), "
                f"got {self.samples.dtype} of shape {self.samples.shape}"
            )
        if self.samples.shape[1] != len(self.signals):
            raise SettingsError(
                f"{self.patient} has {len(self.signals)} signals, "
                f"but samples of shape {self.samples.shape}"
            )
        if self.samples.shape[0] < ceil(self.fs * MIN_CHUNK_MS / 1000):
            raise SettingsError(
                f"a source must last at least {MIN_CHUNK_MS} ms, {self.patient} has "
                f"{self.samples.shape[0]} samples at {self.fs:g} Hz"
            )
        waveform = Waveform(
            patient=self.patient,
            stream="any",
            first_sample=0,
            fs=self.fs,
            source_ns=0,
            sent_ns=0,
            signals=self.signals,
            samples=b"",
        )
        entry = PatientMessage(patient=self.patient, label=self.label)
        try:
            decode_waveform(encode_waveform(waveform))
            decode(encode(entry), PatientMessage)
        except (DecodeError, OverflowError, UnicodeEncodeError) as error:
            raise SettingsError(f"{self.patient} cannot be sent: {error}") from error

    @property
    def n_samples(self) -> int:
        """Samples of one pass."""
        return int(self.samples.shape[0])

    @property
    def duration_s(self) -> float:
        """Length of one pass, in s."""
        return self.n_samples / self.fs


def check_id(what: str, text: str) -> None:
    """Refuse what no reader takes as the id of a patient or stream.

    Raises
    ------
    SettingsError
        If it is none.
    """
    if not _ID.fullmatch(text):
        raise SettingsError(
            f"a {what} id is 1 to 64 letters, digits, '.', '_', ':' or '-', starting with a "
            f"letter or digit; got {text!r}"
        )

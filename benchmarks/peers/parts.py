"""The parts: a filter of scipy, somebody's QRS detector, an LSTM of torch, on windows of signal."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt

from stream.wire import decode_waveform

FS = 360.0
BAND_HZ = (0.5, 40.0)
EVERY_NTH = 4
"""The LSTM sees 90 samples a second: all that is left below 40 Hz."""
HIDDEN = 32
CLASSES = 5
BATCH = 256
"""Windows that wait for the LSTM: far cheaper together than one by one."""

Detect = Callable[[NDArray[np.float64]], int]
"""Takes one filtered lead, in mV; returns how many R peaks it found."""


class WindowLSTM(torch.nn.Module):
    """One LSTM over a window, and a class for it; the weights do not matter for its cost."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = torch.nn.LSTM(2, HIDDEN, batch_first=True)
        self.head = torch.nn.Linear(HIDDEN, CLASSES)

    def forward(self, windows: torch.Tensor) -> torch.Tensor:
        """Return logits, shape (n_windows, CLASSES), of shape (n_windows, n_samples, 2)."""
        out, _ = self.lstm(windows)
        logits: torch.Tensor = self.head(out[:, -1])
        return logits


class Parts:
    """Collects each patient's samples into windows, and judges each window.

    Parameters
    ----------
    detect : callable
        The detector.
    window_s, every_s : float
        Length of a window and the time between two starts, in s.
    """

    def __init__(self, detect: Detect, *, window_s: float, every_s: float) -> None:
        self._detect = detect
        self._window = round(window_s * FS)
        self._every = round(every_s * FS)
        self._sos = butter(2, BAND_HZ, btype="bandpass", fs=FS, output="sos")
        self._samples: dict[str, NDArray[np.float64]] = {}
        self._filled: dict[str, int] = {}
        self._waiting: list[NDArray[np.float32]] = []
        self._model = WindowLSTM().eval()
        self.windows = 0
        self.beats = 0

    def take(self, value: bytes) -> None:
        """Take one waveform message."""
        message = decode_waveform(value)
        gain = [signal.gain for signal in message.signals]
        baseline = [signal.baseline for signal in message.signals]
        millivolts = (message.array() - np.array(baseline)) / np.array(gain)
        patient = message.patient
        buffer = self._samples.get(patient)
        if buffer is None:
            buffer = self._samples[patient] = np.empty((self._window, 2))
        filled = self._filled.get(patient, 0)
        while len(millivolts):
            n = min(self._window - filled, len(millivolts))
            buffer[filled : filled + n] = millivolts[:n]
            millivolts = millivolts[n:]
            filled += n
            if filled == self._window:
                self._judge(buffer)
                filled -= self._every
                buffer[:filled] = buffer[self._every :].copy()
        self._filled[patient] = filled

    def _judge(self, window: NDArray[np.float64]) -> None:
        filtered = sosfilt(self._sos, window, axis=0)
        self.beats += self._detect(filtered[:, 0])
        self.windows += 1
        self._waiting.append(filtered[::EVERY_NTH].astype(np.float32))
        if len(self._waiting) >= BATCH:
            self.flush()

    @torch.inference_mode()
    def flush(self) -> None:
        """Let the LSTM judge the windows that wait."""
        if self._waiting:
            torch.softmax(self._model(torch.from_numpy(np.stack(self._waiting))), dim=-1)
            self._waiting.clear()


def xqrs() -> Detect:
    """Return the detector of the wfdb package."""
    from wfdb.processing import XQRS

    def detect(lead: NDArray[np.float64]) -> int:
        found = XQRS(sig=lead, fs=FS)
        found.detect(verbose=False)
        return len(found.qrs_inds)

    return detect


def neurokit() -> Detect:
    """Return the default detector of NeuroKit2; the signal is filtered already."""
    import neurokit2

    def detect(lead: NDArray[np.float64]) -> int:
        try:
            found = neurokit2.ecg_findpeaks(lead, sampling_rate=round(FS), method="neurokit")
        except IndexError:
            return 0  # its answer where a window holds no QRS complex
        return len(found["ECG_R_Peaks"])

    return detect


DETECTORS = {"xqrs": xqrs, "NeuroKit2": neurokit}

"""Rows of state: how a patient's, or a pair of leads', begins and begins again."""

from collections.abc import Sequence

import numpy as np

from ecg.chunk import Chunk
from ecg.kernel import blank
from ecg.state import SIGNAL_FIELDS


def begin(chunk: Chunk, columns: Sequence[int], at: int) -> np.void:
    """Return a row that knows nothing, for some columns of ``chunk``, from sample ``at`` on."""
    row: np.void = blank()[0]
    row["n_leads"] = len(columns)
    for lead, column in enumerate(columns):
        row["column"][lead] = column
    rescale(row, chunk)
    _stand_at(row, chunk.fs, at)
    return row


def rescale(row: np.void, chunk: Chunk) -> None:
    """Let samples be read by the gain and baseline of ``chunk``."""
    for lead in range(row["n_leads"]):
        row["gain"][lead] = chunk.gain[row["column"][lead]]
        row["baseline"][lead] = chunk.baseline[row["column"][lead]]


def splice(row: np.void, fs: float, at: int) -> None:
    """Begin a new segment of signal at ``at``; levels and templates stay."""
    start = blank()
    for name in SIGNAL_FIELDS:
        row[name] = start[name][0]
    row["learned"] = 0
    row["last_r"] = -1
    _stand_at(row, fs, at)


def _stand_at(row: np.void, fs: float, at: int) -> None:
    row["origin"] = at
    row["second"] = int(at / fs) + 1

"""What humans wrote beside a record: beats as EC57 classes, rhythms, flutter stretches.

The classes are those of ANSI/AAMI EC57 as the published tables of the MIT-BIH
database use them: escape beats (``e``, ``j``, ``n``) are N. The WFDB programs
count them as S.
"""

import logging
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import wfdb
from numpy.typing import NDArray

from ecg.errors import RecordError
from ecg.finding import BeatClass

logger = logging.getLogger(__name__)

CLASS_OF_SYMBOL: dict[str, BeatClass | None] = {
    **dict.fromkeys("NLRBejn", "N"),
    **dict.fromkeys("AaJS", "S"),
    **dict.fromkeys("VEr", "V"),
    "F": "F",
    # a beat nobody could classify, also because the annotator was still learning
    **dict.fromkeys("/fQ?", "Q"),
    **dict.fromkeys(' ~|sT*D"=p^t+u![]@x()', None),
}
"""Every WFDB annotation symbol: its EC57 class, or None for "not a beat"."""

RHYTHM_OF_LABEL = {
    "AB": "AB",
    "AFIB": "AFIB",
    "AF": "AFIB",
    "AFL": "AFL",
    "ASYS": "ASYS",
    "B": "B",
    "BI": "BI",
    "BII": "BII",
    "HGEA": "HGEA",
    "IVR": "IVR",
    "J": "NOD",
    "N": "N",
    "NOD": "NOD",
    "NOISE": "NOISE",
    "NSR": "N",
    "P": "P",
    "PM": "P",
    "PREX": "PREX",
    "SBR": "SBR",
    "SVTA": "SVTA",
    "T": "T",
    "VER": "VER",
    "VF": "VFIB",
    "VFIB": "VFIB",
    "VFL": "VFL",
    "VT": "VT",
}
"""Rhythm labels of PhysioNet's databases (``(VF`` without its bracket) and the one
name that each has here; labels that mean the same share it."""

VF_RHYTHMS = frozenset({"VFIB", "VFL"})
"""Rhythms that the alarm for ventricular fibrillation or flutter is about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RhythmStretch:
    """A rhythm from the mark that names it to the next mark (excluded)."""

    rhythm: str
    first_sample: int
    end_sample: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Annotations:
    """All annotations of one record.

    Parameters
    ----------
    samples : ndarray of int, shape (n_annotations,)
        Sample numbers, not decreasing.
    symbols : tuple of str
        WFDB symbols.
    rhythms : tuple of RhythmStretch
        Stretches of rhythm, in order.
    flutter : tuple of (int, int)
        Stretches of ventricular flutter or fibrillation between ``[`` and
        ``]``, first sample and end (excluded): EC57 scores no beats there.
    """

    samples: NDArray[np.int64]
    symbols: tuple[str, ...]
    rhythms: tuple[RhythmStretch, ...]
    flutter: tuple[tuple[int, int], ...]

    def __post_init__(self) -> None:
        """Check that the parts agree."""
        if len(self.samples) != len(self.symbols):
            raise RecordError(
                f"one symbol an annotation, got {len(self.symbols)} for {len(self.samples)}"
            )
        if np.any(np.diff(self.samples) < 0):
            raise RecordError("annotations must be in the order of their samples")

    @property
    def classes(self) -> tuple[BeatClass | None, ...]:
        """EC57 class of each annotation, None where it marks no beat."""
        return tuple(class_of(symbol) for symbol in self.symbols)

    def beats(self) -> tuple[NDArray[np.int64], NDArray[np.str_]]:
        """Return the beats alone.

        Returns
        -------
        samples : ndarray of int, shape (n_beats,)
            Sample numbers of the beats.
        classes : ndarray of str, shape (n_beats,)
            Their EC57 classes.
        """
        classes = self.classes
        is_beat = np.array([c is not None for c in classes], dtype=bool)
        return self.samples[is_beat], np.array([c for c in classes if c is not None], dtype="<U1")


def class_of(symbol: str) -> BeatClass | None:
    """Return the EC57 class of a WFDB symbol, None where it marks no beat.

    A symbol that WFDB does not define (a file may bring its own) is no beat.

    Examples
    --------
    >>> [class_of(symbol) for symbol in "NjaEf+"]
    ['N', 'N', 'S', 'V', 'Q', None]
    """
    return CLASS_OF_SYMBOL.get(symbol)


def rhythm_of(aux_note: str) -> str | None:
    """Return the rhythm that an annotation's text names, None if it names none.

    A label that is not in ``RHYTHM_OF_LABEL`` is returned as it stands.

    Examples
    --------
    >>> rhythm_of("(VF"), rhythm_of("(VFIB"), rhythm_of("(NSR"), rhythm_of("TS")
    ('VFIB', 'VFIB', 'N', None)
    """
    text = aux_note.rstrip("\x00").strip()
    if not text.startswith("("):
        return None
    label = text[1:].upper()
    return RHYTHM_OF_LABEL.get(label, label)


def read_annotations(
    path: str | Path,
    *,
    fs: float | None = None,
    n_samples: int | None = None,
    extension: str = "atr",
) -> Annotations:
    """Read a WFDB annotation file.

    Parameters
    ----------
    path : str or Path
        The record's path, without extension.
    fs : float, optional
        Sampling frequency of the record as it was read, in Hz, whose sample numbers are returned.
        The file counts time in its own resolution, or in the frames of the record's header;
        without ``fs`` its numbers are returned as they stand.
    n_samples : int, optional
        Length of the record, where the last rhythm ends; without it that ends
        at the last annotation.
    extension : str
        Extension of the annotation file.

    Returns
    -------
    Annotations
        Beats, rhythms and flutter stretches.

    Raises
    ------
    RecordError
        If there is no such file, or it is damaged or not an annotation file.
    """
    file = Path(f"{path}.{extension}")
    if not file.is_file():
        raise RecordError(
            f"no annotations at {file}; name a record that has .{extension} beside it"
        )
    # the format ends with a zero word; text or a truncated file may still read as annotations
    if not file.read_bytes().endswith(b"\x00\x00"):
        raise RecordError(f"{file} is cut short or holds no WFDB annotations; fetch it again")
    try:
        found = wfdb.rdann(str(path), extension)
    # wfdb checks nothing: damaged bytes surface as whatever numpy or pandas raise
    except (ValueError, IndexError, KeyError, TypeError, UnicodeDecodeError, OSError) as error:
        raise RecordError(f"{file} cannot be read as WFDB annotations: {error}") from error
    # a note more than annotations, of which nobody knows whose it is
    if not len(found.sample) == len(found.symbol) == len(found.aux_note):
        raise RecordError(f"{file} is damaged: it has a note of no annotation; fetch it again")
    samples = np.asarray(found.sample, dtype=np.int64)
    if fs is not None and found.fs is not None and found.fs != fs:
        samples = np.rint(samples * fs / found.fs).astype(np.int64)
    if not all(isinstance(symbol, str) for symbol in found.symbol):
        raise RecordError(
            f"{file} holds annotation codes that WFDB does not define; is it damaged?"
        )
    symbols: tuple[str, ...] = tuple(found.symbol)
    if strange := sorted(set(symbols) - CLASS_OF_SYMBOL.keys()):
        logger.warning("annotations record=%s undefined symbols %s are no beats", path, strange)
    end = int(samples[-1]) + 1 if len(samples) else 0
    end = max(end, n_samples or 0)
    return Annotations(
        samples=samples,
        symbols=symbols,
        rhythms=_stretches(samples, symbols, [str(note) for note in found.aux_note], end),
        flutter=_flutter(samples, symbols, end),
    )


def _stretches(
    samples: NDArray[np.int64], symbols: tuple[str, ...], notes: list[str], end: int
) -> tuple[RhythmStretch, ...]:
    marks = [
        (int(sample), rhythm)
        for sample, symbol, note in zip(samples, symbols, notes, strict=True)
        if symbol == "+" and (rhythm := rhythm_of(note)) is not None
    ]
    return tuple(
        RhythmStretch(rhythm=rhythm, first_sample=first, end_sample=stop)
        for (first, rhythm), (stop, _) in pairwise([*marks, (end, "")])
        if stop > first
    )


def _flutter(
    samples: NDArray[np.int64], symbols: tuple[str, ...], end: int
) -> tuple[tuple[int, int], ...]:
    stretches = []
    opened: int | None = None
    for sample, symbol in zip(samples.tolist(), symbols, strict=True):
        if symbol == "[" and opened is None:
            opened = sample
        elif symbol == "]" and opened is not None:
            stretches.append((opened, sample + 1))
            opened = None
    if opened is not None:
        stretches.append((opened, end))
    return tuple(stretches)

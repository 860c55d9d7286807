"""WFDB annotation files in the MIT format, byte for byte as wfdb writes them, fast.

wfdb's own writer takes 5 to 10 ms a file; an archive writes one for each patient
every half minute. Its reader never returns from some damaged files.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from wfdb.io.annotation import ann_labels

CODE_OF_SYMBOL: dict[str, int] = {label.symbol: label.label_store for label in ann_labels}
"""WFDB's number of every annotation symbol."""
_SYMBOL_OF_CODE = {code: symbol for symbol, code in CODE_OF_SYMBOL.items() if code}

_SKIP, _SUBTYPE, _TEXT, _NOTE = 59, 61, 63, 22
_RATE_IS = "## time resolution: "
_LONGEST_STEP = 1023
_LONGEST_TEXT = 255
# after the rate, which stands at sample 0: back by one sample and on by one
_REWIND = b"\x00\xec\xff\xff\xff\xff\x01\x00"


def encode(
    samples: NDArray[np.int64],
    symbols: Sequence[str],
    *,
    fs: float,
    subtypes: dict[int, int] | None = None,
    notes: dict[int, str] | None = None,
) -> bytes:
    """Return an annotation file.

    Parameters
    ----------
    samples : ndarray of int, shape (n_annotations,)
        Sample numbers, not decreasing.
    symbols : sequence of str
        WFDB symbols, one each.
    fs : float
        Sampling frequency, in Hz.
    subtypes : dict of int to int, optional
        Subtype by position in ``samples``, where it is not 0.
    notes : dict of int to str, optional
        Text by position, where there is one; its first 255 ASCII characters are kept.

    Raises
    ------
    ValueError
        If the samples are not in order, or begin below 0.
    """
    subtypes, notes = subtypes or {}, notes or {}
    steps = np.diff(samples, prepend=0)
    if len(steps) and steps.min() < 0:
        raise ValueError(f"samples must be 0 or more and not decrease, got {samples}")
    codes = np.array([CODE_OF_SYMBOL[symbol] for symbol in symbols], dtype=np.int64)
    far = steps > _LONGEST_STEP
    words = (codes << 10 | np.where(far, 0, steps)).astype("<u2")
    parts = [_rate(fs)]
    done = 0
    for i in sorted({*np.flatnonzero(far).tolist(), *subtypes, *notes}):
        parts.append(words[done:i].tobytes())
        if far[i]:
            parts.append(_skip(int(steps[i])))
        parts.append(words[i].tobytes())
        if i in subtypes:
            parts.append((_SUBTYPE << 10 | subtypes[i]).to_bytes(2, "little"))
        if i in notes:
            parts.append(_text(notes[i]))
        done = i + 1
    parts += [words[done:].tobytes(), b"\x00\x00"]
    return b"".join(parts)


def decode(file: bytes) -> tuple[list[int], list[str], dict[int, str]]:
    """Return samples, symbols, and notes by position, of a file that ``encode`` made.

    Raises
    ------
    ValueError
        If it is not as ``encode`` makes it.
    """
    words = np.frombuffer(file, dtype="<u2").tolist()
    first = file.find(_REWIND) + len(_REWIND)
    if not file[4:].startswith(_RATE_IS.encode()) or first < len(_REWIND) or first % 2:
        raise ValueError("it does not begin with a rate")
    samples: list[int] = []
    symbols: list[str] = []
    notes: dict[int, str] = {}
    sample, i = 0, first // 2
    while i < len(words) - 1:
        code, low = divmod(words[i], 1 << 10)
        i += 1
        if code == _SKIP and i < len(words) - 2 and words[i] < 1 << 15:
            sample += words[i] << 16 | words[i + 1]
            i += 2
        elif code == _TEXT and samples:
            notes[len(samples) - 1] = file[2 * i : 2 * i + low].decode("ascii")
            i += (low + 1) // 2
        elif code in _SYMBOL_OF_CODE:
            sample += low
            samples.append(sample)
            symbols.append(_SYMBOL_OF_CODE[code])
        elif code != _SUBTYPE:
            raise ValueError(f"code {code} at byte {2 * i - 2}")
    if i != len(words) - 1 or words[i]:
        raise ValueError("it has no end")
    return samples, symbols, notes


def _rate(fs: float) -> bytes:
    rate = str(int(fs)) if round(fs, 8) == int(fs) else str(fs)
    note = (_NOTE << 10).to_bytes(2, "little")
    return note + _text(f"{_RATE_IS}{rate}") + _REWIND


def _skip(step: int) -> bytes:
    high, low = divmod(step, 1 << 16)
    return (
        (_SKIP << 10).to_bytes(2, "little") + high.to_bytes(2, "little") + low.to_bytes(2, "little")
    )


def _text(text: str) -> bytes:
    said = text.encode("ascii", "replace")[:_LONGEST_TEXT]
    head = (_TEXT << 10 | len(said)).to_bytes(2, "little")
    return head + said + b"\x00" * (len(said) % 2)

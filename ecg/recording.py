"""A WFDB record that grows: samples are appended, and its header says how many count.

The header is the record's truth. It is replaced as a whole once the samples are
safe on disk, so whatever happens in between, the record is as it was before or
as it is after. Samples behind the header's count are nobody's and overwritten.
"""

import os
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import wfdb
from numpy.typing import NDArray

from ecg.errors import RecordError
from ecg.files import put_in_place

NO_UNIT = "NU"
"""WFDB's word for a signal without a unit; none at all would mean mV."""

_NOT_IN_UNIT = re.compile(r"[^A-Za-z0-9_^\-?%/]+")
_SPACE = re.compile(r"[\s\x00-\x1f\x7f]+")
_KINDS = "kinds: "


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One signal of a record: ``(adc - baseline) / gain`` is its value in ``unit``.

    Name and unit are brought into the form that a WFDB header can hold: ASCII
    on one line, the unit without spaces.

    Examples
    --------
    >>> Column(name="II", kind="ecg", unit="µV", gain=0.2, baseline=0).unit
    'uV'
    """

    name: str
    kind: str
    unit: str
    gain: float
    baseline: int

    def __post_init__(self) -> None:
        """Bring name and unit into form."""
        unit = _NOT_IN_UNIT.sub("_", _ascii(self.unit).strip()) or NO_UNIT
        object.__setattr__(self, "unit", unit)
        object.__setattr__(self, "name", _ascii(self.name) or "unnamed")


def _ascii(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text.replace("µ", "u").replace("μ", "u"))
    return _SPACE.sub(" ", plain.encode("ascii", "ignore").decode()).strip()


@dataclass(slots=True, kw_only=True, eq=False)
class Recording:
    """A record on disk, and the samples that are to be appended.

    Parameters
    ----------
    directory : Path
        Where its files are.
    name : str
        Letters, digits, ``-`` and ``_``.
    fs : float
        Sampling frequency, in Hz.
    columns : tuple of Column
        Its signals.
    first_sample : int
        Sample number in the stream of its first sample; WFDB's base counter.
    start_ns : int
        When its first sample was taken, in ns UTC; WFDB's base time, in whole ms.
    comments : tuple of str
        One line each.
    """

    directory: Path
    name: str
    fs: float
    columns: tuple[Column, ...]
    first_sample: int
    start_ns: int
    comments: tuple[str, ...] = ()
    saved: int = 0
    """Samples on disk that count."""
    sums: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    """Sum of each signal's saved samples."""
    first_row: tuple[int, ...] = ()
    waiting: list[bytes] = field(default_factory=list)
    """Samples to be appended, row by row."""
    n_waiting: int = 0

    @property
    def n_samples(self) -> int:
        """Samples saved and waiting."""
        return self.saved + self.n_waiting

    @property
    def end_sample(self) -> int:
        """Sample number in the stream one past the last."""
        return self.first_sample + self.n_samples

    def append(self, rows: bytes) -> None:
        """Take samples: little-endian int16, row by row."""
        self.waiting.append(rows)
        self.n_waiting += len(rows) // (2 * len(self.columns))

    def save(self) -> int:
        """Put what waits on disk; once its directory is synced as well, no power cut loses it.

        Returns
        -------
        int
            Bytes of samples written.

        Raises
        ------
        OSError
            If it cannot be written: the record is as it was.
        """
        if not self.n_waiting:
            return 0
        rows = b"".join(self.waiting)
        samples = np.frombuffer(rows, dtype="<i2").reshape(-1, len(self.columns))
        new = not self.saved
        with self._data.open("wb" if new else "r+b") as data:
            data.seek(self.saved * 2 * len(self.columns))
            data.write(rows)
            data.truncate()
            data.flush()
            os.fsync(data.fileno())
        sums = samples.sum(axis=0, dtype=np.int64) + (0 if new else self.sums)
        first_row = tuple(samples[0].tolist()) if new else self.first_row
        scratch = self.directory / f".{self.name}.new"
        scratch.write_text(
            self._header(self.n_samples, first_row, sums), encoding="ascii", newline="\n"
        )
        put_in_place(scratch, self.directory / f"{self.name}.hea")
        self.saved, self.sums, self.first_row = self.n_samples, sums, first_row
        self.waiting.clear()
        self.n_waiting = 0
        return len(rows)

    @property
    def _data(self) -> Path:
        return self.directory / f"{self.name}.dat"

    def _header(self, n_samples: int, first_row: Sequence[int], sums: NDArray[np.int64]) -> str:
        """Return the header; wfdb's own writer takes 3 ms and refuses a base counter of 0."""
        at = datetime.fromtimestamp(self.start_ns // 1_000_000_000, tz=UTC)
        ms = self.start_ns // 1_000_000 % 1000
        fs = repr(self.fs).removesuffix(".0")  # every digit: who goes on compares it
        lines = [
            f"{self.name} {len(self.columns)} {fs}/{fs}({self.first_sample}) {n_samples} "
            f"{at:%H:%M:%S}.{ms:03} {at:%d/%m/%Y}"
        ]
        for column, first, total in zip(self.columns, first_row, sums.tolist(), strict=True):
            checksum = (total + 0x8000) % 0x10000 - 0x8000
            lines.append(
                f"{self.name}.dat 16 {column.gain!r}({column.baseline})/{column.unit} "
                f"16 0 {first} {checksum} 0 {column.name}"
            )
        said = [*self.comments, _KINDS + " ".join(column.kind for column in self.columns)]
        lines += [f"# {_ascii(comment)}" for comment in said]
        return "\n".join(lines) + "\n"

    @classmethod
    def open(cls, directory: Path, name: str) -> "Recording":
        """Return a record that ``save`` has written, to go on with it.

        Samples behind the header's count, of a save that was cut off, are removed.

        Raises
        ------
        RecordError
            If the files are not as ``save`` leaves them.
        OSError
            If they cannot be read.
        """
        file = directory / f"{name}.hea"
        try:
            head = wfdb.rdheader(str(directory / name))
            at = datetime.combine(head.base_date, head.base_time, tzinfo=UTC)
            comments = tuple(head.comments)
            kinds = comments[-1].removeprefix(_KINDS).split()
            columns = tuple(
                Column(name=n, kind=k, unit=u, gain=float(g), baseline=int(b))
                for n, k, u, g, b in zip(
                    head.sig_name, kinds, head.units, head.adc_gain, head.baseline, strict=True
                )
            )
            recording = cls(
                directory=directory,
                name=name,
                fs=float(head.fs),
                columns=columns,
                first_sample=round(head.base_counter),
                start_ns=round(at.timestamp() * 1000) * 1_000_000,
                comments=comments[:-1],
                saved=int(head.sig_len),
                sums=np.array(head.checksum, dtype=np.int64),
                first_row=tuple(head.init_value),
            )
        # wfdb checks nothing: a damaged header surfaces as whatever it stumbles over
        except (ValueError, LookupError, TypeError, AttributeError, OverflowError) as error:
            raise RecordError(
                f"{file} is not as the archive writes it ({error}); move the record away, "
                "and a new one is begun"
            ) from error
        size = recording.saved * 2 * len(columns)
        there = recording._data.stat().st_size if recording._data.is_file() else 0
        if there < size:
            raise RecordError(
                f"{recording._data} must hold {size} bytes by its header, got {there}; "
                "move the record away, and a new one is begun"
            )
        if there > size:
            os.truncate(recording._data, size)
        return recording

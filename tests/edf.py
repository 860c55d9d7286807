"""EDF files made for tests."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray


def write_edf(path: Path, samples: list[NDArray[np.int16]], leads: tuple[str, ...]) -> Path:
    """Write EDF: blocks of 1 s, +-10 mV over the whole of int16."""
    n = len(leads)
    n_blocks = len(samples[0]) // 250
    fields = [("0", 8), ("X", 80), ("X", 80), ("01.02.20", 8), ("10.00.00", 8)]
    fields += [(str(256 * (n + 1)), 8), ("", 44), (str(n_blocks), 8), ("1", 8), (str(n), 4)]
    for values, width in (
        (leads, 16),
        (("",) * n, 80),
        (("mV",) * n, 8),
        (("-10",) * n, 8),
        (("10",) * n, 8),
        (("-32768",) * n, 8),
        (("32767",) * n, 8),
        (("",) * n, 80),
        (tuple(str(len(s) // n_blocks) for s in samples), 8),
        (("",) * n, 32),
    ):
        fields += [(value, width) for value in values]
    head = b"".join(value.ljust(width).encode() for value, width in fields)
    blocks = [s.reshape(n_blocks, -1)[b].tobytes() for b in range(n_blocks) for s in samples]
    path.write_bytes(head + b"".join(blocks))
    return path

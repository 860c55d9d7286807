"""Which loads are tried: two for a minute each, or a search for the largest that holds."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from benchmarks.capacity.live import Live, LiveRow

LOADS = ((5_000, 250), (10_000, 1000))
"""Patients and ms of signal in a chunk."""
HOLD_S = 60.0
"""How long each is held in a quick run."""


def quick(live: Live, *, hold_s: float = HOLD_S) -> list[LiveRow]:
    """Measure the two loads that are asked for, each for ``hold_s``."""
    rows = []
    for patients, chunk_ms in LOADS:
        live.say(f"through Apache Kafka: {patients:,} patients, chunks of {chunk_ms} ms")
        rows.append(live.run(patients, chunk_ms, hold_s))
    return rows


def search(
    run: Callable[[int, float], bool], *, first: int, probe_s: float, whole_s: float, steps: int = 4
) -> int | None:
    """Find the largest number of patients that holds for ``whole_s``.

    Short probes bracket it, then it is confirmed by the whole time, with a tenth
    less whenever it does not hold.

    Parameters
    ----------
    run : callable
        Takes patients and seconds, says whether they held.
    first : int
        Tried first.
    probe_s, whole_s : float
        Lengths of probes and of what counts, in s.
    steps : int
        Probes between the largest that held and the smallest that did not.

    Returns
    -------
    int or None
        None if not even a sixteenth of ``first`` holds.

    Examples
    --------
    >>> search(lambda n, s: n <= 7300, first=5000, probe_s=60, whole_s=600)
    7200
    """
    good, bad = 0, 0
    n = first
    while not bad or (not good and n > first // 16):
        if run(n, probe_s):
            good, n = n, _round(n * 1.5)
        else:
            bad, n = n, _round(n / 1.5)
        if good and bad:
            break
    if not good:
        return None
    for _ in range(steps):
        n = _round((good + bad) / 2)
        if n in (good, bad):
            break
        if run(n, probe_s):
            good = n
        else:
            bad = n
    while good > first // 16:
        if run(good, whole_s):
            return good
        good = _round(good * 0.9)
    return None


def _round(n: float) -> int:
    return max(50, round(n / 100) * 100)


def full(live: Live, *, probe_s: float = 60.0, whole_s: float = 600.0) -> list[LiveRow]:
    """Search the largest number that holds for ten minutes, for both lengths of chunks."""
    rows: list[LiveRow] = []
    for first, chunk_ms in LOADS:

        def run(patients: int, seconds: float, chunk_ms: int = chunk_ms) -> bool:
            live.say(
                f"through Apache Kafka: {patients:,} patients, chunks of {chunk_ms} ms, "
                f"{seconds:g} s"
            )
            try:
                row = live.run(patients, chunk_ms, seconds)
            except RuntimeError as error:
                live.say(f"  did not hold: {error}")
                return False
            rows.append(row)
            live.say(f"  held: {row.held}, p99 {row.p99_ms} ms {', '.join(row.why_not)}")
            return row.held

        search(run, first=first, probe_s=probe_s, whole_s=whole_s)
    return rows


def as_json(rows: list[LiveRow]) -> list[dict[str, Any]]:
    """Return the rows for the report."""
    return [asdict(row) for row in rows]

"""Which alarms recordings raise whose episodes are known: ``python -m benchmarks.episodes``.

Recordings go through ``Monitor`` and the alarm rules, with nobody acknowledging. Those of
the 2015 challenge each end at an alarm of a bedside monitor, of which people said whether it
was true; in vfdb people marked where ventricular rhythms begin and end.
"""

import argparse
import csv
import os
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track

from benchmarks.episodes_page import markdown
from benchmarks.figures import write_figures
from ecg.alarm_cycle import PatientAlarms
from ecg.annotation import RhythmStretch, read_annotations
from ecg.checkpoint import SHIPPED, load
from ecg.device import one_thread
from ecg.judge import Judge
from ecg.monitor import Monitor
from ecg.reader import read_record, record_names
from training.hearing import CHUNK_S, COMPANY, as_live
from training.page import put_between
from training.records import BEDSIDE, IN_BETWEEN, TACHYCARDIA

ALARM_AT_S, BEFORE_S, AFTER_S = 300.0, 10.0, 2.0
"""When the alarms of challenge2015 sound, how long before them what they are about happened by
the rules of the challenge, and how long after it we may take to say a beat's class."""

ANSWERS = {
    "Asystole": ("asystole",),
    "Bradycardia": ("extreme_brady",),
    "Tachycardia": ("extreme_tachy",),
    "Ventricular_Flutter_Fib": ("vf",),
    "Ventricular_Tachycardia": ("vt", "vf"),
}
"""Alarms of challenge2015 and those of ours that say the same. Where both hold, VF is announced in
place of VT."""

VENTRICULAR = ("vt", "vf")
"""Alarms that a stretch of ventricular tachycardia, flutter or fibrillation ought to raise."""
RHYTHMS = ("VT", "VFL", "VFIB")
"""Marks of such stretches."""
LONG_S = 5.0
"""Stretches this long must be alarmed."""
WARM_S = 30.0
"""VT is not alarmed before: the first seconds of a stream are for warming up."""
LATE_S = 5.0
"""An alarm raised so long after a stretch's end is still its own: ours are decided late."""
UNCLEAR = frozenset({*RHYTHMS, "NOISE", "VER", "HGEA", "ASYS"})
"""Rhythms of vfdb in which no alarm of ``VENTRICULAR`` is called false."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """From when to when an alarm's condition held, in s; ``raised_s`` is when it was said."""

    code: str
    raised_s: float
    end_s: float

    def overlaps(self, first_s: float, end_s: float) -> bool:
        """Return whether it was raised before ``end_s`` and held after ``first_s``."""
        return self.raised_s <= end_s and self.end_s >= first_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What a recording raised."""

    name: str
    fs: float
    n_samples: int
    holding: tuple[Holding, ...]


def watch(directory: Path, names: Sequence[str], judge: Judge | None) -> Iterator[Watched]:
    """Let recordings go through monitor and alarm rules, some at a time.

    Raises
    ------
    EcgError
        If a recording cannot be read or judged.
    """
    cuts = [names[start : start + COMPANY] for start in range(0, len(names), COMPANY)]
    for cut in track(cuts, directory.name, console=Console(stderr=True)):
        records = [read_record(directory / name) for name in cut]
        alarms = {record.name: PatientAlarms(record.name) for record in records}
        said: dict[str, list[Holding]] = defaultdict(list)
        since: dict[str, dict[str, float]] = {record.name: {} for record in records}
        rates = {record.name: record.fs for record in records}
        monitor = Monitor(judge)
        streams = [as_live(record, CHUNK_S) for record in records]
        with one_thread():
            while chunks := [c for one in streams if (c := next(one, None)) is not None]:
                for findings in monitor.advance(chunks):
                    now = since[findings.patient]
                    for event in alarms[findings.patient].fold(findings):
                        at_s = event.sample / rates[findings.patient]
                        if event.holds:
                            now.setdefault(event.code, at_s)
                        elif event.code in now:
                            held = Holding(
                                code=event.code, raised_s=now.pop(event.code), end_s=at_s
                            )
                            said[findings.patient].append(held)
        for record in records:
            end_s = record.n_samples / record.fs
            still = [
                Holding(code=code, raised_s=raised_s, end_s=max(end_s, raised_s))
                for code, raised_s in since[record.name].items()
            ]
            yield Watched(
                name=record.name,
                fs=record.fs,
                n_samples=record.n_samples,
                holding=(*said[record.name], *still),
            )


def bedside(directory: Path, judge: Judge | None) -> dict[str, dict[str, int]]:
    """Count alarms of bedside monitors by kind: the true, the false, and those that we raise too.

    Raises
    ------
    EcgError
        If a recording cannot be read or judged.
    OSError
        If ``ALARMS``, the list of them, is not there.
    """
    with (directory / "ALARMS").open(encoding="ascii", newline="") as lines:
        known = {name: (kind, true == "1") for name, kind, true in csv.reader(lines)}
    rows = {kind: Counter[str]() for kind in ANSWERS}
    for one in watch(directory, list(known), judge):
        kind, true = known[one.name]
        row = rows[kind]
        raised = any(
            held.code in ANSWERS[kind]
            and held.overlaps(ALARM_AT_S - BEFORE_S, ALARM_AT_S + AFTER_S)
            for held in one.holding
        )
        row["true"] += true
        row["false"] += not true
        row["true, raised"] += true and raised
        row["false, raised"] += raised and not true
    return {kind: dict(row) for kind, row in rows.items()}


def score(rows: dict[str, dict[str, int]]) -> float:
    """Return the score of the challenge: a true alarm that is not raised counts as five.

    Examples
    --------
    >>> score({"Asystole": {"true": 2, "true, raised": 1, "false": 3, "false, raised": 1}})
    0.3333333333333333
    """
    total = Counter[str]()
    for row in rows.values():
        total.update(row)
    missed = total["true"] - total["true, raised"]
    right = total["true, raised"] + total["false"] - total["false, raised"]
    return right / (right + total["false, raised"] + 5 * missed)


def ventricular(directory: Path, judge: Judge | None) -> dict[str, Any]:
    """Return how the marked ventricular rhythms of vfdb were alarmed, and what was elsewhere.

    Raises
    ------
    EcgError
        If a recording cannot be read or judged.
    """
    names = [n for n in record_names(directory) if f"{directory.name}/{n}" != IN_BETWEEN]
    rows: dict[str, dict[str, list[float]]] = {
        rhythm: {"long_s": [], "held_s": [], "delays_s": []} for rhythm in RHYTHMS
    }
    hours, held_s, false = 0.0, 0.0, Counter[str]()
    for one in watch(directory, names, judge):
        stretches = read_annotations(
            directory / one.name, fs=one.fs, n_samples=one.n_samples
        ).rhythms
        said = [held for held in one.holding if held.code in VENTRICULAR]
        for stretch in stretches:
            first_s, end_s = stretch.first_sample / one.fs, stretch.end_sample / one.fs
            if stretch.rhythm in RHYTHMS and end_s - first_s >= LONG_S and first_s >= WARM_S:
                row = rows[stretch.rhythm]
                row["long_s"].append(end_s - first_s)
                row["held_s"].append(_held_s(said, first_s, end_s))
                own = [h.raised_s for h in said if h.overlaps(first_s, end_s + LATE_S)]
                if own:
                    row["delays_s"].append(max(min(own) - first_s, 0.0))
        clear = [s for s in stretches if s.rhythm not in UNCLEAR]
        hours += sum(s.end_sample - s.first_sample for s in clear) / one.fs / 3600
        unclear = [s for s in stretches if s.rhythm in UNCLEAR]
        false.update(h.code for h in said if not _near(h, unclear, one.fs))
        # one that was raised rightly and goes on into another rhythm is false there
        held_s += sum(_held_s(said, *_away(s, unclear, one.fs)) for s in clear)
    return {
        "rhythms": {rhythm: _summed(**row) for rhythm, row in rows.items()},
        "elsewhere": {
            "hours": round(hours, 2),
            **{code: false[code] for code in VENTRICULAR},
            "held_s": round(held_s, 1),
        },
        "records": len(names),
    }


def _summed(
    long_s: list[float], held_s: list[float], delays_s: list[float]
) -> dict[str, float | None]:
    return {
        "stretches": len(long_s),
        "raised": len(delays_s),
        "delay_s": round(statistics.median(delays_s), 1) if delays_s else None,
        "held": round(sum(held_s) / sum(long_s), 4) if long_s else None,
    }


def _held_s(said: Sequence[Holding], first_s: float, end_s: float) -> float:
    """Return for how long any of the alarms held within a stretch."""
    held_s, until_s = 0.0, first_s
    for held in sorted(said, key=lambda one: one.raised_s):
        start_s = max(held.raised_s, until_s)
        stop_s = min(held.end_s, end_s)
        if stop_s > start_s:
            held_s += stop_s - start_s
            until_s = stop_s
    return held_s


def _near(held: Holding, stretches: Sequence[RhythmStretch], fs: float) -> bool:
    return any(
        held.overlaps(s.first_sample / fs - LATE_S, s.end_sample / fs + LATE_S) for s in stretches
    )


def _away(clear: RhythmStretch, unclear: Sequence[RhythmStretch], fs: float) -> tuple[float, float]:
    """Return from when to when a stretch is more than ``LATE_S`` from every unclear one, in s."""
    before = [s.end_sample for s in unclear if s.end_sample <= clear.first_sample]
    after = [s.first_sample for s in unclear if s.first_sample >= clear.end_sample]
    return (
        max([clear.first_sample / fs, *(sample / fs + LATE_S for sample in before)]),
        min([clear.end_sample / fs, *(sample / fs - LATE_S for sample in after)]),
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print tables, and write JSON and Markdown where asked."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.episodes")
    parser.add_argument("--data", type=Path, default=os.environ.get("RHYTHMWATCH_DATA"))
    parser.add_argument("--weights", type=Path, default=SHIPPED, help="the model")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--json", metavar="FILE", help="write the figures; - prints them")
    parser.add_argument("--markdown", metavar="PAGE", type=Path, help="write the tables")
    options = parser.parse_args(arguments)
    if options.data is None:
        parser.error(f"--data must name the folder of {BEDSIDE} and {TACHYCARDIA}")
    judge = load(options.weights, device=options.device)
    rows = bedside(options.data / BEDSIDE, judge)
    card = {
        "model": judge.version,
        "bedside": rows,
        "score": round(score(rows), 4),
        "ventricular": ventricular(options.data / TACHYCARDIA, judge),
    }
    Console(stderr=True).print(markdown(card), markup=False, highlight=False)
    if options.markdown is not None:
        put_between(options.markdown, markdown(card), name="episodes")
    write_figures(card, options.json)


if __name__ == "__main__":
    main()

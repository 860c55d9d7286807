"""The whole run: every part in turn, and one report."""

import importlib.util
import shutil
import statistics
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks import guard
from benchmarks.capacity import engine, limit, search, versus
from benchmarks.capacity.feed import Feed, data_dir, open_feed
from benchmarks.capacity.live import Live
from benchmarks.capacity.machine import Watch
from benchmarks.peers.names import BARE
from ecg.checkpoint import load
from ecg.warm import warm_up
from stream.errors import StreamError

PARTS = ("engine", "kafka", "peers")
REFERENCE = 1_000
"""Patients of the engine's row that the limit is computed for."""
Say = Callable[[str], None]


def missing(parts: Sequence[str]) -> list[str]:
    """Return what this machine lacks for ``parts``: packages and programs."""
    packages: set[str] = set()
    programs: set[str] = set()
    if {"kafka", "peers"} & set(parts):
        packages |= {"confluent_kafka"}
        programs |= {"java", "mvn"}
    if "peers" in parts:
        packages |= {"neurokit2", "quixstreams", "sleepecg"}
    absent = [name for name in sorted(packages) if importlib.util.find_spec(name) is None]
    return [*absent, *(name for name in sorted(programs) if shutil.which(name) is None)]


def make(
    *,
    quick: bool,
    parts: Sequence[str],
    data: Path | None,
    scorers: int,
    say: Say,
    hold_s: float = search.HOLD_S,
    rounds: int = 1,
) -> dict[str, Any]:
    """Measure and return the report.

    Parameters
    ----------
    quick : bool
        End within five minutes.
    parts : sequence of str
        Of ``PARTS``.
    data : Path or None
        Recordings; else where RHYTHMWATCH_DATA says, else simulated patients.
    scorers : int
        Scorer processes through Kafka.
    say : callable
        Hears what is being done.
    hold_s : float
        How long each load is held where ``quick``, in s.
    rounds : int
        How often ours and the peers run in turns.
    """
    say("the machine")
    torch.set_num_threads(1)
    watch = Watch()
    data = data_dir(data)
    feed = open_feed(data)
    report: dict[str, Any] = {
        "quick": quick,
        "hold_s": hold_s,
        "rounds": rounds,
        "input": feed.what,
    }
    measures: dict[str, Callable[[], dict[str, Any]]] = {
        "engine": lambda: _engine(feed, quick=quick, say=say),
        "kafka": lambda: _kafka(
            Live(data=data, scorers=scorers, say=say), quick=quick, hold_s=hold_s
        ),
        "peers": lambda: _peers(feed, data, quick=quick, rounds=rounds, say=say),
    }
    for part in (part for part in PARTS if part in parts):
        try:
            report.update(measures[part]())
        except (RuntimeError, StreamError, subprocess.SubprocessError) as error:
            # what the other parts have found is not to be lost with it
            say(f"  {part} failed: {error}")
            report.setdefault("failed", {})[part] = str(error)
        watch.look()
    report["limit"] = _limit(report, gflops=watch.gflops())
    if "flop_share" in report["limit"]:
        report["flop_share"] = report["limit"]["flop_share"]
    report["machine"] = watch.described()
    return report


def _engine(feed: Feed, *, quick: bool, say: Say) -> dict[str, Any]:
    judge = load(device="cpu")
    warm_up(judge)
    return {"engine": engine.measured(feed, judge, quick=quick, on_row=say)}


def _kafka(live: Live, *, quick: bool, hold_s: float) -> dict[str, Any]:
    rows = search.as_json(search.quick(live, hold_s=hold_s) if quick else search.full(live))
    return {"kafka": rows, "stages": stages(rows) if rows else {}}


def stages(rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Return the share of each stage in the scorers' CPU time, for the first kind of load."""
    same = [row for row in rows if row["chunk_ms"] == rows[0]["chunk_ms"]]
    # the longest is the one that counts; of equals the last
    found = sorted(same, key=lambda row: float(row["seconds"]))[-1]["stages"]
    whole = sum(found.values())
    return {stage: round(cpu / whole, 4) for stage, cpu in found.items()} if whole else {}


def _peers(feed: Feed, data: Path | None, *, quick: bool, rounds: int, say: Say) -> dict[str, Any]:
    say("ours and others on one backlog")
    with tempfile.TemporaryFile("w+", encoding="utf-8") as log:
        try:
            found = versus.Versus(
                feed=feed, data=data, quick=quick, rounds=rounds, say=say
            ).measure(log)
        except RuntimeError as error:
            log.seek(0)
            raise RuntimeError(f"{error}\n{log.read()[-3000:]}") from error
    ratios = versus.compared(found)
    return {
        "peers": {name: round(one.ratio, 3) for name, one in ratios.items()},
        "peer_intervals": {
            name: [round(one.low, 3), round(one.high, 3)] for name, one in ratios.items()
        },
        "peer_runs": {name: [round(run, 1) for run in runs] for name, runs in found.items()},
    }


def _limit(report: dict[str, Any], *, gflops: float) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for row in report.get("engine", ()):
        if row["patients"] == REFERENCE:
            found |= limit.shares(limit.shipped(), row, gflops=gflops)
    # the bare consumer reads chunks of 250 ms
    row = guard.largest_held(report, chunk_ms=250)
    if "peer_runs" in report and row is not None:
        bare = statistics.median(report["peer_runs"][BARE])
        found["bare_consumer_mb_per_s"] = round(bare * row["mb_per_s"] / row["patients"], 1)
        found["bytes_patients"] = row["patients"]
        found["bytes_share"] = round(row["patients"] / bare, 4)
    return found

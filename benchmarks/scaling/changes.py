"""What it costs the patients concerned that a scorer joins, leaves or is killed."""

import multiprocessing
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from benchmarks.scaling.latency import Listener, Seen, latencies, settle
from benchmarks.scaling.scorers import PARTITIONS, fresh, scorers, send, start_scorer
from stream.health import unwatched
from stream.kafka import Cluster, partition_for

AFTER_S = 20.0
"""So long after a change latencies are counted to it; who is silent since has waited as long."""
GOALS_S: dict[str, float] = {"joins": 5.0, "leaves": 5.0, "killed": 12.0}
"""Added latency that a change may cost; a session of the consumer group lasts 6 s."""

What = Literal["joins", "leaves", "killed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a change of the group costs the patients whose partition moved."""

    what: What
    patients: int
    added_p50_s: float | None
    added_p99_s: float | None
    """Of each patient the longest latency after the change, less the usual one."""
    goal_s: float
    held: bool | None


def changes(
    cluster: Cluster, *, patients: int, steady_s: float, say: Callable[[str], None]
) -> tuple[float, float, list[Change]]:
    """Measure joining, leaving and killing; return usual p50 and p99 latency and the changes."""
    own = fresh(cluster)
    spawn = multiprocessing.get_context("spawn")
    live = spawn.Process(target=send, args=(own, patients, 250), kwargs={"live": True}, daemon=True)
    with scorers(own, 2) as running:
        listener = Listener(own)
        try:
            wait_for_group(own)
            live.start()
            say("two scorers have joined; waiting until everybody is judged in time")
            settle(listener, patients)
            began = time.monotonic()
            time.sleep(steady_s)
            usual = latencies(listener.seen, began, time.monotonic())
            p50, p99 = (float(np.percentile(usual, q)) for q in (50, 99))
            found = []
            for what in ("joins", "leaves", "killed"):
                say(f"a scorer {what}" if what != "killed" else "a scorer is killed")
                at = time.monotonic()
                moves = len(listener.seen.moved)
                match what:
                    case "joins":
                        running.append(start_scorer(own))
                    case "leaves":
                        running[-1].send_signal(signal.SIGTERM)
                    case _:
                        running[0].kill()
                while len(listener.seen.moved) == moves and time.monotonic() < at + 60:
                    time.sleep(0.1)
                time.sleep(AFTER_S)
                found.append(change(listener.seen, what, at=at, moves=moves, usual_s=p50))
            return p50, p99, found
        finally:
            listener.close()
            if live.is_alive():
                live.kill()
                live.join()


def wait_for_group(cluster: Cluster) -> None:
    """Wait until every partition is watched."""
    deadline = time.monotonic() + 120
    while unwatched(cluster, "score"):
        if time.monotonic() > deadline:
            raise RuntimeError("the scorers have not joined within 2 minutes")
        time.sleep(0.5)


def change(seen: Seen, what: What, *, at: float, moves: int, usual_s: float) -> Change:
    """Return what a change cost the patients whose partition was taken over."""
    taken: dict[int, float] = {}
    for taken_s, partition in seen.moved[moves:]:
        taken.setdefault(partition, taken_s)
    longest: dict[str, float] = {}
    silent: set[str] = set()
    for heard_s, latency, patient in zip(seen.heard_s, seen.latency_s, seen.patient, strict=False):
        since_s = taken.get(partition_for(patient, PARTITIONS))
        if since_s is None:
            continue
        if heard_s >= at:
            longest[patient] = max(longest.get(patient, 0.0), latency - usual_s)
        if heard_s > since_s:
            silent.discard(patient)
        else:
            silent.add(patient)
    for patient in silent:
        longest[patient] = max(longest.get(patient, 0.0), AFTER_S)
    added = list(longest.values())
    p99 = float(np.percentile(added, 99)) if added else None
    return Change(
        what=what,
        patients=len(added),
        added_p50_s=float(np.median(added)) if added else None,
        added_p99_s=p99,
        goal_s=GOALS_S[what],
        held=None if p99 is None else p99 <= GOALS_S[what],
    )

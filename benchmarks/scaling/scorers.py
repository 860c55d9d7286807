"""Scorers as a user starts them, topics of their own, and the patients whom they judge."""

import contextlib
import os
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

from stream.broker import die_with_parent
from stream.kafka import Cluster, create_topics
from stream.replay import run_replay
from stream.sources import simulated_sources
from stream.topics import TOPICS

PARTITIONS = 8
FS = 250.0


def start_scorer(cluster: Cluster) -> "subprocess.Popen[bytes]":
    """Start ``rhythmwatch score`` as a user does."""
    return subprocess.Popen(
        [sys.executable, "-m", "rhythmwatch", "--log-level", "ERROR", "score", "--device", "cpu"],
        env={
            **os.environ,
            "OMP_NUM_THREADS": "1",
            "RHYTHMWATCH_BOOTSTRAP": cluster.bootstrap,
            "RHYTHMWATCH_PREFIX": cluster.prefix,
        },
        preexec_fn=die_with_parent,
    )


@contextlib.contextmanager
def scorers(cluster: Cluster, number: int) -> "Iterator[list[subprocess.Popen[bytes]]]":
    """Run scorers, and end those that are left."""
    running = [start_scorer(cluster) for _ in range(number)]
    try:
        yield running
    finally:
        for one in running:
            one.kill()
        for one in running:
            one.wait()


def fresh(cluster: Cluster) -> Cluster:
    """Return the cluster with topics that nobody else uses."""
    own = Cluster(cluster.bootstrap, prefix=f"bench-{uuid.uuid4().hex[:6]}.")
    create_topics(own, TOPICS, partitions=PARTITIONS, replication=3)
    return own


def send(cluster: Cluster, patients: int, chunk_ms: int, *, live: bool) -> None:
    """Send simulated patients: once as fast as it goes, or live until killed."""
    run_replay(
        cluster=cluster,
        sources=simulated_sources(patients, fs=FS),
        stop=threading.Event(),
        speed=1.0 if live else None,
        loop=live,
        chunk_ms=chunk_ms,
    )


def cpu_s(process: "subprocess.Popen[bytes]") -> float:
    """Return the CPU time of a process, in s."""
    stat = Path(f"/proc/{process.pid}/stat").read_text(encoding="ascii", errors="replace")
    words = stat.rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")

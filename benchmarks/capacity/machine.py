"""The machine: what it is, how fast it multiplies matrices now, and who else is at work."""

import contextlib
import importlib.metadata
import os
import platform
import statistics
import time
from dataclasses import dataclass
from pathlib import Path

import torch

from benchmarks.apache import server
from ecg.device import choose_device, describe

SIDE = 1024
"""Rows and columns of the matrices multiplied: large enough for the core's peak."""
REPEATS = 15
BUSY = 0.3
"""Share of the cores that others may use before a machine is called busy."""
LIBRARIES = (
    *("torch", "numpy", "scipy", "numba", "msgspec", "kafka-python"),
    *("confluent-kafka", "wfdb", "neurokit2", "quixstreams", "sleepecg"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticks:
    """CPU time of the machine and of its cores, in s since it was started."""

    used_s: float
    """Of all processes together."""
    at_s: float


def matmul_gflops(*, side: int = SIDE, repeats: int = REPEATS) -> float:
    """Return the peak of one core at multiplying float32 matrices, in GFLOP/s.

    The fastest of several: the others were disturbed.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    a, b = torch.rand(side, side), torch.rand(side, side)
    best = float("inf")
    try:
        for _ in range(repeats):
            began = time.perf_counter()
            torch.mm(a, b)
            best = min(best, time.perf_counter() - began)
    finally:
        torch.set_num_threads(threads)
    return 2 * side**3 / best / 1e9


def ticks() -> Ticks:
    """Return the CPU time that everybody on this machine has used so far."""
    fields = Path("/proc/stat").read_text(encoding="ascii").splitlines()[0].split()[1:]
    user, nice, system, _idle, _wait, irq, softirq = (int(field) for field in fields[:7])
    used = user + nice + system + irq + softirq
    return Ticks(used_s=used / os.sysconf("SC_CLK_TCK"), at_s=time.monotonic())


def own_cpu_s() -> float:
    """Return the CPU time of this process and of its children that have ended, in s."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def process_cpu_s(pid: int) -> float:
    """Return the CPU time of another process, all its threads together, in s; 0 if it is gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return 0.0
    # "pid (name) state ppid ...", where the name may hold anything
    fields = stat.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_kb() -> float:
    """Return the memory of this process that is in use, in kB of 1,000 bytes."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1000


def cpu_model() -> str:
    """Return what the processor calls itself."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def versions() -> dict[str, str]:
    """Return the versions of what the figures rest on."""
    found = {"python": platform.python_version()}
    for name in LIBRARIES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    found["Apache Kafka"] = server.version()
    return found


def idle_check(seconds: float = 2.0) -> float:
    """Return how many cores others use while we do nothing for ``seconds``."""
    began, own = ticks(), own_cpu_s()
    time.sleep(seconds)
    now = ticks()
    return max(0.0, now.used_s - began.used_s - (own_cpu_s() - own)) / (now.at_s - began.at_s)


class Watch:
    """Describes the machine: made before the measurements, asked after them."""

    def __init__(self) -> None:
        self._load_before = os.getloadavg()[0]
        self._others = [idle_check()]
        self._gflops = [matmul_gflops()]
        self._loads: list[float] = []

    def look(self) -> None:
        """Look again, between two measurements."""
        self._others.append(idle_check(1.0))
        self._loads.append(os.getloadavg()[0])
        self._gflops.append(matmul_gflops(repeats=5))

    def gflops(self) -> float:
        """Return the highest peak seen so far: what the core can do when it is left alone."""
        return max(self._gflops)

    def described(self) -> dict[str, object]:
        """Return the machine for the report; ``busy`` where others were at work as well."""
        cores = os.cpu_count() or 1
        others = statistics.mean(self._others)
        return {
            "cpu": cpu_model(),
            "cores": cores,
            "matmul_gflops": round(self.gflops(), 1),
            "load": round(self._load_before, 2),
            "load_during": [round(load, 2) for load in self._loads],
            "cores_used_by_others": round(others, 2),
            "busy": others > BUSY * cores,
            "models": describe(choose_device("auto")),
            "versions": versions(),
        }

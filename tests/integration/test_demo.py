"""The demo, as a person runs it: one command, every role, and nothing left behind."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


def start(folder: Path, *options: str) -> subprocess.Popen[str]:
    """Start the demo in a session of its own, so that all that it starts can be found."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("RHYTHMWATCH_")}
    return subprocess.Popen(
        [sys.executable, "-m", "rhythmwatch", "demo", *options],
        cwd=folder,
        env={**kept, "PYTHONPATH": str(ROOT), MARK: str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


MARK = "DEMO_UNDER_TEST"
"""Every process inherits this variable, so that none can hide."""


def marked(folder: Path) -> dict[int, str]:
    """Return id and command line of all running processes that the demo of ``folder`` started."""
    found = {}
    wanted = f"{MARK}={folder}".encode()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if wanted in (entry / "environ").read_bytes().split(b"\0"):
                    words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                    found[int(entry.name)] = words
            except OSError:
                continue  # it ended while we looked
    return found


@pytest.fixture
def leaves_nothing(tmp_path: Path) -> Iterator[None]:
    if not Path("/proc/self/environ").exists():
        pytest.skip("processes are looked up in /proc")
    yield
    assert marked(tmp_path) == {}


def of(figures: dict[str, Any], patient: str, code: str) -> list[dict[str, Any]]:
    return [a for a in figures["alarms"] if (a["patient"], a["code"]) == (patient, code)]


def check(figures: dict[str, Any]) -> None:
    """Check what is true of a run of any length."""
    assert list(figures) == [
        "patients", "samples", "beats", "alarms", "webhooks", "latency_ms", "delay_s", "orphans"
    ]  # fmt: skip
    assert len(figures["patients"]) == 2
    assert figures["beats"]["N"] > 0
    assert figures["beats"]["V"] > 0
    events = len(figures["alarms"])
    assert events > 0
    assert figures["webhooks"] == {"delivered": events, "verified": events, "failed": 0}
    assert figures["delay_s"]["max"] <= 2.0
    assert 0 < figures["latency_ms"]["p50"] <= figures["latency_ms"]["p95"]
    assert figures["orphans"] == 0


@pytest.mark.timeout(170)
@pytest.mark.usefixtures("leaves_nothing")
def test_headless_demo_writes_what_happened(tmp_path: Path) -> None:
    process = start(tmp_path, "--headless", "--seconds", "45", "--json", "-")
    printed, said = process.communicate(timeout=160)
    assert process.returncode == 0, said
    check(json.loads(printed))
    assert "Traceback" not in said
    assert "webhook verified" in said


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.usefixtures("leaves_nothing")
def test_long_demo_raises_every_alarm_of_the_simulated_patient(tmp_path: Path) -> None:
    process = start(tmp_path, "--headless", "--seconds", "150", "--json", "out.json")
    _, said = process.communicate(timeout=380)
    assert process.returncode == 0, said
    figures = json.loads((tmp_path / "out.json").read_text())
    check(figures)
    simulated, recorded = sorted(figures["patients"], key=lambda name: "sim" not in name)
    for code in ("vt", "asystole", "lead_off"):
        assert of(figures, simulated, code), code
    assert of(figures, recorded, "v_per_min")
    assert figures["latency_ms"]["p95"] < 1500


def read_until(process: subprocess.Popen[str], words: str) -> str:
    """Return what the demo said up to a line with these words; fail when it ends before."""
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        said.append(line)
        if words in line:
            return "".join(said)
    raise AssertionError(f"{words!r} was never said:\n{''.join(said)}")


@pytest.mark.timeout(170)
@pytest.mark.usefixtures("leaves_nothing")
def test_demo_starts_a_killed_role_again_and_ctrl_c_ends_all_within_five_seconds(
    tmp_path: Path,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = start(tmp_path, "--port", str(port))
        try:
            said = read_until(process, "ECG comes in")
            assert f"Port {port} is taken" in said
            assert f"http://127.0.0.1:{port}\n" not in said
            running = marked(tmp_path)
            for role in ("score", "alarm", "notify", "dashboard", "tansu"):
                assert any(role in command for command in running.values()), role
            notify = next(pid for pid, words in running.items() if words.endswith(" notify "))
            os.kill(notify, signal.SIGKILL)
            read_until(process, "notify ended with SIGKILL, starting it again")
            began = time.monotonic()
            process.send_signal(signal.SIGINT)
            process.wait(timeout=20)
            assert time.monotonic() - began < 5.0
            assert process.returncode == 0
        finally:
            process.kill()
            process.communicate()

"""The receivers of docs/guides/webhooks.md, run as they are printed there."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import playwright
import pytest

from stream.broker import free_port
from stream.endpoint import Endpoint, new_secret
from stream.webhook import Poster
from tests.stream.alarms import body

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "webhooks.md"
SECRET = new_secret()


def example(language: str) -> str:
    blocks = re.findall(rf"^```{language}\n(.*?)^```", GUIDE.read_text(), flags=re.M | re.S)
    assert len(blocks) == 1
    return str(blocks[0])


@contextmanager
def running(command: list[str], port: int) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        [*command, str(port)],
        env=os.environ | {"WEBHOOK_SECRET": SECRET},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        deadline = time.monotonic() + 20
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        yield process
    finally:
        process.kill()
        process.wait()


def node() -> str:
    """Return Node: the system's, else the one that Playwright runs on."""
    own = Path(playwright.__file__).parent / "driver" / "node"
    return shutil.which("node") or str(own)


def post(port: int, *secrets: str) -> str:
    endpoint = Endpoint(
        name="guide", url=f"http://127.0.0.1:{port}/", secrets=secrets, allow_private=True
    )
    return Poster(endpoint).post("a1.1", body(), now_ns=time.time_ns()).detail


@pytest.mark.parametrize("language", ["python", "javascript"])
def test_receiver_of_the_guide_verifies_and_drops_repeats(language: str, tmp_path: Path) -> None:
    if language == "python":
        file, program = tmp_path / "receiver.py", sys.executable
    else:
        file, program = tmp_path / "receiver.mjs", node()
    file.write_text(example(language))
    port = free_port()
    with running([program, str(file)], port) as process:
        assert post(port, new_secret()) == "status 401"
        assert post(port, SECRET) == "status 204"
        assert post(port, SECRET) == "status 204"
        assert post(port, new_secret(), SECRET) == "status 204"
        process.kill()
        assert process.stdout is not None
        said = [line for line in process.stdout if not line.startswith("refused")]
        process.stdout.close()
    assert said == ["high p1 VT 180 > 100 — 5 V raised\n"]

"""The front door: help, errors and exit statuses, as a person at a terminal meets them."""

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

import rhythmwatch
from stream.settings import Settings
from tests import commandline

ROOT = Path(__file__).parents[1]


def run(
    arguments: Sequence[str], *, folder: Path, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run the command in an empty folder, without the settings of whoever runs the tests."""
    return subprocess.run(
        [sys.executable, "-m", "rhythmwatch", *arguments],
        cwd=folder,
        env=environment(**variables),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def environment(**variables: str) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("RHYTHMWATCH_")}
    return {**kept, "PYTHONPATH": str(ROOT), "NO_COLOR": "1", "COLUMNS": "100", **variables}


def test_every_promised_command_is_there() -> None:
    promised = set(
        "demo replay simulate score alarm notify dashboard topics train evaluate records".split()
    )
    assert promised <= {words[0] for words in commandline.commands()}


@pytest.mark.parametrize("words", commandline.commands(), ids=" ".join)
def test_help_says_what_a_command_does_with_an_example(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    commandline.check([*words, "--help"])
    said = capsys.readouterr().out
    assert f"rhythmwatch {' '.join(words)}" in said
    assert "Examples" in said
    if words == ("notify",):
        assert "[[endpoints]]" in said
    examples = [
        line.strip() for line in said.splitlines() if line.strip().startswith("rhythmwatch ")
    ]
    assert examples
    for example in examples:
        commandline.check(shlex.split(example)[1:])


@pytest.mark.parametrize(
    "wrong",
    [["topic"], ["topics", "--partition", "3"], ["topics", "--partitions", "many"], ["--set", "x"]],
)
def test_wrong_command_lines_are_refused(wrong: list[str]) -> None:
    with pytest.raises(Exception, match=r"(?i)no such|valid integer"):
        commandline.check(wrong)


def test_help_is_there_at_once_because_no_package_is_imported(tmp_path: Path) -> None:
    heavy = {"torch", "numba", "numpy", "kafka", "streamlit", "pydantic"}
    code = "import sys, rhythmwatch; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout.split()
    assert not heavy & set(loaded)
    assert run(["--help"], folder=tmp_path).returncode == 0


def test_wrong_setting_is_one_message_and_status_2(tmp_path: Path) -> None:
    done = run(["topics"], folder=tmp_path, RHYTHMWATCH_PARTITIONS="many")
    assert done.returncode == 2
    assert "partitions = 'many' (RHYTHMWATCH_PARTITIONS)" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture(scope="module")
def odd_records(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with records that cannot be replayed."""
    folder = tmp_path_factory.mktemp("odd")
    (folder / "x.dat").write_bytes(bytes(1000))
    (folder / "long.hea").write_text(f"long 1 360 {10**15}\nx.dat 16 200 16 0 0 0 0 II\n")
    (folder / "self.hea").write_text("self/1 1 360 500\nself 500\n")
    (folder / "RECORDS").write_bytes(b"\xff\n")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        ("demo --headless --json no/folder.json", 2, "no figures can be written"),
        ("score --metrics-port 99999", 2, "--metrics-port"),
        ("simulate --seed -1", 2, "--seed"),
        ("train --seed -1", 2, "--seed"),
        ("train --out {odd}", 1, "is a folder"),
        ("train --data {odd} --databases 'mitdb, svdb'", 1, "no mitdb in"),
        ("topics --bootstrap 127.0.0.1", 2, "--bootstrap cannot be used"),
        ("dashboard --bootstrap broker", 2, "--bootstrap cannot be used"),
        ("replay --stream-id a/b", 2, "a stream id is"),
        ("replay {odd}", 1, "none of the 2 records"),
        ("archive --to {odd}", 1, "did not write"),
        ("search --json {odd}", 1, "is a folder: name a file"),
        ("ablate --page {odd}", 1, "is a folder: name a file"),
        ("replay /etc/hostname/x", 1, "no record"),
    ],
)
def test_what_cannot_be_done_is_a_message(
    tmp_path: Path, odd_records: Path, words: str, status: int, said: str
) -> None:
    done = run(shlex.split(words.format(odd=odd_records)), folder=tmp_path)
    assert done.returncode == status, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("role", ["score", "archive"])
def test_health_says_that_a_role_watches(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], role: str
) -> None:
    monkeypatch.setattr(rhythmwatch.Door, "enter", lambda *_: Settings())
    monkeypatch.setattr("stream.health.unwatched", lambda *_, **__: frozenset())
    rhythmwatch.app(["health", role], standalone_mode=False)
    assert capsys.readouterr().out == f"{role} watches every partition\n"


def test_what_the_system_refuses_is_a_message(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(**given: object) -> None:
        raise PermissionError(13, "Permission denied", "kept/x")

    monkeypatch.setattr(rhythmwatch, "app", refuse)
    with pytest.raises(SystemExit) as ended:
        rhythmwatch.main()
    assert ended.value.code == 1
    assert "Permission denied: 'kept/x'" in capsys.readouterr().err


def test_topics_say_what_is_kept_only_of_those_that_were_created(
    tmp_path: Path, embedded_bootstrap: str
) -> None:
    words = ["topics", "--bootstrap", embedded_bootstrap]
    prefix = "test-commandline."
    first = run(words, folder=tmp_path, RHYTHMWATCH_PREFIX=prefix).stdout.splitlines()
    assert "ecg.waveforms      8 partitions  created, keeps 24 h" in first
    hours = {"RHYTHMWATCH_RETENTION_HOURS": '{"waveforms": 720}', "RHYTHMWATCH_PREFIX": prefix}
    second = run(words, folder=tmp_path, **hours).stdout.splitlines()
    assert all(line.endswith("was there, and keeps what it was created to keep") for line in second)


def test_settings_file_is_named_in_its_error(tmp_path: Path) -> None:
    done = run(["--settings", "nowhere.toml", "topics"], folder=tmp_path)
    assert done.returncode == 2
    assert "nowhere.toml cannot be read" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_role_waits_for_its_broker_and_ends_when_asked(
    tmp_path: Path, number: signal.Signals
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "rhythmwatch", "topics", "--bootstrap", "127.0.0.1:1"],
        cwd=tmp_path,
        env=environment(),
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        assert "waiting for the broker at 127.0.0.1:1" in process.stderr.readline()
        process.send_signal(number)
        assert process.wait(timeout=10) == 130
    finally:
        process.kill()
        process.communicate()

"""Documentation: every command and setting in it works, every link leads somewhere."""

import re
import shlex
from pathlib import Path

import pytest

from stream import settings
from tests import commandline

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))

NAMES = commandline.commands()
"""What a page may say without arguments, naming a command."""
OTHERS = {"pre-commit", "export", "python", "node", "npm"}
"""Programs of others that a reader is told to start."""


def blocks(page: Path, language: str) -> list[str]:
    found: list[str] = re.findall(
        rf"^```{language}\n(.*?)^```", page.read_text(), flags=re.MULTILINE | re.DOTALL
    )
    return found


def typed_lines(page: Path) -> list[list[str]]:
    """Return what a reader is told to type, in blocks and in passing, word by word."""
    lines = [
        line.removeprefix("$ ")
        for block in blocks(page, "console")
        for line in block.splitlines()
        if line.startswith("$ ")
    ]
    passing = re.findall(r"`((?:\S*/)?rhythmwatch [a-z][^`]*|make [a-z-]+)`", page.read_text())
    return [shlex.split(line) for line in (*lines, *passing)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_line_is_accepted(page: Path) -> None:
    for words in typed_lines(page):
        while "=" in words[0]:  # a variable set for the one command
            words = words[1:]
        program = Path(words[0]).name
        if program == "make":
            assert set(words[1:]) <= TARGETS, words
        elif program == "rhythmwatch" and tuple(words[1:]) not in NAMES:
            commandline.check(words[1:])
        else:
            assert program in {"rhythmwatch", *OTHERS}, f"no test knows {program}: {words}"


def test_command_lines_are_found() -> None:
    assert ["make", "demo"] in typed_lines(ROOT / "README.md")
    assert ["rhythmwatch", "demo"] in typed_lines(ROOT / "README.md")


def test_settings_in_the_guide_are_accepted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in settings.Settings.model_fields:
        monkeypatch.delenv(settings.PREFIX + name.upper(), raising=False)
    examples = blocks(ROOT / "docs" / "guides" / "quickstart.md", "toml")
    assert examples
    for number, text in enumerate(examples):
        path = tmp_path / f"{number}.toml"
        path.write_text(text)
        settings.load(path)


def test_every_command_is_in_the_table_of_commands() -> None:
    rows = re.findall(r"^\| (`rhythmwatch .*?) \|", (ROOT / "README.md").read_text(), re.MULTILINE)
    listed = " ".join(rows).replace("`", "").replace(",", "")
    for words in NAMES:
        assert f" {' '.join(words)}" in listed


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_to_a_file_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        if not target.startswith(("http://", "https://")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_every_page_is_reached_from_the_index() -> None:
    index = (ROOT / "docs" / "index.md").read_text()
    for page in sorted((ROOT / "docs").rglob("*.md")):
        if page.name != "index.md":
            assert str(page.relative_to(ROOT / "docs")) in index

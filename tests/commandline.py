"""Check a command line without running it."""

from collections.abc import Iterator, Sequence
from unittest import mock

import typer
from typer.core import TyperCommand, TyperGroup

import rhythmwatch


def commands() -> list[tuple[str, ...]]:
    """Return every command by its words: ``("score",)``, ``("records", "list")``."""
    return list(_within((), typer.main.get_command(rhythmwatch.app)))


def _within(words: tuple[str, ...], command: object) -> Iterator[tuple[str, ...]]:
    if isinstance(command, TyperGroup):
        for name, inner in command.commands.items():
            yield from _within((*words, name), inner)
    else:
        yield words


def check(arguments: Sequence[str]) -> None:
    """Parse the arguments as ``rhythmwatch`` does, and raise what it would say of wrong ones.

    Nothing is run, so brokers and records need not be there.
    """
    command = typer.main.get_command(rhythmwatch.app)
    with mock.patch.object(TyperCommand, "invoke"):
        command.main(list(arguments), prog_name="rhythmwatch", standalone_mode=False)

"""A flood of one kind of lines must not fill the disk, hide other lines, or end in silence."""

import logging
from collections.abc import Iterator
from typing import Protocol

import pytest

from stream.logs import WITHIN_S, Lines, Sparing


class _Log(Protocol):
    """Logs at a time."""

    def __call__(
        self, at_s: float, level: int, template: str, *arguments: object, record: str | None = None
    ) -> None: ...


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[_Log, list[str]]]:
    """Yield a function that logs, and the list of the lines that come out."""
    lines: list[str] = []

    class _Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(self.format(record))

    handler = _Kept()
    handler.setFormatter(Lines("%(message)s"))
    handler.addFilter(Sparing(most=3))
    logger = logging.getLogger("test_logs")
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)

    def log(
        at_s: float, level: int, template: str, *arguments: object, record: str | None = None
    ) -> None:
        monkeypatch.setattr("stream.logs.time.monotonic", lambda: at_s)
        logger.log(level, template, *arguments, extra={"record": record})

    yield log, lines
    logger.removeHandler(handler)


def test_a_flood_is_cut_and_what_was_left_out_is_counted(shown: tuple[_Log, list[str]]) -> None:
    log, lines = shown
    for k in range(500):
        log(k / 100, logging.WARNING, "gave up %s: %s", k, "100 % wrong")
    log(WITHIN_S + 1, logging.WARNING, "gave up %s: %s", 500, "again")

    assert lines == [
        "gave up 0: 100 % wrong",
        "gave up 1: 100 % wrong",
        "gave up 2: 100 % wrong (more like this are left out for a minute)",
        "gave up 500: again (497 more like this were left out)",
    ]


def test_other_lines_and_what_is_no_warning_are_shown_meanwhile(
    shown: tuple[_Log, list[str]],
) -> None:
    log, lines = shown
    for k in range(10):
        log(0.0, logging.WARNING, "gave up %s", k)
    log(0.0, logging.ERROR, "the disk is full")
    for k in range(10):
        log(0.0, logging.INFO, "patient %s is new", k)

    assert lines[3] == "the disk is full"
    assert lines[4:] == [f"patient {k} is new" for k in range(10)]


def test_a_line_says_where_its_message_stood(shown: tuple[_Log, list[str]]) -> None:
    log, lines = shown
    log(0.0, logging.WARNING, "gave up", record="ecg.waveforms[3]@17")

    assert lines == ["gave up record=ecg.waveforms[3]@17"]

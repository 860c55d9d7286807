"""Work in other processes: results, news, errors, and death that nobody waits for."""

import os
import signal

import pytest

from training.errors import ProcessDiedError
from training.processes import Tell, run_apart


def dies_before_it_answers(_: object, __: Tell) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def doubled(task: int, tell: Tell) -> int:
    tell(f"about {task}")
    return 2 * task


def refused(task: int, _: Tell) -> int:
    raise ValueError(f"no {task}")


def test_a_process_that_dies_is_an_error_at_once() -> None:
    with pytest.raises(ProcessDiedError, match="start the same command again to go on"):
        run_apart(dies_before_it_answers, [1])


def test_a_process_that_dies_before_it_reads_its_task_is_an_error_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("training.processes._work", os._exit)  # no process can start with it
    large = 1 << 80_000_000  # more than a pipe takes unread
    with pytest.raises(ProcessDiedError, match="ended with status 1 before"):
        run_apart(doubled, [large])


def test_results_are_in_order_and_news_and_errors_arrive() -> None:
    heard: list[tuple[int, object]] = []
    assert run_apart(doubled, [3, 4, 5], on_news=lambda k, n: heard.append((k, n))) == [6, 8, 10]
    assert sorted(heard) == [(0, "about 3"), (1, "about 4"), (2, "about 5")]
    with pytest.raises(ValueError, match="no 1"):
        run_apart(refused, [1])


def test_calls_are_made_here_when_no_process_is_allowed() -> None:
    heard: list[tuple[int, object]] = []
    tell = lambda k, news: heard.append((k, news))  # noqa: E731  # one line says it
    assert run_apart(doubled, [3, 4], processes=0, on_news=tell) == [6, 8]
    assert heard == [(0, "about 3"), (1, "about 4")]

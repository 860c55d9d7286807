"""Work in processes of its own, some at a time, whose death is an error at once.

A task goes to its process through a pipe that only the two hold: a process that
dies, however early, closes it, and neither side can wait for the other for ever.
"""

import multiprocessing
import pickle
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, TypeVar, cast

from training.errors import ProcessDiedError

PROCESSES = 2
"""Processes at a time unless told otherwise; each takes one core."""

Task = TypeVar("Task")
Result = TypeVar("Result")
Tell = Callable[[object], None]
"""What a process calls with its news."""


def run_apart(
    function: Callable[[Task, Tell], Result],
    tasks: Sequence[Task],
    *,
    processes: int = PROCESSES,
    on_news: Callable[[int, object], None] | None = None,
) -> list[Result]:
    """Call ``function`` with each task, each call in a process of its own.

    Parameters
    ----------
    function : callable
        Of a module, so that another process can import it. It is given a task
        and what to call with news.
    tasks : sequence
        Small: paths, not data.
    processes : int
        Calls at a time; with 0 they are made in this process, one after the other.
    on_news : callable, optional
        Told the task's position and the news.

    Returns
    -------
    list
        The results in the order of ``tasks``.

    Raises
    ------
    ProcessDiedError
        If a process ends without a result; the others are ended.
    Exception
        What ``function`` raised, likewise.
    """
    if processes == 0:
        tell = on_news or (lambda *_: None)
        return [function(task, partial(tell, k)) for k, task in enumerate(tasks)]
    spawn = multiprocessing.get_context("spawn")  # a fork of a process with threads may hang
    waiting = list(enumerate(tasks))[::-1]
    running: dict[Connection, tuple[int, BaseProcess]] = {}
    results: dict[int, Result] = {}
    try:
        while waiting or running:
            while waiting and len(running) < processes:
                k, task = waiting.pop()
                here, there = spawn.Pipe()
                process: BaseProcess = spawn.Process(target=_work, args=(there,), daemon=True)
                process.start()
                there.close()
                running[here] = (k, process)
                _send(here, process, (function, task))
            for ready in cast(list[Connection], wait(list(running))):
                k, its = running[ready]
                kind, value = _receive(ready, its)
                if kind == "failed":
                    raise value
                if kind == "news":
                    if on_news is not None:
                        on_news(k, value)
                    continue
                results[k] = value
                del running[ready]
                ready.close()
                its.join()
    finally:
        for connection, (_, process) in running.items():
            process.kill()
            process.join()
            connection.close()
    return [results[k] for k in range(len(tasks))]


def _work(connection: Connection) -> None:
    function, task = connection.recv()
    with suppress(BrokenPipeError):  # nobody is left who waits for this work
        _answer(connection, function, task)


def _answer(connection: Connection, function: Callable[[Task, Tell], object], task: Task) -> None:
    try:
        result = function(task, lambda news: connection.send(("news", news)))
    except BrokenPipeError:
        raise
    except Exception as error:
        try:
            connection.send(("failed", error))
        except (pickle.PicklingError, TypeError, AttributeError):
            connection.send(("failed", RuntimeError(f"{type(error).__name__}: {error}")))
        return
    connection.send(("done", result))


def _send(connection: Connection, process: BaseProcess, what: object) -> None:
    try:
        connection.send(what)
    except (BrokenPipeError, ConnectionResetError):
        raise _death(process) from None


def _receive(connection: Connection, process: BaseProcess) -> tuple[str, Any]:
    try:
        said: tuple[str, Any] = connection.recv()
    except (EOFError, ConnectionResetError):
        raise _death(process) from None
    return said


def _death(process: BaseProcess) -> ProcessDiedError:
    process.join()
    status = process.exitcode
    how = f"by signal {-status}" if status is not None and status < 0 else f"with status {status}"
    return ProcessDiedError(
        f"a process ended {how} before its work was done: was it killed, or short of memory? "
        "What was finished is kept; start the same command again to go on"
    )

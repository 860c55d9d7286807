"""One run of a role in real time: here, while another process sends to it; and what came of it."""

import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Mapping

from rich.console import Console
from rich.table import Table

from benchmarks.figures import write_figures


def cpu_beside(
    run: Callable[[threading.Event], None], send: Callable[..., None], *arguments: object
) -> tuple[float, float]:
    """Let a role work while its load is sent; only the role is measured.

    Parameters
    ----------
    run : callable
        The role, until the event is set.
    send : callable
        Of a module: it is called in a process of its own.
    *arguments
        Its arguments.

    Returns
    -------
    tuple of float
        CPU time of this process meanwhile, and how long the role took to leave once all was
        sent; both in s.

    Raises
    ------
    RuntimeError
        If the load could not be sent.
    """
    stop = threading.Event()
    runner = threading.Thread(target=run, args=(stop,))
    runner.start()
    sender = multiprocessing.get_context("spawn").Process(target=send, args=arguments)
    began = time.process_time()
    sender.start()
    sender.join()
    ended = time.monotonic()
    stop.set()
    runner.join()
    if sender.exitcode:
        raise RuntimeError(f"the process that sends ended with status {sender.exitcode}")
    return time.process_time() - began, time.monotonic() - ended


def tell(
    result: Mapping[str, object], role: str, *, of: str, load_before: float, where: str
) -> None:
    """Show a run as a table, and write its figures where ``--json`` says.

    Parameters
    ----------
    result : mapping
        Figures by name.
    role : str
        Of which it was.
    of : str
        What it heard.
    load_before : float
        The machine's load average before the run.
    where : str
        As for ``write_figures``.
    """
    table = Table(title=f"{role}, through Apache Kafka: {of}")
    table.add_column("")
    table.add_column("", justify="right")
    for name, value in result.items():
        table.add_row(name, f"{value:.4g}" if isinstance(value, float) else str(value))
    Console(stderr=True).print(table)
    machine = {"cores": os.cpu_count(), "load_before": load_before}
    write_figures({role: result, "input": of, "machine": machine}, where)

"""A role of ours in this process, while another process sends to it in real time."""

import multiprocessing
import threading
import time
from collections.abc import Callable


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

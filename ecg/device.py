"""Where the models run: on CPU and CUDA by the same code, on CUDA with less to wait for.

There, tensors come from page-locked memory while the processor goes on, and a step of a network
is recorded once for each size (a CUDA graph) and then replayed: a small LSTM is dozens of
kernels, and launching them one by one takes longer than their work.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ParamSpec, TypeVar, cast

import torch

from ecg.errors import DeviceError

P = ParamSpec("P")
R = TypeVar("R")


def choose_device(name: str) -> torch.device:
    """Return the device to run on.

    Raises
    ------
    DeviceError
        If ``name`` is none of auto, cpu, cuda, or CUDA is asked for and absent.
    """
    if name not in ("auto", "cpu", "cuda"):
        raise DeviceError(f"device must be auto, cpu or cuda, got {name!r}")
    if name == "cuda" and not torch.cuda.is_available():
        raise DeviceError("device cuda was asked for, but torch sees no CUDA: use auto or cpu")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def describe(device: torch.device) -> str:
    """Say in words where the models run, and by what means."""
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
        return f"on {name}, by pinned transfers and CUDA graphs"
    return "on the CPU: pinned transfers and CUDA graphs need a GPU"


def bring(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Return a tensor of the CPU on the device; on the CPU it is the same one.

    To CUDA it is copied from page-locked memory, which is not waited for: work on the device comes
    after it by itself, and torch keeps the locked copy until it has been read.
    """
    if device.type == "cpu":
        return tensor
    return tensor.pin_memory().to(device, non_blocking=True)


def recorded(step: Callable[P, R], device: torch.device) -> Callable[P, R]:
    """Return a step of a network, on CUDA one that is recorded and replayed; elsewhere the same.

    What a recorded step returns lies where its next replay for the same size writes: copy it
    before.

    Parameters
    ----------
    step : callable
        Takes tensors, or tuples of them, whose sizes follow from that of the first one. What it
        does must depend on nothing else but weights that stay where they are.
    device : torch.device
        Where the inputs will lie.
    """
    if device.type == "cpu":
        return step
    graphs: dict[torch.Size, Callable[P, R]] = {}
    # no two replays are under way at once, so what they need in between may lie in the same memory
    pool = torch.cuda.graph_pool_handle()

    def replay(*inputs: P.args, **named: P.kwargs) -> R:
        size = cast(torch.Tensor, inputs[0]).shape
        if size not in graphs:
            # the inputs of the recording are where those of each replay are copied to
            samples = cast(tuple[torch.Tensor, ...], inputs)
            made = torch.cuda.make_graphed_callables(step, samples, pool=pool)
            graphs[size] = cast(Callable[P, R], made)
        return graphs[size](*inputs, **named)

    return replay


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch use one thread for a while."""
    # two threads make this small LSTM up to a hundred times slower where cores are shared
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)

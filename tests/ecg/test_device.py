"""Where the models run: the same answers on each device that is here, and by recorded steps."""

import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils import _pytree as pytree

import ecg.judge
from ecg.checkpoint import load
from ecg.device import bring, choose_device, recorded
from ecg.errors import DeviceError
from ecg.features import CHANNELS, N_CONTEXT
from ecg.judge import BATCHES, Judge
from ecg.rhythm import N_DESCRIPTORS
from ecg.state import WINDOW

HERE = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
RNG = np.random.default_rng(0)
N = max(BATCHES) + 40
SLOTS = np.r_[np.arange(N - 40), np.arange(40)]
"""The last forty are second beats: there are two turns, of several sizes each."""
WINDOWS = RNG.normal(size=(N, CHANNELS, WINDOW)).astype(np.float32)
CONTEXTS = RNG.normal(size=(N, N_CONTEXT)).astype(np.float32)
DESCRIPTORS = RNG.normal(size=(N, N_DESCRIPTORS)).astype(np.float32)


def findings(at_work: Judge) -> list[np.ndarray[Any, np.dtype[np.float32]]]:
    """Return what is said of beats and seconds twice over, and what is remembered then."""
    memory = np.zeros((N, 2, at_work.hidden), np.float32)
    said = []
    for _ in range(2):
        said.append(at_work.judge_beats(SLOTS, WINDOWS, CONTEXTS, memory))
        said.append(at_work.judge_seconds(SLOTS, DESCRIPTORS, memory))
    return [*said, memory]


def replaying(
    step: Callable[..., Any], inputs: tuple[Any, ...], *, pool: object
) -> Callable[..., Any]:
    """Do on the CPU what a graph does: read and write the same memory in every replay."""
    mine = pytree.tree_map(torch.clone, inputs)
    found = pytree.tree_map(torch.clone, step(*mine))

    def replay(*given: Any) -> Any:
        pytree.tree_map(lambda to, of: to.copy_(of), mine, given)
        pytree.tree_map(lambda to, of: to.copy_(of), found, step(*mine))
        return found

    return replay


def test_an_unknown_or_absent_device_is_refused() -> None:
    with pytest.raises(DeviceError, match="auto, cpu or cuda"):
        choose_device("gpu")
    assert choose_device("cpu") == torch.device("cpu")
    if not torch.cuda.is_available():
        assert choose_device("auto") == torch.device("cpu")
        with pytest.raises(DeviceError, match="use auto or cpu"):
            choose_device("cuda")


def test_the_device_that_is_chosen_by_itself_says_what_the_cpu_says() -> None:
    for one, other in zip(findings(load(device="auto")), findings(load(device="cpu")), strict=True):
        assert one == pytest.approx(other, abs=1e-3)


@pytest.mark.parametrize("device", HERE)
def test_the_start_says_where_models_run_and_by_what_means(
    device: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="ecg.judge"):
        load(device=device).choose_batches()
    assert "pinned transfers and CUDA graphs" in caplog.text
    assert ("on the CPU" in caplog.text) == ("need a GPU" in caplog.text) == (device == "cpu")


def test_a_tensor_stays_where_it_is_on_the_cpu() -> None:
    tensor = torch.zeros(3)
    assert bring(tensor, torch.device("cpu")) is tensor


def test_a_step_is_recorded_once_for_each_size(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []

    def record(
        step: Callable[..., Any], inputs: tuple[Any, ...], *, pool: object
    ) -> Callable[..., Any]:
        sizes.append(len(inputs[0]))
        return replaying(step, inputs, pool=pool)

    monkeypatch.setattr(torch.cuda, "graph_pool_handle", object)
    monkeypatch.setattr(torch.cuda, "make_graphed_callables", record)
    step = recorded(lambda x, both: (x + both[0], both[1]), torch.device("cuda"))
    for n in (2, 3, 2, 3, 3):
        x = torch.arange(n)
        out, other = step(x, (x, -x))
        assert out.tolist() == (2 * x).tolist()
        assert other.tolist() == (-x).tolist()
    assert sizes == [2, 3]


def test_the_judge_keeps_nothing_that_the_next_replay_writes_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plain = findings(load(device="cpu"))
    monkeypatch.setattr(torch.cuda, "graph_pool_handle", object)
    monkeypatch.setattr(torch.cuda, "make_graphed_callables", replaying)
    monkeypatch.setattr(ecg.judge, "recorded", lambda step, _: recorded(step, torch.device("cuda")))
    for one, other in zip(findings(load(device="cpu")), plain, strict=True):
        assert np.array_equal(one, other)

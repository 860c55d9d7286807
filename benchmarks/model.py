"""What the shipped model costs: ``python -m benchmarks.model [--json FILE|-]``.

Parameters (the whole ensemble), beats a second on one thread through ``Judge``, as the monitor
calls it, by how many patients have a beat at once; memory; floating-point operations a beat beside
the measured peak of a core. In the same run a plain LSTM over 360 samples of two leads, two layers
of 64. Time is processor time, the fastest of some repeats: others at work on the machine still slow
it down (they share caches and clock), so load and peak are stated.
"""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table
from safetensors.torch import load_file
from torch import nn

from benchmarks.capacity.machine import Watch, resident_kb
from benchmarks.figures import write_figures
from ecg import fibrillation_weights, qrs_weights
from ecg.checkpoint import SHIPPED, count_parameters, load
from ecg.features import CHANNELS, N_CONTEXT
from ecg.finding import BEAT_CLASSES
from ecg.judge import Judge
from ecg.model import PlainLSTM
from ecg.state import WINDOW
from training.page import put_between

MOST_PARAMETERS = 500_000
LEAST_BEATS_PER_S = 60_000
"""What was asked of the shipped model, on one thread of a machine of this class."""
BATCHES = (1, 8, 32, 64, 128, 256, 1024)
"""Patients that have a beat at once."""
PLAIN_BATCHES = (32, 256)
PLAIN_SAMPLES, PLAIN_LEADS, PLAIN_HIDDEN, PLAIN_LAYERS = 360, 2, 64, 2
REPEATS = 5
REPEAT_S = 0.3


def measured(
    weights: Path = SHIPPED,
    *,
    batches: Sequence[int] = BATCHES,
    plain_batches: Sequence[int] = PLAIN_BATCHES,
    repeat_s: float = REPEAT_S,
    console: Console | None = None,
) -> dict[str, Any]:
    """Measure the model in ``weights`` and the plain LSTM.

    Parameters
    ----------
    weights : Path
        The model.
    batches, plain_batches : sequence of int
        Beats at once.
    repeat_s : float
        Shortest time of a repeat, in s.
    console : Console, optional
        Where progress is shown.

    Returns
    -------
    dict
        As in the JSON.

    Raises
    ------
    CheckpointError
        If the weights cannot be used.
    """
    torch.set_num_threads(1)
    watch = Watch()
    before_kb = resident_kb()
    judge = load(weights, device="cpu")
    loaded_kb = resident_kb() - before_kb
    flops = flops_of(lambda: _judge(judge, 32)) / 32
    plain = PlainLSTM(PLAIN_LEADS, PLAIN_HIDDEN, PLAIN_LAYERS, len(BEAT_CLASSES)).eval()
    work: list[tuple[bool, int, Callable[[], object]]] = [
        (True, n, partial(_judge, judge, n)) for n in batches
    ]
    work += [(False, n, partial(_plain, plain, n)) for n in plain_batches]
    rates: dict[bool, dict[str, float]] = {True: {}, False: {}}
    steps = track(work, "judging", console=console, disable=console is None, transient=True)
    for ours, n, run in steps:
        rates[ours][str(n)] = round(n * per_second(run, repeat_s), 1)
    watch.look()
    best = max(rates[True].values())
    numbers = sum(tensor.numel() for tensor in load_file(weights).values())
    parameters = {
        "weights": numbers,
        "QRS detector": size_of(qrs_weights),
        "atrial fibrillation": size_of(fibrillation_weights),
    }
    plain_flops = flops_of(lambda: _plain(plain, 1))
    machine = watch.described()
    return {
        "model": judge.version,
        "parameters": sum(parameters.values()),
        "parameters_of": parameters,
        "beats_per_s": rates[True],
        "best_beats_per_s": best,
        "mflop_per_beat": flops / 1e6,
        "share_of_peak": best * flops / 1e9 / watch.gflops(),
        "memory": {
            "weights_kb": weights.stat().st_size / 1000,
            "loaded_kb": loaded_kb,
            "patient_kb": 2 * 4 * judge.hidden / 1000,
        },
        "plain_lstm": {
            "parameters": count_parameters(plain),
            "beats_per_s": rates[False],
            "best_beats_per_s": max(rates[False].values()),
            "mflop_per_beat": plain_flops / 1e6,
        },
        "floors": {
            "parameters": {"at_most": MOST_PARAMETERS, "holds": numbers <= MOST_PARAMETERS},
            "beats_per_s": {"at_least": LEAST_BEATS_PER_S, "holds": best >= LEAST_BEATS_PER_S},
        },
        "machine": machine,
    }


def size_of(weights: ModuleType) -> int:
    """Return how many numbers a module of weights holds."""
    return sum(np.size(value) for name, value in vars(weights).items() if name.isupper())


def flops_of(run: Callable[[], object]) -> float:
    """Return the floating-point operations of convolutions, linear and LSTM layers in a call.

    A multiplication and an addition are two. Element-wise work is left out.

    Examples
    --------
    >>> flops_of(lambda: nn.Linear(10, 3)(torch.zeros(2, 10)))
    120.0
    """
    total = 0.0

    def count(module: nn.Module, args: tuple[Any, ...], out: Any) -> None:
        nonlocal total
        match module:
            case nn.Linear():
                total += 2.0 * module.in_features * out.numel()
            case nn.Conv1d():
                taps = module.in_channels // module.groups * module.kernel_size[0]
                total += 2.0 * taps * out.numel()
            case nn.LSTM():
                steps = out[0].shape[0] * out[0].shape[1]
                wide = module.input_size
                for _ in range(module.num_layers):
                    total += 8.0 * steps * module.hidden_size * (wide + module.hidden_size)
                    wide = module.hidden_size

    hook = nn.modules.module.register_module_forward_hook(count)
    try:
        with torch.inference_mode():
            run()
    finally:
        hook.remove()
    return total


def per_second(run: Callable[[], object], repeat_s: float = REPEAT_S) -> float:
    """Return how often ``run`` is done in a second of one thread, the best of ``REPEATS``."""
    run()  # allocates what is kept
    best = float("inf")
    for _ in range(REPEATS):
        n, began = 0, time.thread_time()
        spent = 0.0
        while n == 0 or spent < repeat_s:
            run()
            n += 1
            spent = time.thread_time() - began
        best = min(best, max(spent, 1e-9) / n)
    return 1.0 / best


def markdown(card: dict[str, Any]) -> str:
    """Return the table for docs/concepts/qrs.md."""
    plain, machine = card["plain_lstm"], card["machine"]
    lines = [
        f"Model {card['model']}, one thread of {machine['cpu']}, "
        f"{machine['matmul_gflops']:g} GFLOP/s at multiplying matrices{_busy(machine)}.\n",
        "| | shipped | plain LSTM, 360 x 2 samples, 2 x 64 |",
        "|---|---:|---:|",
        f"| parameters | {card['parameters']:,} | {plain['parameters']:,} |",
        f"| MFLOP a beat | {card['mflop_per_beat']:.2f} | {plain['mflop_per_beat']:.2f} |",
    ]
    sizes = dict.fromkeys((*card["beats_per_s"], *plain["beats_per_s"]))
    for n in sizes:
        both = [rates.get(n) for rates in (card["beats_per_s"], plain["beats_per_s"])]
        cells = ["-" if rate is None else f"{rate:,.0f}" for rate in both]
        lines.append(f"| beats/s, {n} at once | {cells[0]} | {cells[1]} |")
    memory = card["memory"]
    lines += [
        f"| weights on disk, kB | {memory['weights_kb']:,.0f} | |",
        f"| the LSTMs' memory of a patient, kB | {memory['patient_kb']:.1f} | |",
        f"| share of the core's peak | {100 * card['share_of_peak']:.0f} % | |",
    ]
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; return 1 if a floor is missed on a machine that was left alone."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.model",
        description=__doc__,
        epilog="example: python -m benchmarks.model --json -",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--weights", type=Path, default=SHIPPED, help="the shipped ones otherwise")
    parser.add_argument("--json", metavar="FILE", help="write the figures; - prints them")
    parser.add_argument("--markdown", metavar="FILE", type=Path, help="write the table")
    options = parser.parse_args(arguments)
    console = Console(stderr=True)
    card = measured(options.weights, console=console)
    _print(card, console)
    if options.markdown is not None:
        put_between(options.markdown, markdown(card), name="model")
    write_figures(card, options.json)
    missed = [name for name, floor in card["floors"].items() if not floor["holds"]]
    return int(bool(missed) and not card["machine"]["busy"])


def _judge(judge: Judge, n: int) -> object:
    """Judge a beat of each of ``n`` patients."""
    if n not in _inputs:
        chance = np.random.default_rng(1)
        _inputs[n] = (
            np.arange(n),
            chance.normal(size=(n, CHANNELS, WINDOW)).astype(np.float32),
            chance.normal(size=(n, N_CONTEXT)).astype(np.float32),
            np.zeros((n, 2, judge.hidden), np.float32),
        )
    return judge.judge_beats(*_inputs[n])


_inputs: dict[int, tuple[Any, Any, Any, Any]] = {}


@torch.inference_mode()
def _plain(plain: PlainLSTM, n: int) -> object:
    return plain(torch.zeros(n, PLAIN_SAMPLES, PLAIN_LEADS))


def _busy(machine: dict[str, Any]) -> str:
    others = machine["cores_used_by_others"]
    return f" (busy: others used {others} of {machine['cores']} cores)" if machine["busy"] else ""


def _print(card: dict[str, Any], console: Console) -> None:
    machine = card["machine"]
    table = Table(
        title=f"{card['model']}: {card['parameters']:,} parameters, "
        f"{card['mflop_per_beat']:.2f} MFLOP a beat, {100 * card['share_of_peak']:.0f} % of "
        f"{machine['matmul_gflops']:g} GFLOP/s"
    )
    for heading in ("beats at once", "beats/s", "plain LSTM, beats/s"):
        table.add_column(heading, justify="right")
    plain = card["plain_lstm"]["beats_per_s"]
    for n, rate in card["beats_per_s"].items():
        other = f"{plain[n]:,.0f}" if n in plain else "-"
        table.add_row(n, f"{rate:,.0f}", other)
    console.print(table)
    for name, floor in card["floors"].items():
        limit = floor.get("at_most", floor.get("at_least"))
        console.print(f"{name}: {limit:,} asked for, {'holds' if floor['holds'] else 'MISSED'}")
    if machine["busy"]:
        console.print(f"The machine was busy{_busy(machine)}: these rates are too low.")


if __name__ == "__main__":
    sys.exit(main())

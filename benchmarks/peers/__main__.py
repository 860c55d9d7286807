"""Run one peer: ``python -m benchmarks.peers NAME ORDER``, ORDER in JSON; prints its runs."""

import json
import sys
import warnings
from collections.abc import Callable
from dataclasses import asdict
from functools import partial

import torch

from benchmarks.peers import consumers, detector, quix
from benchmarks.peers.names import BARE, PARTS, QUIX, SLEEPECG, WINDOWS
from benchmarks.peers.parts import DETECTORS, Parts
from benchmarks.peers.run import Order, Run


def _parts(detector_name: str, windows: str) -> Parts:
    window_s, every_s = WINDOWS[windows]
    return Parts(DETECTORS[detector_name](), window_s=window_s, every_s=every_s)


def _read(detector_name: str, windows: str, order: Order) -> Run:
    return consumers.consume(order, _parts(detector_name, windows))


def _stream(detector_name: str, windows: str, order: Order) -> Run:
    return quix.stream(order, _parts(detector_name, windows))


def peers() -> dict[str, Callable[[Order], Run]]:
    """Return every peer by its name."""
    found: dict[str, Callable[[Order], Run]] = {
        BARE: partial(consumers.consume, parts=None),
        SLEEPECG: detector.detect,
    }
    for name, (kind, windows) in PARTS.items():
        found[name] = partial(_read, kind, windows)
    for name, (kind, windows) in QUIX.items():
        found[name] = partial(_stream, kind, windows)
    return found


def main() -> None:
    """Run the peer that is named, as often as it is ordered."""
    name, text = sys.argv[1:]
    order = Order(**json.loads(text))
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")  # of what others do with numpy
    run = peers()[name]
    json.dump([asdict(run(order)) for _ in range(order.runs)], sys.stdout)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()

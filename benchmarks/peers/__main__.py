"""Run peers: ``python -m benchmarks.peers ORDERS``, a name and an order each, in JSON.

Prints a line for each with its runs.
"""

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
    """Run the peers that are named, each as often as it is ordered."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")  # of what others do with numpy
    known = peers()
    for name, fields in json.loads(sys.argv[1]).items():
        order = Order(**fields)
        runs = [asdict(known[name](order)) for _ in range(order.runs)]
        sys.stdout.write(json.dumps(runs) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()

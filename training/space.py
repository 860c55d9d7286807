"""Spaces of hyper-parameters: which values of which settings are tried."""

import itertools
import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from ecg.model import BeatLSTMSize
from training.errors import SpaceError
from training.fit import FitSettings

Choice = dict[str, Any]
"""One value for each name of a space."""

_OF_SETTINGS = {f.name for f in fields(FitSettings)} - {"members", "epochs", "seed", "device"}
_OF_SIZE = {f.name for f in fields(BeatLSTMSize)}

SPACE: Mapping[str, Sequence[Any]] = {
    "learning_rate": [1e-3, 3e-3, 6e-3],
    "weight_decay": [1e-4, 1e-3, 1e-2],
    "dropout": [0.1, 0.3, 0.5],
    "rare_power": [0.0, 0.25, 0.5],
    "record_power": [0.0, 0.35, 0.7],
    "hidden": [32, 48, 64],
}
"""What is searched unless told otherwise."""


def read_space(texts: Sequence[str]) -> Mapping[str, Sequence[Any]]:
    """Return the space that TOML texts, or files of TOML, describe.

    Parameters
    ----------
    texts : sequence of str
        Each ``name = [value, ...]`` lines, or the name of a file of them; none for ``SPACE``.

    Raises
    ------
    SpaceError
        If a name is no setting of a fit or size of the model, or has no values.

    Examples
    --------
    >>> read_space(["dropout = [0.1, 0.3]", "hidden = [32]"])
    {'dropout': [0.1, 0.3], 'hidden': [32]}
    """
    if not texts:
        return SPACE
    space: dict[str, Sequence[Any]] = {}
    for text in texts:
        try:
            said = tomllib.loads(text if "=" in text else Path(text).read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, OSError) as error:
            raise SpaceError(
                f"a space is a TOML file or text such as 'dropout = [0.1, 0.3]', got {text!r}: "
                f"{error}"
            ) from error
        space |= said
    for name, values in space.items():
        if name not in _OF_SETTINGS | _OF_SIZE:
            known = ", ".join(sorted(_OF_SETTINGS | _OF_SIZE))
            raise SpaceError(f"no setting {name!r} can be searched; these can: {known}")
        if not isinstance(values, list) or not values:
            raise SpaceError(f"{name} needs a list of values to try, got {values!r}")
    return space


def draw(space: Mapping[str, Sequence[Any]], n: int, *, seed: int) -> list[Choice]:
    """Return ``n`` different choices of a space, all of them if it has no more.

    Examples
    --------
    >>> draw({"dropout": [0.1, 0.3], "hidden": [32]}, 8, seed=0)
    [{'dropout': 0.1, 'hidden': 32}, {'dropout': 0.3, 'hidden': 32}]
    """
    total = math.prod(len(values) for values in space.values())
    if total <= n:
        every = itertools.product(*space.values())
        return [dict(zip(space, values, strict=True)) for values in every]
    rng = np.random.default_rng(seed)
    chosen: list[Choice] = []
    while len(chosen) < n:
        choice = {name: values[int(rng.integers(len(values)))] for name, values in space.items()}
        if choice not in chosen:
            chosen.append(choice)
    return chosen


def apply(
    choice: Choice, settings: FitSettings, size: BeatLSTMSize
) -> tuple[FitSettings, BeatLSTMSize]:
    """Return settings and size with the values of a choice.

    Raises
    ------
    TypeError
        If a name is of neither.
    """
    values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in choice.items()}
    of_size: dict[str, Any] = {name: value for name, value in values.items() if name in _OF_SIZE}
    rest: dict[str, Any] = {name: value for name, value in values.items() if name not in _OF_SIZE}
    return replace(settings, **rest), replace(size, **of_size)

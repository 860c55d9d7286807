"""Warming up runs all that is compiled, so that no patient waits for it later."""

from collections.abc import Callable
from typing import Any

import pytest

from ecg import kernel
from ecg.warm import warm_up


def test_every_compiled_entry_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = [
        name
        for name, function in vars(kernel).items()
        if hasattr(function, "stats") and function.stats.cache_path
    ]
    called = set()

    def noting(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            called.add(name)
            return function(*args)

        return call

    for name in entries:
        monkeypatch.setattr(kernel, name, noting(name, getattr(kernel, name)))
    warm_up()
    assert called == set(entries) == {"advance", "drain"}

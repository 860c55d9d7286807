"""Warming up touches what a patient's first chunk would wait for."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from ecg import kernel, warm
from ecg.chunk import Chunk
from ecg.finding import Findings
from ecg.monitor import Monitor


def test_warm_up_finds_beats_so_that_they_are_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[Findings] = []

    class Watched(Monitor):
        def advance(self, chunks: Sequence[Chunk]) -> list[Findings]:
            found.extend(super().advance(chunks))
            return found

    monkeypatch.setattr(warm, "Monitor", Watched)
    warm.warm_up()
    assert sum(len(findings.beats) for findings in found) >= 3


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
    warm.warm_up()
    assert called == set(entries) == {"advance", "drain"}

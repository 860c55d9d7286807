"""Warming up touches what a patient's first chunk would wait for."""

from collections.abc import Sequence

import pytest

from ecg import warm
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

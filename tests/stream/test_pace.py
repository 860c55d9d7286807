from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np
import pytest

from stream.feed import Feed
from stream.messages import Waveform
from stream.pace import Progress, replay
from tests.stream.test_source import counting_source

START_UTC_NS = 1_700_000_000_000_000_000
SECOND_NS = 1_000_000_000


@dataclass
class Bench:
    """Time, and a broker that takes messages; sending takes ``busy_ns``."""

    mono_ns: int = 5_000
    busy_ns: int = 0
    stop_after_s: float = 1e9
    room: bool = True
    away_s: tuple[float, float] = (0.0, 0.0)
    sent: list[tuple[int, Waveform]] = field(default_factory=list)
    told: list[Progress] = field(default_factory=list)
    started_ns: int = 5_000

    def seconds(self) -> float:
        return (self.mono_ns - self.started_ns) / SECOND_NS

    def wait(self, seconds: float) -> bool:
        assert seconds >= 0
        self.mono_ns += round(seconds * SECOND_NS)
        return self.seconds() >= self.stop_after_s

    def send(self, waveform: Waveform) -> bool:
        if self.away_s[0] <= self.seconds() < self.away_s[1]:
            return False
        self.sent.append((self.mono_ns, waveform))
        self.mono_ns += self.busy_ns
        return True

    def run(self, feeds: list[Feed], speed: float | None) -> Progress:
        return replay(
            feeds,
            stream="s1",
            speed=speed,
            send=self.send,
            wait=self.wait,
            on_progress=self.told.append,
            now_ns=lambda: START_UTC_NS + self.mono_ns - self.started_ns,
            monotonic_ns=lambda: self.mono_ns,
        )

    def by_patient(self) -> dict[str, list[Waveform]]:
        found = defaultdict(list)
        for _, waveform in self.sent:
            found[waveform.patient].append(waveform)
        return dict(found)


def feed(n_samples: int, *, patient: str = "p1", chunk_ms: int = 250, loop: bool = False) -> Feed:
    return Feed(counting_source(n_samples, patient=patient), chunk_ms=chunk_ms, loop=loop)


def test_pieces_are_sent_when_their_last_sample_is_due_and_never_drift() -> None:
    bench = Bench(busy_ns=3_000_000, stop_after_s=3600)
    bench.run([feed(1000, loop=True)], 1.0)
    lateness = [
        at - bench.started_ns - (w.first_sample + len(w.array())) * 10_000_000
        for at, w in bench.sent
    ]
    assert len(bench.sent) == pytest.approx(3600 * 4, abs=2)
    assert set(lateness) == {0}


def test_twice_real_time_takes_half_the_time() -> None:
    bench = Bench()
    progress = bench.run([feed(1000)], 2.0)
    assert bench.seconds() == pytest.approx(5.0)
    assert progress == Progress(patients=1, messages=40, samples=1000, total_samples=1000)
    assert bench.told[-1] == progress


def test_as_fast_as_possible_never_waits_and_no_patient_runs_ahead() -> None:
    bench = Bench(busy_ns=1000)
    bench.run([feed(1000, patient="p1"), feed(500, patient="p2")], None)
    assert bench.seconds() < 0.001
    order = [w.patient for _, w in bench.sent]
    assert order[:4] == ["p1", "p2", "p1", "p2"]
    assert {p: sum(len(w.array()) for w in ws) for p, ws in bench.by_patient().items()} == {
        "p1": 1000,
        "p2": 500,
    }


def test_patients_are_spread_over_one_chunk_and_keep_their_pace() -> None:
    bench = Bench(stop_after_s=10)
    bench.run([feed(1000, patient=f"p{i}", loop=True) for i in range(10)], 1.0)
    starts = {}
    for at, waveform in bench.sent:
        if waveform.first_sample == 0:
            starts[waveform.patient] = at - bench.started_ns
    spread = np.diff(sorted(starts.values()))
    np.testing.assert_array_equal(spread, 25_000_000)
    assert max(starts.values()) < 500_000_000


def test_signal_arrives_complete_when_it_carries_its_own_sample_number() -> None:
    bench = Bench(stop_after_s=100)
    bench.run([feed(1000, loop=True)], 1.0)
    waveforms = bench.by_patient()["p1"]
    values = np.concatenate([w.array()[:, 0] for w in waveforms])
    numbers = np.concatenate(
        [np.arange(w.first_sample, w.first_sample + len(w.array())) for w in waveforms]
    )
    np.testing.assert_array_equal(numbers, np.arange(len(numbers)))
    np.testing.assert_array_equal(values, numbers % 1000)
    assert [w.first_sample for w in waveforms if w.discontinuity] == list(
        range(1000, len(numbers), 1000)
    )


@pytest.mark.parametrize("speed", [1.0, 4.0, 0.5, None])
def test_source_clock_runs_with_the_samples_and_not_into_the_future(speed: float | None) -> None:
    bench = Bench(busy_ns=500)
    bench.run([feed(1000)], speed)
    waveforms = bench.by_patient()["p1"]
    first = waveforms[0]
    for waveform in waveforms:
        since_ns = waveform.source_ns - first.source_ns
        assert since_ns == waveform.first_sample * 10_000_000
        assert waveform.source_ns < waveform.sent_ns
    if speed == 1.0:
        last = waveforms[-1]
        assert last.sent_ns - last.source_ns == len(last.array()) * 10_000_000


def test_samples_are_left_out_visibly_when_the_broker_is_away_for_too_long() -> None:
    bench = Bench(away_s=(2.1, 4.1))
    progress = bench.run([feed(1000)], 1.0)
    waveforms = bench.by_patient()["p1"]
    ends = [w.first_sample + len(w.array()) for w in waveforms]
    gaps = [
        (end, w.first_sample)
        for end, w in zip(ends, waveforms[1:], strict=False)
        if w.first_sample != end
    ]
    assert gaps == [(200, 400)]
    assert progress.skipped_samples == 200
    assert progress.samples == 800
    values = np.concatenate([w.array()[:, 0] for w in waveforms])
    np.testing.assert_array_equal(values, [*range(200), *range(400, 1000)])


def test_splice_is_not_lost_with_the_message_that_told_it() -> None:
    bench = Bench(away_s=(10.1, 11.1), stop_after_s=13)
    bench.run([feed(1000, loop=True)], 1.0)
    told = [w.first_sample for w in bench.by_patient()["p1"] if w.discontinuity]
    assert told == [1100]


def test_nothing_is_left_out_without_a_pace_when_the_broker_is_away() -> None:
    bench = Bench(busy_ns=1000, away_s=(0.00001, 30))
    progress = bench.run([feed(1000)], None)
    assert (progress.samples, progress.skipped_samples) == (1000, 0)
    assert bench.seconds() > 30


def test_replay_stops_when_told_although_it_is_behind() -> None:
    bench = Bench(busy_ns=2 * SECOND_NS, stop_after_s=20)
    bench.run([feed(1000, loop=True)], 1.0)
    assert 9 <= len(bench.sent) <= 11


def test_speed_is_refused_when_not_positive() -> None:
    with pytest.raises(ValueError, match="must be positive"):
        Bench().run([feed(100)], 0.0)

"""The figures of a demo: counts, delays and latencies."""

from ecg.finding import Beat, Findings, Span, Status
from stream.tally import Tally

MS = 1_000_000


def beat(sample: int, decided_sample: int, beat_class: str | None) -> Beat:
    return Beat(
        sample=sample,
        decided_sample=decided_sample,
        beat_class=beat_class,  # type: ignore[arg-type]  # a literal at every call
        lead="II",
    )


def findings(*, after: int, through: int, sent_ms: int, beats: tuple[Beat, ...] = ()) -> Findings:
    span = Span(
        first_sample=after + 1, n_samples=through - after, source_ns=0, sent_ns=sent_ms * MS
    )
    return Findings(
        patient="p",
        stream="s",
        fs=100.0,
        after_sample=after,
        through_sample=through,
        spans=(span,),
        beats=beats,
    )


def test_beats_are_counted_by_class_and_those_without_one_are_not() -> None:
    tally = Tally()
    classes = ("N", "V", "V", None)
    beats = tuple(beat(i, i + 50, kind) for i, kind in enumerate(classes))
    tally.add_findings(findings(after=-1, through=99, sent_ms=0, beats=beats), arrived_ns=0)
    assert tally.summary()["beats"] == {"N": 1, "S": 0, "V": 2, "F": 0, "Q": 0}


def test_latency_counts_from_the_message_that_held_the_decided_sample() -> None:
    tally = Tally()
    tally.add_findings(findings(after=-1, through=99, sent_ms=1000), arrived_ns=1100 * MS)
    # decided at sample 90, which the first message brought, but said only with the second
    late = findings(after=99, through=199, sent_ms=2000, beats=(beat(50, 90, "N"),))
    tally.add_findings(late, arrived_ns=2050 * MS)
    assert tally.summary()["latency_ms"] == {"p50": 1050.0, "p95": 1050.0, "p99": 1050.0}
    assert tally.first_sent_ns == 1000 * MS


def test_delay_counts_from_the_r_peak_to_the_decided_sample() -> None:
    tally = Tally()
    beats = (beat(10, 60, "N"), beat(20, 120, "N"))
    tally.add_findings(findings(after=-1, through=199, sent_ms=0, beats=beats), arrived_ns=0)
    assert tally.summary()["delay_s"] == {"p50": 0.75, "p95": 0.975, "max": 1.0}


def test_samples_are_those_of_every_stream_once() -> None:
    tally = Tally()
    for after, through in ((-1, 99), (99, 199), (99, 199)):
        tally.add_findings(findings(after=after, through=through, sent_ms=0), arrived_ns=0)
    assert (tally.patients, tally.samples) == (["p"], 200)


def test_nothing_is_none_and_not_zero() -> None:
    summary = Tally().summary()
    assert summary["latency_ms"] == {"p50": None, "p95": None, "p99": None}
    assert summary["delay_s"] == {"p50": None, "p95": None, "max": None}


def test_heart_rate_is_the_newest_one() -> None:
    tally = Tally()
    status = Status(
        sample=100,
        decided_sample=100,
        last_r=None,
        heart_rate_bpm=72.0,
        fit=True,
        reason=None,
        warm_up=False,
        model=None,
        leads=(),
    )
    message = Findings(
        patient="p", stream="s", fs=100.0, after_sample=-1, through_sample=100, statuses=(status,)
    )
    tally.add_findings(message, arrived_ns=0)
    assert tally.heart_rates == {"p": 72.0}

"""Numbers for Prometheus; nothing is served unless asked for."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate

from prometheus_client import REGISTRY, Counter, Gauge, start_http_server
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector

from stream.errors import SettingsError

MESSAGES = Counter("rhythmwatch_messages_total", "Messages taken in", ["role", "topic"])
DEAD_LETTERS = Counter(
    "rhythmwatch_dead_letters_total", "Messages given up, by reason", ["role", "reason"]
)
CHUNKS = Counter(
    "rhythmwatch_chunks_total",
    "Waveform chunks by how they follow the one before: next, gap, overlap, repeat, out_of_order",
    ["order"],
)
BEATS = Counter("rhythmwatch_beats_total", "Beats found, by class", ["beat_class"])
ALARMS = Counter("rhythmwatch_alarm_events_total", "Alarm transitions", ["code", "event"])
LATE_ALARMS = Counter(
    "rhythmwatch_late_alarm_events_total", "Alarm transitions told more than 10 s after the fact"
)
PATIENTS = Gauge("rhythmwatch_patients", "Patients whose state is held", ["role"])
TAKEOVERS = Counter("rhythmwatch_takeovers_total", "Partitions taken over", ["role"])
WEBHOOK_ATTEMPTS = Counter(
    "rhythmwatch_webhook_attempts_total",
    "Attempts to deliver, by endpoint and result: delivered, failed, refused, gone",
    ["endpoint", "result"],
)
WEBHOOKS_WAITING = Gauge(
    "rhythmwatch_webhooks_waiting", "Alarm events that are not yet delivered", ["endpoint"]
)
DEFERRED = Counter(
    "rhythmwatch_deferred_total", "Waveforms beyond their patient's share of a tick, judged later"
)
WAITING = Gauge("rhythmwatch_waiting", "Waveforms that have been read and wait to be judged")
ARCHIVED = Counter(
    "rhythmwatch_archived_total",
    "Written to the archive and safe on disk: samples, missing (of these, filled in for gaps), "
    "records, bytes; unplaced are annotations of samples that it does not have",
    ["what"],
)
ARCHIVE_PASSED_OVER = Counter(
    "rhythmwatch_archive_passed_over_total",
    "Messages that the archive did not take, by reason: unreadable, wrong-key, wrong-partition, "
    "refused, damaged, repeat",
    ["reason"],
)
ARCHIVE_FAILURES = Counter(
    "rhythmwatch_archive_failures_total", "Times that the archive could not be written"
)


class Times(Collector):
    """A histogram that takes many values at once: thousands come together with each tick.

    Parameters
    ----------
    name, about : str
        Its name and what it says.
    bounds_s : sequence of float
        Upper ends of its buckets, in s.

    Examples
    --------
    >>> times = Times("seconds", "Some times", bounds_s=(0.1, 1.0))
    >>> times.observe_all([0.05, 0.1, 0.5, 3.0])
    >>> [(s.labels.get("le"), s.value) for family in times.collect() for s in family.samples]
    [('0.1', 2), ('1.0', 3), ('+Inf', 4), (None, 4), (None, 3.65)]
    """

    def __init__(self, name: str, about: str, *, bounds_s: Sequence[float]) -> None:
        self._name, self._about = name, about
        self._bounds = tuple(bounds_s)
        self._counts = [0] * (len(self._bounds) + 1)
        self._sum = 0.0

    def observe_all(self, values_s: Iterable[float]) -> None:
        """Count times, in s."""
        for value in values_s:
            self._counts[bisect_left(self._bounds, value)] += 1
            self._sum += value

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """Yield the histogram as it stands."""
        family = HistogramMetricFamily(self._name, self._about)
        names = [*(str(bound) for bound in self._bounds), "+Inf"]
        family.add_metric(
            [], list(zip(names, accumulate(self._counts), strict=True)), sum_value=self._sum
        )
        yield family


LATENCY = Times(
    "rhythmwatch_publish_latency_seconds",
    "From the sending of a waveform to its findings being acknowledged by the broker",
    bounds_s=(0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 5.0, 10.0, 60.0),
)
REGISTRY.register(LATENCY)


def serve(port: int, *, host: str = "127.0.0.1") -> None:
    """Serve the numbers at ``http://host:port/metrics`` from now on.

    Raises
    ------
    SettingsError
        If the port cannot be had.
    """
    try:
        start_http_server(port, addr=host)
    except OSError as error:
        raise SettingsError(
            f"metrics cannot be served at {host}:{port}: {error.strerror}; name another port"
        ) from error

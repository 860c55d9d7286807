"""Numbers for Prometheus; nothing is served unless asked for."""

from prometheus_client import Counter, Gauge, Histogram, start_http_server

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
ARCHIVED = Counter(
    "rhythmwatch_archived_total",
    "Written to the archive and safe on disk: samples, missing (of these, filled in for gaps), "
    "records, bytes; unplaced are annotations of samples that it does not have",
    ["what"],
)
ARCHIVE_PASSED_OVER = Counter(
    "rhythmwatch_archive_passed_over_total",
    "Messages that the archive did not take, by reason: unreadable, wrong-key, wrong-partition, "
    "refused, repeat",
    ["reason"],
)
ARCHIVE_FAILURES = Counter(
    "rhythmwatch_archive_failures_total", "Times that the archive could not be written"
)
LATENCY = Histogram(
    "rhythmwatch_publish_latency_seconds",
    "From the sending of a waveform to its findings being acknowledged by the broker",
    buckets=(0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 5.0, 10.0, 60.0),
)


def serve(port: int, *, host: str = "127.0.0.1") -> None:
    """Serve the numbers at ``http://host:port/metrics`` from now on."""
    start_http_server(port, addr=host)

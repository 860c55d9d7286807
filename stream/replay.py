"""The role ``replay``: recorded or simulated ECG goes to ``ecg.waveforms`` as if it were live."""

import logging
import secrets
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import msgspec

from stream.clock import Clock, SystemClock
from stream.errors import BrokerError, DecodeError, SettingsError
from stream.feed import DEFAULT_CHUNK_MS, Feed
from stream.kafka import Cluster, Producer, Reader, wait_for_broker
from stream.messages import PatientMessage, Waveform
from stream.pace import Progress, replay
from stream.source import Source, check_id
from stream.topics import PATIENTS, WAVEFORMS
from stream.wire import decode, encode, encode_waveform, headers_of

logger = logging.getLogger(__name__)

BUFFER_BYTES = 64 * 1024 * 1024
BUFFER_S = 60.0
"""What is kept for a broker that is away. After 60 s the engine starts a patient's state anew
in any case, so older samples would only delay the new ones."""

_BATCH = 2000
_RETRY_S = 0.2
_LAST_WORDS_S = 2.0


def new_stream_id(now_ns: int) -> str:
    """Return a stream id that sorts by time and that no other start has.

    Examples
    --------
    >>> new_stream_id(1_700_000_000_123_456_789)[:23]
    '20231114T221320.123456Z'
    """
    at = datetime.fromtimestamp(now_ns // 1_000_000_000, tz=UTC)
    micros = now_ns // 1000 % 1_000_000
    return f"{at:%Y%m%dT%H%M%S}.{micros:06}Z-{secrets.token_hex(3)}"


def run_replay(
    *,
    cluster: Cluster,
    sources: Sequence[Source],
    stop: threading.Event,
    stream_id: str | None = None,
    speed: float | None = 1.0,
    loop: bool = False,
    chunk_ms: int = DEFAULT_CHUNK_MS,
    on_progress: Callable[[Progress], None] | None = None,
    clock: Clock | None = None,
) -> Progress:
    """Send sources, each a patient of its own, until they end or ``stop`` is set.

    Waits for a broker that is not there yet. When it goes away later, up to
    60 s or 64 MiB of messages are kept and sent when it is back; at a pace,
    what is more is left out and logged, and its sample numbers are missing.
    Without a pace nothing is left out.

    Parameters
    ----------
    cluster : Cluster
        Where to.
    sources : sequence of Source
        One a patient.
    stop : threading.Event
        Ends the replay.
    stream_id : str, optional
        The stream of all patients; without it a new one, as it must be at
        every start of a source.
    speed : float or None
        Times real time; None for as fast as possible.
    loop : bool
        Start again at the end: the sample number goes on, and the splice says
        ``discontinuity``.
    chunk_ms : int
        Signal in a message, 50 to 1000 ms.
    on_progress : callable, optional
        Called some ten times a second and at the end.
    clock : Clock, optional
        The machine's without it.

    Returns
    -------
    Progress
        What was sent in all.

    Raises
    ------
    SettingsError
        If there is nothing to send, two sources are one patient, or an
        argument cannot be used.
    """
    clock = clock or SystemClock()
    if not sources:
        raise SettingsError("there is nothing to replay; name a record, or a directory of records")
    if speed is not None and not speed > 0:
        raise SettingsError(f"speed must be more than 0 times real time, got {speed}")
    twice = [name for name, count in Counter(s.patient for s in sources).items() if count > 1]
    if twice:
        raise SettingsError(
            f"each source must be a patient of its own, but {', '.join(twice)} stands for several"
        )
    if stream_id is not None:
        check_id("stream", stream_id)
    stream = stream_id or new_stream_id(clock.now_ns())
    feeds = [Feed(source, chunk_ms=chunk_ms, loop=loop) for source in sources]
    if not _register_when_there(cluster, sources, stop):
        return Progress(patients=len(feeds), total_samples=None if loop else 0)
    logger.info("stream %s: %d patients, %d ms a message", stream, len(feeds), chunk_ms)
    sender = _Sender(cluster, clock)
    try:
        return replay(
            feeds,
            stream=stream,
            speed=speed,
            send=sender.offer,
            wait=stop.wait,
            on_progress=on_progress,
            now_ns=clock.now_ns,
        )
    finally:
        sender.close(stop)


def register(cluster: Cluster, sources: Sequence[Source]) -> list[str]:
    """Enter the patients in the registry, unless they are there.

    Of a patient who is there only the label is brought up to date: it says
    where the ECG comes from, and a simulated one must never pass for real.

    Returns
    -------
    list of str
        The patients whose entry was written.

    Raises
    ------
    BrokerError
        If the registry cannot be read or written.
    """
    known: dict[str, PatientMessage] = {}
    with Reader(cluster, [PATIENTS.name]) as reader:
        for message in reader.read_to_end():
            if message.key is None:
                continue
            known.pop(message.key, None)
            if message.value is None:
                continue
            try:
                known[message.key] = decode(message.value, PatientMessage)
            except DecodeError as error:
                logger.warning("%s", error, extra={"record": str(message)})
    written = []
    with Producer(cluster) as producer:
        for source in sources:
            before = known.get(source.patient)
            if before is None:
                entry = PatientMessage(patient=source.patient, label=source.label)
            elif before.label != source.label:
                entry = msgspec.structs.replace(before, label=source.label)
            else:
                continue
            producer.send(PATIENTS.name, source.patient, encode(entry))
            written.append(source.patient)
    return written


def _register_when_there(
    cluster: Cluster, sources: Sequence[Source], stop: threading.Event
) -> bool:
    """Register, and wait for broker and topics as long as it takes; False when stopped."""
    said = ""
    while wait_for_broker(cluster, stop=stop):
        try:
            written = register(cluster, sources)
        except BrokerError as error:
            if str(error) != said:
                said = str(error)
                logger.warning("cannot enter the patients yet: %s", error)
            stop.wait(1.0)
        else:
            logger.info("entered in the registry: %s", ", ".join(written) or "nobody new")
            return True
    return False


class _Sender:
    """Takes messages from the pace, and gets them to the broker from a thread of its own.

    A batch is forgotten only when the broker has acknowledged it; until then it
    is sent again, so that nothing is lost and order is kept. What arrives twice
    that way has the same sample numbers, and readers drop it.
    """

    def __init__(self, cluster: Cluster, clock: Clock) -> None:
        self._cluster = cluster
        self._clock = clock
        self._waiting: deque[tuple[Waveform, int]] = deque()
        self._bytes = 0
        self._changed = threading.Condition()
        self._ending = threading.Event()
        # a daemon: a broker that hangs must not keep the process
        self._thread = threading.Thread(target=self._run, name="replay-sender", daemon=True)
        self._thread.start()

    def offer(self, waveform: Waveform) -> bool:
        """Take a message, unless too much waits already."""
        size = len(waveform.samples) + 200
        with self._changed:
            if self._waiting:
                oldest, _ = self._waiting[0]
                waited_s = (waveform.sent_ns - oldest.sent_ns) / 1e9
                if self._bytes + size > BUFFER_BYTES or waited_s > BUFFER_S:
                    return False
            self._waiting.append((waveform, size))
            self._bytes += size
            self._changed.notify()
        return True

    def close(self, stop: threading.Event) -> None:
        """Send what waits; once ``stop`` is set, for two seconds more at most."""
        with self._changed:
            self._ending.set()
            self._changed.notify()
        while self._thread.is_alive() and not stop.is_set():
            self._thread.join(0.1)
        self._thread.join(_LAST_WORDS_S)
        if self._waiting:
            logger.warning("%d messages were not sent before the end", len(self._waiting))

    def _run(self) -> None:
        producer: Producer | None = None
        away = False
        while True:
            with self._changed:
                while not self._waiting and not self._ending.is_set():
                    self._changed.wait()
                batch = [self._waiting[i] for i in range(min(_BATCH, len(self._waiting)))]
            if not batch:
                break
            try:
                producer = producer or Producer(self._cluster)
                for waveform, _ in batch:
                    producer.send(
                        WAVEFORMS.name,
                        waveform.patient,
                        encode_waveform(waveform),
                        headers=headers_of(waveform),
                    )
                producer.flush()
            except BrokerError as error:
                if not away:
                    logger.error("the broker does not take samples, they wait: %s", error)
                away = True
                time.sleep(_RETRY_S)
                continue
            if away:
                logger.warning("the broker takes samples again, %d messages late", len(batch))
            away = False
            with self._changed:
                for _, size in batch:
                    self._waiting.popleft()
                    self._bytes -= size
        if producer is not None:
            producer.close()

"""Reading back from Kafka: what a screen shows of the time before it was there."""

from collections.abc import Sequence

from ecg.alarm import AlarmEvent
from ecg.chunk import check_fs
from ecg.errors import RateError
from stream.errors import DecodeError
from stream.kafka import Cluster, Incoming, Reader
from stream.messages import Waveform
from stream.recent import STRIP_S, Recent, Stretch
from stream.topics import WAVEFORMS, Topic
from stream.watermark import check_key
from stream.wire import decode_waveform

MARGIN_MS = 3000
"""A message's time is when it was sent, a little after its samples were taken."""


def waveform_in(record: Incoming) -> Waveform:
    """Return the waveform in a message, if it can be kept and drawn.

    What ``score`` refuses for its key or its sampling frequency is refused here
    as well: the memory of a patient grows with ``fs``.

    Raises
    ------
    DecodeError
        If it is no waveform, is somebody else's, or has numbers out of range.
    """
    waveform = decode_waveform(record.value or b"")
    check_key(record, waveform.patient)
    try:
        check_fs(waveform.fs)
    except RateError as error:
        raise DecodeError(str(error)) from error
    return waveform


def reader_since(cluster: Cluster, topics: Sequence[Topic], since_ms: int) -> Reader:
    """Return a reader of topics that begins some time back; compacted ones are read whole.

    Parameters
    ----------
    cluster : Cluster
        Where the topics are.
    topics : sequence of Topic
        One or more, of as many partitions as the first has.
    since_ms : int
        The earliest message of the others, in ms UTC.

    Raises
    ------
    BrokerError
        If the broker is away, or the topics are not there.
    """
    with Reader(cluster, [topics[0].name], start="latest") as first:
        partitions = first.partitions(topics[0].name)
    return Reader(
        cluster,
        [topic.name for topic in topics],
        start=since_ms,
        offsets={
            (topic.name, partition): 0
            for topic in topics
            if topic.compacted
            for partition in range(partitions)
        },
    )


def read_strip(cluster: Cluster, event: AlarmEvent, *, partition: int) -> Stretch | None:
    """Return the strip around an alarm's transition.

    Parameters
    ----------
    cluster : Cluster
        Where the waveforms are.
    event : AlarmEvent
        The transition; the strip reaches ``STRIP_S`` back from its sample.
    partition : int
        Where its patient's waveforms are.

    Returns
    -------
    Stretch or None
        None where the waveform is no longer kept.

    Raises
    ------
    BrokerError
        If the broker is away.
    DecodeError
        If a message of that time cannot be read.
    """
    past = Recent(event.patient)
    start_ms = event.detected_ns // 1_000_000 - round(1000 * STRIP_S) - MARGIN_MS
    with Reader(cluster, [WAVEFORMS.name], partitions=[partition], start=start_ms) as reader:
        for record in reader.read_to_end(give_up_s=5.0):
            if record.key != event.patient or record.value is None:
                continue
            waveform = waveform_in(record)
            if waveform.stream == event.stream:
                past.take_waveform(waveform, at_s=0.0)
            if past.end_sample > event.sample:
                break
    if not past.fs:
        return None
    return past.stretch(event.sample + 1 - round(STRIP_S * past.fs), event.sample + 1)

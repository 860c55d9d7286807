"""What the role ``alarm`` says, as messages; and what of it was heard before a takeover."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from ecg.alarm import AlarmEvent
from ecg.finding import LATEST_NS
from ecg.trend import Minute
from stream.errors import DecodeError
from stream.kafka import Incoming
from stream.messages import AlarmMessage, TrendMessage
from stream.topics import ALARMS
from stream.watermark import Heard

logger = logging.getLogger(__name__)

LATE_S = 10.0
"""An alarm that is told longer than this after what it tells of is late: after a stop of ours, or
where a source sends what it has stored. Bedside monitors announce within 10 s."""
_EPOCH_START = datetime(1970, 1, 1, tzinfo=UTC)


def alarm_message(event: AlarmEvent, *, epoch: int, now_ns: int) -> AlarmMessage:
    """Return an alarm event as the CloudEvent that goes to Kafka and to webhooks.

    Parameters
    ----------
    event : AlarmEvent
        What the alarms of a patient say.
    epoch : int
        The writer's.
    now_ns : int
        Now, in ns UTC: an event that is older than ``LATE_S`` says so, and how old it is.
    """
    age_s = (now_ns - event.detected_ns) / 1e9
    if age_s > LATE_S:
        event = replace(event, late_s=round(age_s, 1))
    # an absurd time in a state of ours is not to end the role again and again
    at_ns = min(max(event.detected_ns, 0), LATEST_NS)
    at = _EPOCH_START + timedelta(microseconds=at_ns // 1000)
    return AlarmMessage(
        id=event.event_id,
        type=f"org.rhythmwatch.alarm.{event.event}",
        subject=event.patient,
        time=at.isoformat(timespec="microseconds").replace("+00:00", "Z"),
        epoch=epoch,
        data=event,
    )


def trend_message(minute: Minute, *, patient: str, epoch: int) -> TrendMessage:
    """Return a minute as it goes to Kafka."""
    return TrendMessage(
        patient=patient,
        epoch=epoch,
        stream=minute.stream,
        first_sample=minute.first_sample,
        end_sample=minute.end_sample,
        start_ns=minute.start_ns,
        heart_rate_mean=minute.heart_rate_mean,
        heart_rate_min=minute.heart_rate_min,
        heart_rate_max=minute.heart_rate_max,
        beats=minute.beats,
        unfit_s=minute.unfit_s,
    )


def heard(tail: Sequence[Incoming]) -> Heard:
    """Return what of the outputs was heard before a takeover."""
    said = Heard()
    for message in tail:
        try:
            if message.topic == ALARMS.name:
                said.alarm(message)
            else:
                said.trend(message)
        except DecodeError as error:
            logger.warning("%s: %s", message, error)
    return said

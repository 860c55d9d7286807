"""Every topic: name, what its key and value are, how long it is kept."""

from dataclasses import dataclass

DEFAULT_PARTITIONS = 8
"""Partitions of every topic; equal everywhere, so partition p holds the same patients."""

UNPACKED = {"compression.type": "uncompressed"}
"""Of every topic: the broker unpacks what a source has compressed, by whatever means, so that no
reader needs the library for it. What comes uncompressed, as ours does, costs it nothing."""

_HOUR_MS = 3_600_000
_DAY_MS = 24 * _HOUR_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """One topic; the key of every message is the patient.

    Parameters
    ----------
    name : str
        Name on the broker.
    compacted : bool
        True where only the newest value of a patient matters.
    retention_ms : int
        How long messages are kept, in ms; -1 for ever.
    """

    name: str
    compacted: bool = False
    retention_ms: int = -1

    def configs(self) -> dict[str, str]:
        """Return the broker's settings of the topic."""
        if not self.compacted:
            return {
                "cleanup.policy": "delete",
                "retention.ms": str(self.retention_ms),
                **UNPACKED,
            }
        return {
            "cleanup.policy": "compact",
            **UNPACKED,
            # Only closed segments are compacted, and who restores reads all the rest; but for
            # some minutes every message stays, so that a late one of a fenced writer stands
            # behind the takeover that outdated it (docs/concepts/delivery.md).
            "segment.bytes": str(64 * 1024 * 1024),
            "segment.ms": str(_HOUR_MS // 6),
            "min.compaction.lag.ms": str(_HOUR_MS // 6),
        }


WAVEFORMS = Topic(name="ecg.waveforms", retention_ms=_DAY_MS)
FINDINGS = Topic(name="ecg.findings", retention_ms=7 * _DAY_MS)
ALARMS = Topic(name="ecg.alarms", retention_ms=90 * _DAY_MS)
ACTIONS = Topic(name="ecg.actions", retention_ms=90 * _DAY_MS)
TRENDS = Topic(name="ecg.trends", retention_ms=7 * _DAY_MS)
PATIENTS = Topic(name="ecg.patients", compacted=True)
SCORE_STATE = Topic(name="ecg.score-state", compacted=True)
ALARM_STATE = Topic(name="ecg.alarm-state", compacted=True)
ROLES = Topic(name="ecg.roles", retention_ms=_HOUR_MS)
"""A sign of life, once a second, of each role on each partition it works on, written to that
partition: how screens know within seconds that nobody watches a patient's alarms."""
DEAD_LETTERS = Topic(name="ecg.dead-letters", retention_ms=30 * _DAY_MS)

TOPICS = (
    WAVEFORMS,
    FINDINGS,
    ALARMS,
    ACTIONS,
    TRENDS,
    PATIENTS,
    SCORE_STATE,
    ALARM_STATE,
    ROLES,
    DEAD_LETTERS,
)

"""What a screen is sent: new samples as binary frames, everything else as JSON.

A ``Feed`` belongs to one viewer and remembers what that viewer has; every tick
it takes from the view what is new. ``dashboard/waveform/frame.js`` reads the
frames.
"""

import itertools
import struct
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from dashboard.access import Pass
from ecg.alarm import AlarmEvent
from stream.view import Recent, Stretch, View, adu_per_mv

TICK_S = 0.1
"""Chunks of all patients that arrive within it travel in one frame."""
STATE_EVERY_S = 0.5
"""A state is sent at least this often: the screen takes silence for SYSTEM DOWN."""
SNAPSHOT_S = 11.0
"""What a screen gets at its start: a little more than the 10 s that it shows."""

_FRAME = struct.Struct("<BBHd")
_BLOCK = struct.Struct("<HHIdd")
_json = msgspec.json.Encoder()


def frame(blocks: list[tuple[int, Stretch, float]], *, sent_s: float) -> bytes:
    """Return the binary frame of stretches, each with its slot and the age of its end in ms.

    Examples
    --------
    >>> frame([], sent_s=2.0).hex()
    '010000000000000000000040'
    """
    parts = [_FRAME.pack(1, 0, len(blocks), sent_s)]
    for slot, stretch, age_ms in blocks:
        samples = stretch.samples
        parts.append(
            _BLOCK.pack(slot, samples.shape[1], len(samples), stretch.first_sample, age_ms)
        )
        parts.append(np.ascontiguousarray(samples.T, dtype="<i2").tobytes())
    return b"".join(parts)


def order_of_leads(recent: Recent) -> list[int]:
    """Return the columns to draw: ECG leads in a unit of voltage, the judged ones first."""
    ecg = [
        n
        for n, signal in enumerate(recent.signals)
        if signal.kind == "ecg" and adu_per_mv(signal) is not None
    ]
    status = recent.statuses.last()
    judged = [] if status is None else [quality.lead for quality in status.leads]
    place = {lead: n for n, lead in enumerate(judged)}
    return sorted(ecg, key=lambda n: (place.get(recent.signals[n].name, len(place)), n))


def text_of(event: AlarmEvent) -> str:
    """Return an alarm's text without the stars of its priority: screens set them themselves.

    One that was told late says by how much.
    """
    text = event.text.lstrip("* ")
    return text if event.late_s is None else f"{text} ({event.late_s:.0f} s late)"


def alarm_words(event: AlarmEvent) -> dict[str, Any]:
    """Return what a screen shows of an alarm."""
    return {
        "alarm_id": event.alarm_id,
        "code": event.code,
        "kind": event.kind,
        "priority": event.priority,
        "text": text_of(event),
        "holds": event.holds,
        "latched": event.latched,
        "acknowledged": event.acknowledged,
        "author": event.author,
        "onset_ms": event.onset_ns // 1_000_000,
    }


def state_of(recent: Recent) -> dict[str, Any]:
    """Return what a screen shows of a patient besides the trace."""
    registry = recent.registry
    status = recent.statuses.last()
    return {
        "patient": recent.patient,
        "bed": registry.bed if registry else "",
        "unit": registry.unit if registry else "",
        "label": registry.label if registry else "",
        "adult": registry.adult if registry else True,
        "paced": registry.paced if registry else False,
        "standby": registry.standby if registry else False,
        "discharged": registry.discharged if registry else False,
        "limits": {
            "hr_high": registry.limits.hr_high if registry else None,
            "hr_low": registry.limits.hr_low if registry else None,
        },
        "heart_rate": status.heart_rate_bpm if status else None,
        "v_per_min": recent.v_per_min(),
        "fit": status.fit if status else None,
        "reason": status.reason if status else None,
        "warm_up": status.warm_up if status else None,
        "model": status.model if status else None,
        "silenced_until_ms": (recent.silenced_until_ns() or 0) // 1_000_000 or None,
        "judged": status is not None,
        "alarms": [alarm_words(event) for event in recent.current_alarms()],
    }


@dataclass(slots=True)
class _Sent:
    """What one viewer has of one patient."""

    slot: int
    recent: Recent
    head: tuple[Any, ...] = ()
    """What its samples are drawn by: another head, and the trace begins anew."""
    leads: tuple[int, ...] = ()
    first: int = 0
    sample: int = 0
    beats: int = 0
    statuses: int = 0
    state: bytes = b""


class Feed:
    """What one viewer has been sent, and what is new for it.

    Parameters
    ----------
    view : View
        Where the news come from.
    entry : Pass
        Whose ECG this viewer may see; all leads of one patient, or of everybody
        the one lead that fits into a tile.
    snapshot_s : float, optional
        How much of the past it gets at its start, in s.
    """

    def __init__(self, view: View, entry: Pass, *, snapshot_s: float = SNAPSHOT_S) -> None:
        self._view = view
        self._entry = entry
        self._snapshot_s = snapshot_s
        self._sent: dict[str, _Sent] = {}
        self._slots = itertools.count()
        self._order: list[str] | None = None
        self._state_s = float("-inf")

    def tick(self) -> tuple[bytes | None, bytes | None]:
        """Return the JSON and then the binary frame of this tick; None where nothing is new."""
        view = self._view
        now_s, now_ns = view.monotonic_s(), view.wall_ns()
        present = view.patients()
        wanted = present if self._entry.patient is None else [self._entry.patient]
        messages: list[dict[str, Any]] = []
        blocks: list[tuple[int, Stretch, float]] = []
        before, self._sent = self._sent, {}
        with view.reading() as patients:
            for name in wanted:
                recent = patients.get(name)
                if recent is None:
                    continue
                sent = before.get(name)
                if sent is None or sent.recent is not recent:
                    sent = _Sent(next(self._slots) if sent is None else sent.slot, recent)
                self._sent[name] = sent
                self._news(recent, sent, messages)
                stretch = self._samples(recent, sent)
                if stretch is not None:
                    age_s = recent.age_s(now_ns=now_ns, now_s=now_s) or 0.0
                    blocks.append((sent.slot, stretch, age_s * 1000))
        changed = self._states(wanted)
        order = wanted if wanted != self._order else None
        if changed or order is not None or now_s - self._state_s >= STATE_EVERY_S:
            self._state_s, self._order = now_s, wanted
            messages.append(
                {
                    "type": "state",
                    "sent_s": now_s,
                    "server_ms": now_ns // 1_000_000,
                    "order": order,
                    "known": [name for name in wanted if name in present],
                    "down": [msgspec.to_builtins(part) for part in view.troubles()],
                    "patients": changed,
                }
            )
        return (
            _json.encode(messages) if messages else None,
            frame(blocks, sent_s=now_s) if blocks else None,
        )

    def _news(self, recent: Recent, sent: _Sent, messages: list[dict[str, Any]]) -> None:
        if not recent.signals:
            return
        leads = tuple(order_of_leads(recent))[: 3 if self._entry.patient else 1]
        head = (recent.stream, recent.fs, recent.signals, leads)
        if head != sent.head:
            sent.head, sent.leads = head, leads
            sent.first = max(0, recent.end_sample - round(self._snapshot_s * recent.fs))
            sent.sample = sent.first
            sent.beats = sent.statuses = 0
            messages.append(
                {
                    "type": "stream",
                    "slot": sent.slot,
                    "patient": recent.patient,
                    "stream": recent.stream,
                    "fs": recent.fs,
                    # a screen draws mV, whatever the unit
                    "leads": [
                        {
                            "name": signal.name,
                            "gain": adu_per_mv(signal),
                            "baseline": signal.baseline,
                        }
                        for signal in (recent.signals[n] for n in leads)
                    ],
                }
            )
        if recent.beats.count > sent.beats:
            beats = [b for b in recent.beats.after(sent.beats) if b.sample >= sent.first]
            sent.beats = recent.beats.count
            messages.append(
                {
                    "type": "beats",
                    "patient": recent.patient,
                    "beats": [
                        {
                            "sample": beat.sample,
                            "beat_class": beat.beat_class,
                            "score": beat.score,
                            "reason": beat.reason,
                        }
                        for beat in beats
                    ],
                }
            )
        if recent.statuses.count > sent.statuses:
            # the newest always: a lead may be off since before
            news = recent.statuses.after(sent.statuses)
            statuses = [s for s in news[:-1] if s.sample >= sent.first] + news[-1:]
            sent.statuses = recent.statuses.count
            messages.append(
                {
                    "type": "quality",
                    "patient": recent.patient,
                    "statuses": [
                        {
                            "sample": status.sample,
                            "leads": [msgspec.to_builtins(lead) for lead in status.leads],
                        }
                        for status in statuses
                    ],
                }
            )

    def _samples(self, recent: Recent, sent: _Sent) -> Stretch | None:
        if not sent.leads or sent.sample >= recent.end_sample:
            return None
        stretch = recent.stretch(sent.sample)
        if stretch is None:
            return None
        sent.sample = stretch.end_sample
        return _columns(stretch, sent.leads)

    def _states(self, wanted: list[str]) -> list[dict[str, Any]]:
        changed = []
        for name in wanted:
            sent = self._sent.get(name)
            if sent is None:
                continue
            down = [msgspec.to_builtins(part) for part in self._view.troubles(name)]
            with self._view.reading():
                state = state_of(sent.recent) | {"down": down}
            encoded = _json.encode(state)
            if encoded != sent.state:
                sent.state = encoded
                changed.append(state)
        return changed


def _columns(stretch: Stretch, leads: tuple[int, ...]) -> Stretch:
    return Stretch(
        stream=stretch.stream,
        fs=stretch.fs,
        signals=tuple(stretch.signals[n] for n in leads),
        first_sample=stretch.first_sample,
        samples=stretch.samples[:, list(leads)],
    )

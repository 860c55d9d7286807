"""When each piece of many sources is due, and what is sent then."""

import heapq
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from stream.feed import Feed, Piece
from stream.messages import Waveform
from stream.wire import pack_samples

logger = logging.getLogger(__name__)

_SECOND_NS = 1_000_000_000
_ROOM_WAIT_S = 0.02
_PROGRESS_NS = 100_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a replay has come, over all its patients."""

    patients: int
    messages: int = 0
    samples: int = 0
    """Samples sent, one a row, whatever the number of signals."""
    total_samples: int | None
    """All samples there are; None when they start again for ever."""
    skipped_samples: int = 0
    """Samples left out because the broker was away: gaps in the sample numbers."""


def replay(
    feeds: Sequence[Feed],
    *,
    stream: str,
    speed: float | None,
    send: Callable[[Waveform], bool],
    wait: Callable[[float], bool],
    on_progress: Callable[[Progress], None] | None = None,
    now_ns: Callable[[], int] = time.time_ns,
    monotonic_ns: Callable[[], int] = time.monotonic_ns,
) -> Progress:
    """Send the pieces of all feeds in the order in which they are due.

    A piece is due when its last sample would have been taken. Due times are
    computed from the start and the sample number alone, so they do not drift,
    and the patients' starts are spread over one chunk, so that they do not all
    send at once. The source's clock runs as its samples do: at other speeds
    than real time it is set back such that one pass ends now.

    Parameters
    ----------
    feeds : sequence of Feed
        One a patient.
    stream : str
        Stream id of all of them.
    speed : float or None
        Times real time; None for as fast as possible.
    send : callable
        Takes a message; False when there is no room for it. At a pace such a
        message is given up and its sample numbers stay out; without a pace it
        is offered again until there is room.
    wait : callable
        Waits that many s; True when the replay shall stop.
    on_progress : callable, optional
        Called some ten times a second and at the end.
    now_ns, monotonic_ns : callable
        The wall clock (UTC) and the clock that never jumps, in ns.

    Returns
    -------
    Progress
        What was sent in all.

    Raises
    ------
    ValueError
        If ``speed`` is not positive.
    """
    if speed is not None and speed <= 0:
        raise ValueError(f"speed must be positive, or None for no pace; got {speed}")
    start_ns = monotonic_ns()
    clocks = [
        _SourceClock(feed, index=i, of=len(feeds), start_ns=start_ns, speed=speed)
        for i, feed in enumerate(feeds)
    ]
    progress = Progress(patients=len(feeds), total_samples=_total(feeds))
    told_ns = start_ns
    losing = False
    # of equal due times, as without a pace, the earlier signal first: no patient runs ahead
    queue = [
        (clocks[i].due_ns(feed.end), feed.end / feed.source.fs, i)
        for i, feed in enumerate(feeds)
        if not feed.done
    ]
    heapq.heapify(queue)
    stopped = wait(0.0)
    while queue and not stopped:
        due_ns, _, i = queue[0]
        late_ns = monotonic_ns() - due_ns
        if late_ns < 0:
            stopped = wait(-late_ns / _SECOND_NS)
            continue
        feed = feeds[i]
        piece = feed.take()
        n = piece.end_sample - piece.first_sample
        sent = _offer(feed, piece, stream, clocks[i], now_ns, monotonic_ns, send)
        while not sent and speed is None and not stopped:
            stopped = wait(_ROOM_WAIT_S)
            sent = _offer(feed, piece, stream, clocks[i], now_ns, monotonic_ns, send)
        if sent:
            if losing:
                logger.warning(
                    "the broker takes samples again; %d samples of all patients were left out, "
                    "their sample numbers are a gap",
                    progress.skipped_samples,
                )
            losing = False
            progress = replace(
                progress, messages=progress.messages + 1, samples=progress.samples + n
            )
        elif not stopped:
            if not losing:
                logger.error(
                    "no room for samples because the broker is away; they are left out from "
                    "sample %d of patient %s on, as a gap in the sample numbers",
                    piece.first_sample,
                    feed.source.patient,
                )
            losing = True
            feed.lose(piece)
            progress = replace(progress, skipped_samples=progress.skipped_samples + n)
        if feed.done:
            heapq.heappop(queue)
        else:
            next_up = (clocks[i].due_ns(feed.end), feed.end / feed.source.fs, i)
            heapq.heapreplace(queue, next_up)
        if on_progress is not None and monotonic_ns() - told_ns >= _PROGRESS_NS:
            told_ns = monotonic_ns()
            on_progress(progress)
        stopped = stopped or wait(0.0)  # who is behind never waits above
    if on_progress is not None:
        on_progress(progress)
    return progress


class _SourceClock:
    """Turns sample numbers into times: when they are due, and when the source took them."""

    def __init__(
        self, feed: Feed, *, index: int, of: int, start_ns: int, speed: float | None
    ) -> None:
        self._fs = feed.source.fs
        self._speed = speed
        self._start_ns = start_ns
        back_s = 0.0
        if speed is None:
            back_s = feed.source.duration_s
        else:
            self._start_ns += round(feed.end / self._fs / speed * _SECOND_NS * index / of)
            back_s = feed.source.duration_s * max(0.0, 1 - 1 / speed)
        self._taken_ns = self._start_ns - round(back_s * _SECOND_NS)

    def due_ns(self, end_sample: int) -> int:
        """Return the monotonic time at which the samples before ``end_sample`` are complete."""
        if self._speed is None:
            return self._start_ns
        return self._start_ns + round(end_sample / self._fs / self._speed * _SECOND_NS)

    def source_ns(self, sample: int, *, utc_offset_ns: int) -> int:
        """Return when the source took ``sample``, in ns UTC."""
        return self._taken_ns + round(sample / self._fs * _SECOND_NS) + utc_offset_ns


def _offer(
    feed: Feed,
    piece: Piece,
    stream: str,
    clock: _SourceClock,
    now_ns: Callable[[], int],
    monotonic_ns: Callable[[], int],
    send: Callable[[Waveform], bool],
) -> bool:
    sent_ns = now_ns()
    # the offset is asked for every time, so that the source's clock follows the wall clock
    offset_ns = sent_ns - monotonic_ns()
    return send(
        Waveform(
            patient=feed.source.patient,
            stream=stream,
            first_sample=piece.first_sample,
            fs=feed.source.fs,
            source_ns=clock.source_ns(piece.first_sample, utc_offset_ns=offset_ns),
            sent_ns=sent_ns,
            discontinuity=piece.discontinuity,
            signals=feed.source.signals,
            samples=pack_samples(piece.samples, feed.source.signals),
        )
    )


def _total(feeds: Sequence[Feed]) -> int | None:
    if any(feed.loops for feed in feeds):
        return None
    return sum(feed.source.n_samples for feed in feeds)

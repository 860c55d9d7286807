"""A role of ours, and where its CPU time goes.

    python -m benchmarks.capacity.profiled FILE score --bootstrap ...

is ``rhythmwatch score --bootstrap ...`` with a clock beside it: a few hundred
times for each second of CPU time it is looked at which function is at work, and
the CPU time since the last look is that function's. It counts from SIGUSR1 to
SIGUSR2 and writes FILE then.
"""

import json
import signal
import sys
import threading
import time
from collections import defaultdict
from pathlib import Path
from types import FrameType

EVERY_S = 0.004
"""CPU time between two looks: the sampling itself takes below one per cent."""

STAGES: tuple[tuple[str, str, str], ...] = (
    # module, function ("" is any), stage; the first that fits the innermost function decides
    ("ecg.judge", "", "model"),
    ("ecg.model", "", "model"),
    ("ecg.tick", "", "signal"),
    ("ecg.kernel", "", "signal"),
    ("ecg.compiled", "", "signal"),
    ("ecg.intake", "", "signal"),
    ("ecg.filters", "", "signal"),
    ("ecg.bands", "", "signal"),
    ("ecg.qrs", "", "signal"),
    ("ecg.heart", "", "signal"),
    ("ecg.quality", "", "signal"),
    ("ecg.trial", "", "signal"),
    ("ecg.state", "", "state"),
    ("ecg.roster", "export", "state"),
    ("ecg.roster", "", "admit"),
    ("ecg.chunk", "", "decode"),
    ("ecg.call", "", "findings"),
    ("ecg.draft", "", "findings"),
    ("ecg.finding", "", "findings"),
    ("ecg.monitor", "", "tick"),
    ("ecg.turn", "", "tick"),
    ("ecg.segment", "", "tick"),
    ("stream.chunks", "", "decode"),
    ("stream.wire", "decode_waveform", "decode"),
    ("stream.wire", "", "encode"),
    ("stream.messages", "array", "decode"),
    ("stream.messages", "", "encode"),
    ("stream.kafka.consumer", "commit", "commit"),
    ("stream.kafka.offsets", "", "commit"),
    ("stream.kafka.producer", "", "send"),
    ("stream.kafka.batches", "", "send"),
    ("stream.kafka.cluster", "", "admit"),
    ("stream.kafka", "", "fetch"),
    ("stream.score_state", "", "state"),
    ("stream.score_output", "", "findings"),
    ("stream.watermark", "", "findings"),
    ("stream.metrics", "", "findings"),
    ("stream.ledger", "to_commit", "commit"),
    ("stream.ledger", "", "admit"),
    ("stream.score", "_commit", "commit"),
    ("stream.score", "", "admit"),
    ("stream.score_intake", "", "admit"),
)
OTHER = "other"
THREADS = "client's threads"
"""Threads of the Kafka client: it sends, and keeps the membership, on its own."""


def stage_of(frame: FrameType | None) -> str:
    """Return the stage that a stack of calls belongs to, from the innermost call outwards.

    A module of ours that no stage names is a stage of its own.
    """
    while frame is not None:
        module = str(frame.f_globals.get("__name__", ""))
        if module.startswith(("ecg", "stream")):
            function = frame.f_code.co_name
            for prefix, name, stage in STAGES:
                if (module == prefix or module.startswith(prefix + ".")) and name in ("", function):
                    return stage
            if module != "stream.role_commands":
                return module
        frame = frame.f_back
    return OTHER


class Sampler:
    """Looks at the main thread at intervals of CPU time.

    A look can only be taken between two steps of Python: during a long call into
    compiled code it waits, and finds that function still at work. Therefore each
    look stands for the CPU time since the last one, however long that is.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._by_stage: defaultdict[str, float] = defaultdict(float)
        self._last_s = self._whole_s = self._began_s = 0.0

    def install(self) -> None:
        """Wait for the signals that start and end it."""
        signal.signal(signal.SIGPROF, self._look)
        signal.signal(signal.SIGUSR1, self._start)
        signal.signal(signal.SIGUSR2, self._stop)

    def _start(self, _number: int, _frame: FrameType | None) -> None:
        self._by_stage.clear()
        self._last_s, self._began_s = time.thread_time(), time.process_time()
        signal.setitimer(signal.ITIMER_PROF, EVERY_S, EVERY_S)

    def _look(self, _number: int, frame: FrameType | None) -> None:
        now = time.thread_time()
        self._by_stage[stage_of(frame)] += now - self._last_s
        self._last_s = now

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)
        whole = time.process_time() - self._began_s
        stages = dict(self._by_stage)
        stages[THREADS] = max(0.0, whole - sum(stages.values()))
        # written at one go, for whoever waits for it
        beside = self._path.with_suffix(".part")
        beside.write_text(json.dumps(stages), encoding="utf-8")
        beside.rename(self._path)


def main() -> None:
    """Run the front door's command with the sampler beside it."""
    path = Path(sys.argv[1])
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("signals reach the main thread only: start this as a program")
    Sampler(path).install()
    sys.argv = ["rhythmwatch", *sys.argv[2:]]
    import rhythmwatch

    rhythmwatch.main()


if __name__ == "__main__":
    main()

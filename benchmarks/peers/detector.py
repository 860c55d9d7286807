"""sleepecg's detector, in C, on whole recordings in memory: no Kafka, no model, one lead."""

import time
from pathlib import Path

from benchmarks.capacity.feed import FS, open_feed
from benchmarks.peers.run import Order, Run

SIGNAL_S = 300.0


def detect(order: Order) -> Run:
    """Find the R peaks of the first minutes of every tape."""
    from sleepecg.heartbeats import detect_heartbeats

    feed = open_feed(Path(order.data) if order.data else None)
    n = round(SIGNAL_S * FS)
    leads = [
        ((tape.samples[:n, 0] - tape.baseline[0]) / tape.gain[0]).astype(float)
        for tape in feed.tapes
    ]
    detect_heartbeats(leads[0], FS)
    began = time.process_time()
    beats = sum(len(detect_heartbeats(lead, FS)) for lead in leads)
    used = time.process_time() - began
    return Run(patient_s=sum(len(lead) for lead in leads) / FS, cpu_s=used, beats=beats)

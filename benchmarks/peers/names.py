"""The peers by name, and which input each gets."""

BARE = "kafka-python, nothing done"
SLEEPECG = "sleepecg, QRS only, no Kafka"
WINDOWS = {"1-s windows": (1.0, 1.0), "10-s windows every 2 s": (10.0, 2.0)}
"""Length and time between two starts, in s: the cheapest form, and the usual one."""
PARTS = {
    f"parts, {detector}, {windows}": (detector, windows)
    for detector in ("xqrs", "NeuroKit2")
    for windows in WINDOWS
}
QUIX = {
    f"Quix Streams, {detector}, 1-s windows": (detector, "1-s windows")
    for detector in ("xqrs", "NeuroKit2")
}
NAMES = (BARE, SLEEPECG, *PARTS, *QUIX)
SLOW = tuple(name for name in NAMES if "xqrs" in name or "10-s" in name)
"""Their cost for a patient is the same whatever the number; with many the lead-in never ends."""

"""Run all benchmarks: ``python -m benchmarks``; those of recordings where they are set."""

import os

from benchmarks import monitor, quality

if __name__ == "__main__":
    monitor.main()
    if data := os.environ.get("RHYTHMWATCH_DATA"):
        quality.main(["--data", data])

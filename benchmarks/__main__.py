"""Run all benchmarks: ``python -m benchmarks``."""

from benchmarks import monitor

if __name__ == "__main__":
    monitor.main()

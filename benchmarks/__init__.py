"""Benchmarks: each prints a table and JSON, and runs its peers in the same call."""

"""Benchmarks: Zerotouch beside a rival in one run, on one machine. ``python -m benchmarks``; see README.md."""

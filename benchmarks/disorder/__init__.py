"""Runs of backups under random faults: what ``benchmarks/chaos`` does."""

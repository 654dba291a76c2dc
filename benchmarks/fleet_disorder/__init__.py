"""A whole fleet under random troubles: what ``benchmarks/chaos --fleet`` does."""

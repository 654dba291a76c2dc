"""What ``benchmarks/survive`` measures with."""

"""Benchmarks. Each compares in one run, on one machine; ratios are what counts."""

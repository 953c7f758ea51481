"""Benchmarks: ratios from one run, because machines differ and are noisy. `make bench` prints them all."""

"""Caches of values that can be made again. Losing them costs time and nothing else."""

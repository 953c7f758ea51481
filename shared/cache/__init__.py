"""Caches of what can be made again: losing them costs time and nothing else."""

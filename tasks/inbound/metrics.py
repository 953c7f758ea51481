"""Metrics of the journal's batches and what they held."""

from __future__ import annotations

from shared.telemetry.metrics import REQUESTS, Counter, Histogram

BATCHES = Counter("batches_total", "Batches of journal entries stored.")
BATCH_SIZE = Histogram("batch_size_requests", "Requests in a stored batch.", buckets=REQUESTS)
EVENTS = Counter("events_total", "Inbound events, by outcome.", ("kind", "outcome", "reason"))
REPEATS = Counter("repeated_requests_total", "Requests read a second time after a crash; they have no effect.")

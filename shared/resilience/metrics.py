"""Metrics of circuit breakers."""

from __future__ import annotations

from shared.telemetry.metrics import Counter, Gauge

BREAKER_CHANGES = Counter("breaker_changes_total", "Changes of a breaker to this state.", ("breaker", "state"))
BREAKERS_OPEN = Gauge(
    "breaker_open_processes",
    "Processes in which the breaker is open; of kinds with many (send, site, media), open ones over all processes.",
    ("breaker",),
)

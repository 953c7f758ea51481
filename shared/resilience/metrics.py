"""Metrics of circuit breakers."""

from __future__ import annotations

from shared.telemetry.metrics import Counter, Gauge

BREAKER_CHANGES = Counter("breaker_changes_total", "Changes of a breaker to this state.", ("breaker", "state"))
BREAKERS_OPEN = Gauge(
    "breaker_open_processes",
    "Processes in which the breaker is open; of kinds with many (send, site, media), open ones over all processes.",
    ("breaker",),
)
LIMIT_TAKES = Counter(
    "limit_takes_total",
    "What was asked of rate limits, by purpose and who asked (stranger, contact, agent, key): allowed, refused, or"
    " refused_again before the time that they were told to wait until.",
    ("purpose", "asker", "outcome"),
)

"""Metrics of cache look-ups."""

from __future__ import annotations

from shared.telemetry.metrics import Counter

CACHE = Counter(
    "cache_lookups_total", "Cache look-ups, by where the value was: near (this process), far (Redis), nowhere.",
    ("cache", "where"),
)  # fmt: skip
CACHE_BACKOFFS = Counter("cache_backoffs_total", "Times that a cache paused its use of Redis after a failure.")
INVALIDATIONS = Counter(
    "cache_invalidations_total",
    "What was told of changes to cached values: told, untold (Redis was away), heard (from others), subscribed.",
    ("event",),
)

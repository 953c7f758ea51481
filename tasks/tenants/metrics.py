"""Metrics of channels that a person should look after."""

from __future__ import annotations

from shared.telemetry.metrics import Counter

CHANNEL_ALERTS = Counter(
    "channel_alerts_total", "Alerts about channels that need a person.", ("platform", "alert", "meaning")
)

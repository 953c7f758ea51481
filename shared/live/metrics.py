"""Metrics of event streams of web pages and agents."""

from __future__ import annotations

from shared.telemetry.metrics import Gauge

STREAMS = Gauge("open_event_streams", "Event streams of web pages and agents that gateways hold open.")
STREAMS_ALLOWED = Gauge("allowed_event_streams", "Event streams that the gateways allow (WIDGET_STREAMS_MAX each).")

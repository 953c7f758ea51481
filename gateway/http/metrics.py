"""Metrics of the gateway's requests."""

from __future__ import annotations

from shared.telemetry.metrics import WEBHOOK_S, Counter, Gauge, Histogram

WEBHOOKS = Counter("webhooks_total", "Webhooks answered, accepted (200) and refused.", ("platform", "status"))
WEBHOOK = Histogram("webhook_seconds", "Time of a webhook from its head to its answer.", ("platform",),
                    buckets=WEBHOOK_S)  # fmt: skip
JOURNAL_APPEND = Histogram(
    "journal_append_seconds", "From a checked request until the journal has it.", buckets=WEBHOOK_S
)
REFUSING = Gauge("gateway_refusing_bool", "Gateways that refuse everything (503): the journal is nearly full, or old.")
HTTP = Histogram(
    "http_request_seconds", "Time until the answer to any other request begins.", ("handler", "status"),
    buckets=WEBHOOK_S,
)  # fmt: skip

"""Metrics of the gateway's requests."""

from __future__ import annotations

from shared.telemetry.metrics import WEBHOOK_S, Counter, Gauge, Histogram

WEBHOOKS = Counter("webhooks_total", "Webhooks answered, both accepted (200) and refused.", ("platform", "status"))
WEBHOOK = Histogram("webhook_seconds", "Time from a webhook's headers to its answer.", ("platform",),
                    buckets=WEBHOOK_S)  # fmt: skip
JOURNAL_APPEND = Histogram(
    "journal_append_seconds", "Time to append a verified request to the journal.", buckets=WEBHOOK_S
)
REFUSING = Gauge(
    "gateway_refusing_bool",
    "Gateways that refuse all webhooks (503): the journal is nearly full, or too old.",
)
HTTP = Histogram(
    "http_request_seconds", "Time until the answer to a request other than a webhook begins.", ("handler", "status"),
    buckets=WEBHOOK_S,
)  # fmt: skip

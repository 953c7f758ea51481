"""Metrics of audits of vector indexes."""

from __future__ import annotations

from shared.telemetry.metrics import SHARE, Counter, Histogram

RECALL = Histogram(
    "knowledge_recall_ratio", "Share of the exact ten nearest that a vector index finds, one company per audit.",
    buckets=SHARE,
)  # fmt: skip
RECALL_LOW = Counter("knowledge_recall_low_total", "Audits with a share below 0.95.")

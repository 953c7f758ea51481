"""Attachments."""

from __future__ import annotations

from shared.telemetry.metrics import Counter

MEDIA = Counter("media_total", "Attempts to fetch an attachment by how they ended.", ("platform", "outcome", "reason"))

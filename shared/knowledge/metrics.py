"""Metrics of searches: which embedding model ranked the passages."""

from __future__ import annotations

from shared.telemetry.metrics import Counter

KNOWLEDGE_RANKED = Counter(
    "knowledge_ranked_total", "Questions by the embedding model that ranked them; how: active, fallback, words (none).",
    ("embedding_model", "how"),
)  # fmt: skip

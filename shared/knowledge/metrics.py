"""What ranked the passages of a question."""

from __future__ import annotations

from shared.telemetry.metrics import Counter

KNOWLEDGE_RANKED = Counter(
    "knowledge_ranked_total", "Questions by the embedding model that ranked them; how: active, fallback, words (none).",
    ("embedding_model", "how"),
)  # fmt: skip

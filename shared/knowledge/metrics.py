"""What ranked the passages of a question."""

from __future__ import annotations

from shared.telemetry.metrics import Counter

KNOWLEDGE_RANKED = Counter(
    "knowledge_ranked_total", "Questions by the space that ranked them; how: active, fallback, words (no space).",
    ("space", "how"),
)  # fmt: skip

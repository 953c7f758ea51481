"""Metrics of model calls."""

from __future__ import annotations

from shared.telemetry.metrics import STAGE_S, Counter, Histogram

MODEL_ATTEMPTS = Counter("model_attempts_total", "Model calls, by outcome.", ("provider", "model", "outcome"))
MODEL_ATTEMPT = Histogram("model_attempt_seconds", "Duration of a model call.", ("provider", "model"), buckets=STAGE_S)
MODEL_BESIDE = Counter(
    "model_beside_calls_total", "Calls of models that write no answer (embedding, rerank), by outcome.",
    ("purpose", "outcome"),
)  # fmt: skip
UNRECORDED = Counter("model_unrecorded_calls_total", "Calls of models that could not be written to the ledger.")
TOKENS = Counter("model_tokens_total", "Tokens read (in) and written (out).", ("provider", "model", "direction"))

"""Metrics of model calls."""

from __future__ import annotations

from shared.telemetry.metrics import STAGE_S, Counter, Histogram

MODEL_ATTEMPTS = Counter("model_attempts_total", "Model calls, by outcome.", ("provider", "model", "outcome"))
MODEL_ATTEMPT = Histogram("model_attempt_seconds", "Duration of a model call.", ("provider", "model"), buckets=STAGE_S)
TOKENS = Counter("model_tokens_total", "Tokens read (in) and written (out).", ("provider", "model", "direction"))

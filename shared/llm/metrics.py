"""Metrics of model calls."""

from __future__ import annotations

from shared.telemetry.metrics import STAGE_S, Counter, Histogram

MODEL_ATTEMPTS = Counter("model_attempts_total", "Calls of models.", ("provider", "model", "outcome"))
MODEL_ATTEMPT = Histogram("model_attempt_seconds", "Time of a call.", ("provider", "model"), buckets=STAGE_S)
TOKENS = Counter("model_tokens_total", "Tokens read (in) and written (out).", ("provider", "model", "direction"))

"""Proof that a request comes from the platform: comparisons that take the same time whatever is wrong."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime


def equals_any(given: str | None, secrets: Sequence[str]) -> bool:
    """Whether `given` is one of the secrets. Every secret is tried, so that time tells nothing about which.

    No secrets, an empty secret or a missing value never match. Any text may be given, ASCII or not.
    """
    if not isinstance(given, str) or not given:
        return False
    candidate = given.encode("utf-8", "surrogatepass")
    matched = False
    for secret in secrets:
        matched |= hmac.compare_digest(candidate, secret.encode("utf-8", "surrogatepass"))
    return matched


def is_fresh(timestamp: str, now: datetime, tolerance_s: float) -> bool:
    """Whether a header's time, in whole seconds since 1970, is no further from now than the tolerance: older ones may
    have been recorded by somebody who sends them again."""
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        return False
    return abs(now.timestamp() - int(timestamp)) <= tolerance_s


def slack_signature(raw: bytes, timestamp: str, secret: str) -> str:
    signed = b"v0:" + timestamp.encode() + b":" + raw
    return "v0=" + hmac.new(_bytes(secret), signed, hashlib.sha256).hexdigest()


STANDARD_PREFIX = "whsec_"


def standard_key(secret: str) -> bytes | None:
    """The key in a `whsec_<base64>`, None if it holds none."""
    try:
        return base64.b64decode(secret.removeprefix(STANDARD_PREFIX), validate=True) or None
    except (binascii.Error, ValueError):
        return None


def standard_signature(raw: bytes, webhook_id: str, timestamp: str, key: bytes) -> str:
    """As `v1,<base64>`, https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md"""
    signed = _bytes(f"{webhook_id}.{timestamp}.") + raw
    return "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")

"""Proof that a request comes from the platform: comparisons that take the same time whatever is wrong."""

from __future__ import annotations

import hmac
from collections.abc import Sequence


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

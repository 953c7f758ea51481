"""Computes how long to wait before another attempt."""

from __future__ import annotations

from random import Random


def delay_s(attempt: int, base_s: float, cap_s: float, rng: Random) -> float:
    """Seconds before attempt number `attempt + 1`, where `attempt` (from 1) have failed.

    Full jitter: evenly between 0 and min(cap_s, base_s · 2^(attempt-1)), so that what failed together does not
    come back together. Raises ValueError if attempt is below 1.
    """
    if attempt < 1:
        raise ValueError(f"attempts count from 1, not {attempt}")
    # The exponent is bounded: 2.0 ** 1024 overflows, and no cap is that high.
    return rng.uniform(0.0, min(cap_s, base_s * 2.0 ** min(attempt - 1, 64)))

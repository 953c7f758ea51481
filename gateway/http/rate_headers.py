"""What an answer tells of rate limits: the fields `RateLimit-Policy` and `RateLimit` of the IETF's draft
(draft-ietf-httpapi-ratelimit-headers-11), and the refusal with `Retry-After`.

`X-RateLimit-*` are not sent: their reset is a time to some clients and seconds to others, and who reads neither has
`Retry-After`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from gateway.http.refused import Refused
from shared.model import Rate
from shared.resilience.limits import AtOnce, Decision, Limit, Standing

LENGTHS: Mapping[float, str] = {1.0: "second", 10.0: "10-seconds", 60.0: "minute", 3600.0: "hour"}
KIND = "quota-exceeded"


def purpose_of(limit: Limit) -> str:
    """The first word of its key."""
    return limit.key.partition(":")[0]


def name_of(limit: Limit) -> str:
    """How the fields name a limit: of one purpose there may be several."""
    if isinstance(limit, AtOnce):
        return f"{purpose_of(limit)}-at-once"
    if isinstance(limit, Rate):
        return purpose_of(limit)
    return f"{purpose_of(limit)}-{LENGTHS.get(limit.per_s, f'{limit.per_s:g}s')}"


def fields(decision: Decision) -> dict[str, str]:
    """Both fields, for an allowed request and for a refused one; none without limits."""
    if not decision.standings:
        return {}
    return {
        "ratelimit-policy": ", ".join(_policy(one.limit) for one in decision.standings),
        "ratelimit": ", ".join(_standing(one) for one in decision.standings),
    }


def _policy(limit: Limit) -> str:
    name = name_of(limit)
    if isinstance(limit, AtOnce):
        return f'"{name}";q={limit.count};qu="concurrent-requests"'
    quota = max(limit.count, limit.burst) if isinstance(limit, Rate) else limit.count
    return f'"{name}";q={quota};w={math.ceil(limit.per_s)}'


def _standing(standing: Standing) -> str:
    """t: for so long no more than r can be used."""
    told = f'"{name_of(standing.limit)}";r={standing.remaining}'
    return f"{told};t={math.ceil(standing.more_s)}" if standing.more_s > 0 else told


def too_many(decision: Decision) -> Refused:
    """The refusal of a request that a limit does not allow."""
    spent = [one for one in decision.standings if not one.remaining] or list(decision.standings)
    wait_s = max(1, math.ceil(decision.wait_s))
    used = " and ".join(_words(one.limit) for one in spent)
    return Refused(
        429, f"too many requests: {used} are used, ask again in {wait_s} s", wait_s, headers=fields(decision),
        error="too many requests: wait before the next", kind=KIND,
    )  # fmt: skip


def _words(limit: Limit) -> str:
    if isinstance(limit, AtOnce):
        return f"{limit.count:,} at once"
    return f"{limit.count:,} in {limit.per_s:g} s"


def used_up(name: str, count: int, wait_s: float) -> dict[str, str]:
    """The fields of a limit by the minute that a gateway counts by itself, and that allows nothing for wait_s."""
    return {
        "ratelimit-policy": f'"{name}";q={count};w=60',
        "ratelimit": f'"{name}";r=0;t={max(1, math.ceil(wait_s))}',
    }

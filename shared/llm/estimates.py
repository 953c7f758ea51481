"""What a request to models may cost at most, before it is made."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from shared.llm.tokens import MESSAGE_TOKENS
from shared.model import Usage
from shared.money import Price, cost_micros

BYTES_A_TOKEN = 3
"""Of usual text a token has more, in any script: three to five letters of Latin, one of Chinese, which is three bytes.
To count them as tokens.py does takes 2 ms for a long prompt, and this microseconds."""


def tokens_at_most(messages: Iterable[dict[str, Any]]) -> int:
    """How many tokens a prompt has, rather too many than too few."""
    return sum(
        MESSAGE_TOKENS + len(str(message.get("content") or "").encode("utf-8", "replace")) // BYTES_A_TOKEN + 1
        for message in messages
    )


def cost_at_most(price: Price, tokens_in: int, max_tokens: int) -> int:
    """What one call may cost, in millionths: nothing cached, as much written as may be, at its dearer price."""
    reasons = max_tokens if (price.reasoning_micros or 0) > price.out_micros else 0
    return cost_micros(price, Usage(tokens_in, max_tokens, reasoning_out=reasons))

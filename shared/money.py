"""What a model's tokens cost: prices and exact sums in millionths of a currency, as whole numbers."""

from __future__ import annotations

from dataclasses import dataclass

from shared.model import Usage

PER_TOKENS = 1_000_000
"""Prices are for so many tokens."""


@dataclass(frozen=True, slots=True)
class Price:
    """What a million tokens cost, in millionths of the currency. 0 is a price: free. What has no price at all has no
    Price.

    cached_in_micros: for tokens that the provider had in its cache, None: as all others. reasoning_micros: for tokens
    of reasoning, None: as all others that are written. request_micros: for a call as such, besides its tokens.
    """

    in_micros: int
    out_micros: int
    cached_in_micros: int | None = None
    reasoning_micros: int | None = None
    request_micros: int = 0


FREE = Price(0, 0)
"""What a model on a machine of our own costs."""


def cost_micros(price: Price, usage: Usage) -> int:
    """What a call cost, in millionths, rounded up once at the end; nothing if no token was used.

    More cached tokens than were read, or more reasoning than was written, are believed up to that. Never negative.
    The function model_cost in the database gives the same.
    """
    read, written = max(0, usage.tokens_in), max(0, usage.tokens_out)
    if not read + written:
        return 0
    cached = min(max(0, usage.cached_in), read)
    reasoning = min(max(0, usage.reasoning_out), written)
    cached_micros = price.in_micros if price.cached_in_micros is None else price.cached_in_micros
    reasoning_micros = price.out_micros if price.reasoning_micros is None else price.reasoning_micros
    total = (
        (read - cached) * price.in_micros
        + cached * cached_micros
        + (written - reasoning) * price.out_micros
        + reasoning * reasoning_micros
    )
    return -(-total // PER_TOKENS) + price.request_micros

"""Reads a list of prices in OpenRouter's format: {"data": [{"id": "maker/model", "pricing": {"prompt": "0.0025", …}}]}.

Its prices are US dollars a token (`request`: a call), as decimal text. Nothing in it is trusted: a model whose price is
negative, no number or out of all proportion is passed over, and so is one that stands there twice at different prices.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal, DecimalException
from typing import Any

import orjson

from shared.errors import Permanent
from shared.money import Price
from shared.store.models.prices import Named

MODELS_MAX = 20_000
NAME_CHARS = 200
DIGITS_MAX = 40
MICROS_MAX = 10**12
"""A dollar a token: no model costs so much."""
PER_TOKEN, PER_CALL = Decimal(10**12), Decimal(10**6)
"""From dollars a token to millionths a million tokens; from dollars a call to millionths."""
Key = tuple[str, str]
"""(maker, model)"""


class ListRefused(Permanent):
    """A list that is not taken; the prices of before stay. Its words say why."""

    def __init__(self, words: str) -> None:
        super().__init__("price_list_refused", words)


@dataclass(frozen=True, slots=True)
class PriceList:
    """prices: by maker and model, the maker empty where the list names none. passed_over: models that stand in it
    without a price that could be taken."""

    prices: Mapping[Key, Price]
    passed_over: frozenset[Key]

    @property
    def named(self) -> list[Named]:
        return [Named(model, maker, price) for (maker, model), price in self.prices.items()]

    @property
    def known(self) -> frozenset[Key]:
        return frozenset(self.prices) | self.passed_over


def read(body: bytes) -> PriceList:
    """Read a list. Raises ListRefused for what is none, or holds no price at all."""
    try:
        entries = orjson.loads(body)["data"]
    except (ValueError, TypeError, KeyError):
        raise ListRefused('the list of prices is not JSON of the form {"data": [{"id": …, "pricing": …}]}') from None
    if not isinstance(entries, list) or len(entries) > MODELS_MAX:
        raise ListRefused(f"the list of prices should name up to {MODELS_MAX} models under `data`")
    prices: dict[Key, Price] = {}
    passed_over: set[Key] = set()
    for entry in entries:
        key = _key(entry)
        if key is None:
            continue
        price = _price(entry.get("pricing"))
        if price is None or prices.get(key, price) != price:
            passed_over.add(key)
        else:
            prices[key] = price
    found = {key: price for key, price in prices.items() if key not in passed_over}
    if not found:
        raise ListRefused("the list of prices names no model with a price")
    return PriceList(found, frozenset(passed_over))


def _key(entry: Any) -> Key | None:
    name = entry.get("id") if isinstance(entry, dict) else None
    if not isinstance(name, str) or not 0 < len(name) <= NAME_CHARS or not name.isprintable() or name != name.strip():
        return None
    maker, slash, model = name.partition("/")
    if not slash:
        return "", name
    return (maker, model) if maker and model else None


def _price(pricing: Any) -> Price | None:
    """A model's price; None if it cannot be told. A price of nothing for cached tokens or reasoning says that they have
    none of their own: lists write it for models that have no cache."""
    if not isinstance(pricing, dict):
        return None
    read, written = _micros(pricing.get("prompt"), PER_TOKEN), _micros(pricing.get("completion"), PER_TOKEN)
    request = _micros(pricing.get("request") or "0", PER_CALL)
    if read is None or written is None or request is None:
        return None
    cached, reasoning = (
        _micros(pricing.get(name), PER_TOKEN) or None for name in ("input_cache_read", "internal_reasoning")
    )
    return Price(read, written, cached, reasoning, request)


def _micros(amount: Any, unit: Decimal) -> int | None:
    """An amount in millionths, rounded up; None if it is none."""
    if isinstance(amount, bool) or not isinstance(amount, str | int | float) or len(str(amount)) > DIGITS_MAX:
        return None
    try:
        exact = Decimal(str(amount)) * unit
        if not exact.is_finite() or not 0 <= exact <= MICROS_MAX:
            return None
        return int(exact.to_integral_value(ROUND_CEILING))
    except DecimalException:
        return None


def of_models(text: str) -> dict[str, Price]:
    """Read `NAME=IN/OUT`, a model's price of a million tokens in words. Raises ValueError."""
    name, _, amounts = text.rpartition("=")
    read, slash, written = amounts.partition("/")
    found = [_micros(amount, PER_CALL) for amount in (read, written)]
    if not name or not slash or None in found:
        raise ValueError(f"{text!r} should be NAME=IN/OUT, as gpt-4o-mini=0.15/0.60")
    return {name: Price(int(found[0] or 0), int(found[1] or 0))}

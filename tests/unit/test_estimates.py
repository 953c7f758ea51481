"""What a request may cost at most."""

from __future__ import annotations

import pytest

from shared.llm import tokens
from shared.llm.estimates import cost_at_most, tokens_at_most
from shared.money import Price

TEXTS = (
    "The shop opens at nine in the morning, and returns are accepted within thirty days of purchase.",
    "Der Laden öffnet um neun Uhr, und Rücksendungen nehmen wir innerhalb von dreißig Tagen an.",
    "Магазин открывается в девять утра, и возврат возможен в течение тридцати дней.",
    "商店早上九点开门，三十天内可以退货。",
    "متجرنا يفتح في التاسعة صباحا ويمكن الإرجاع خلال ثلاثين يوما",
)


@pytest.mark.parametrize("text", TEXTS)
def test_usual_text_in_any_script_is_estimated_above_what_it_has(text: str) -> None:
    messages: list[dict[str, object]] = [{"role": "user", "content": text * 20}]
    assert tokens.of_messages(messages) <= tokens_at_most(messages) <= 3 * tokens.of_messages(messages)


def test_a_lone_surrogate_or_no_content_is_no_error() -> None:
    assert tokens_at_most([{"content": "\ud800"}, {"content": None}, {}]) > 0


def test_the_dearest_way_to_use_the_tokens_is_assumed() -> None:
    assert cost_at_most(Price(1_000_000, 2_000_000, cached_in_micros=1), 10, 100) == 10 + 200
    assert cost_at_most(Price(1_000_000, 2_000_000, reasoning_micros=5_000_000), 10, 100) == 10 + 500
    assert cost_at_most(Price(1_000_000, 2_000_000, reasoning_micros=1), 10, 100) == 10 + 200
    assert cost_at_most(Price(0, 0, request_micros=7), 10, 100) == 7
    assert cost_at_most(Price(0, 0), 10, 100) == 0

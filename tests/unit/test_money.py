"""What tokens cost: exact, rounded up once, and never negative."""

from __future__ import annotations

from fractions import Fraction
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.llm.money import FREE, Price, cost_micros
from shared.model import Usage

PRICE = Price(150_000, 600_000, cached_in_micros=75_000, reasoning_micros=900_000, request_micros=5)

micros = st.integers(0, 10**15)
counts = st.integers(-5, 10_000_000)


@pytest.mark.parametrize(
    ("usage", "cost"),
    [
        (Usage(1_000_000, 0), 150_000 + 5),
        (Usage(0, 1_000_000), 600_000 + 5),
        (Usage(1_000_000, 0, cached_in=1_000_000), 75_000 + 5),
        (Usage(0, 1_000_000, reasoning_out=1_000_000), 900_000 + 5),
        (Usage(1, 0), 1 + 5),  # 0.15 of a millionth
        (Usage(6, 1), 2 + 5),  # 0.9 and 0.6: rounded once
        (Usage(0, 0), 0),  # nothing came of the call
        (Usage(10, 0, cached_in=10**9), 1 + 5),  # as many as were read, at most
        (Usage(-5, -5, cached_in=-1), 0),
    ],
)
def test_a_call_costs_its_tokens_at_their_prices(usage: Usage, cost: int) -> None:
    assert cost_micros(PRICE, usage) == cost


def test_what_has_no_price_of_its_own_costs_as_the_rest() -> None:
    assert cost_micros(Price(2_000_000, 4_000_000), Usage(10, 5, cached_in=4, reasoning_out=2)) == 40


def test_free_is_a_price() -> None:
    assert cost_micros(FREE, Usage(10_000_000, 10_000_000)) == 0


@given(micros, micros, st.none() | micros, st.none() | micros, micros, counts, counts, counts, counts)
def test_no_sum_is_off_by_a_millionth_or_negative(
    read: int, written: int, cached: int | None, reasoning: int | None, request: int, tokens_in: int, tokens_out: int,
    cached_in: int, reasoning_out: int,
) -> None:  # fmt: skip
    cost = cost_micros(
        Price(read, written, cached, reasoning, request),
        Usage(tokens_in, tokens_out, cached_in=cached_in, reasoning_out=reasoning_out),
    )

    all_in, all_out = max(0, tokens_in), max(0, tokens_out)
    kept, thought = min(max(0, cached_in), all_in), min(max(0, reasoning_out), all_out)
    exact = Fraction(
        (all_in - kept) * read
        + kept * (read if cached is None else cached)
        + (all_out - thought) * written
        + thought * (written if reasoning is None else reasoning),
        1_000_000,
    )
    assert cost == (ceil(exact) + request if all_in + all_out else 0)
    assert cost >= 0

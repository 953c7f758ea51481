"""Lists of prices: what is read of them, and what of theirs is believed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.money import Price
from standin.prices import price_list as of_standin
from tasks.models import price_list
from tasks.models.price_list import ListRefused


def _read(*entries: Any) -> price_list.PriceList:
    return price_list.read(json.dumps({"data": [*entries, _entry("good/one", prompt="1e-6", completion="0")]}).encode())


def _entry(name: object, **pricing: object) -> dict[str, object]:
    return {"id": name, "pricing": {key.replace("__", ""): value for key, value in pricing.items()}}


GOOD = {("good", "one"): Price(1_000_000, 0)}


def test_a_dollar_a_token_is_a_million_dollars_a_million_and_cents_are_exact() -> None:
    listed = _read(
        _entry(
            "openai/gpt-4o", prompt="0.0000025", completion="0.00001", input_cache_read="0.00000125",
            internal_reasoning="0.000012", request="0.005", image="0.003613",
        ),
        _entry("plain", prompt=0.00000015, completion=6e-7, input_cache_read="0", internal_reasoning="0"),
        _entry("a/free", prompt="0", completion="0"),
        _entry("a/tiny", prompt="0.0000000000001", completion="0"),
    )  # fmt: skip

    assert listed.prices == {
        ("openai", "gpt-4o"): Price(2_500_000, 10_000_000, 1_250_000, 12_000_000, 5_000),
        ("", "plain"): Price(150_000, 600_000),
        ("a", "free"): Price(0, 0),
        ("a", "tiny"): Price(1, 0),  # never cheaper than it is
        **GOOD,
    }
    assert listed.passed_over == frozenset()


@pytest.mark.parametrize(
    "pricing",
    [
        {"prompt": "-1", "completion": "-1"},
        {"prompt": "NaN", "completion": "0"},
        {"prompt": "Infinity", "completion": "0"},
        {"prompt": "2", "completion": "0"},
        {"prompt": "1e999999999", "completion": "0"},
        {"prompt": "1e-999999999", "completion": "x"},
        {"prompt": "0", "completion": None},
        {"prompt": "0"},
        {"prompt": True, "completion": "0"},
        {"prompt": ["0"], "completion": "0"},
        {"prompt": "0", "completion": "0", "request": "-0.1"},
        {"prompt": "0" * 1000 + "1", "completion": "0"},
        "free",
        None,
    ],
)
def test_a_price_that_cannot_be_is_passed_over_and_the_others_are_taken(pricing: object) -> None:
    listed = _read({"id": "bad/one", "pricing": pricing})

    assert listed.prices == GOOD
    assert listed.passed_over == {("bad", "one")}


@pytest.mark.parametrize("name", ["", " a", "a/", "/b", "a\nb", "x" * 201, 7, None, ["a"]])
def test_a_name_that_is_none_is_no_model(name: object) -> None:
    listed = _read(_entry(name, prompt="0", completion="0"), "no entry", None)

    assert (listed.prices, listed.passed_over) == (GOOD, frozenset())


def test_a_model_that_stands_there_twice_counts_if_both_agree() -> None:
    one, other = _entry("a/b", prompt="1e-6", completion="0"), _entry("a/b", prompt="2e-6", completion="0")

    assert _read(one, one).prices == {("a", "b"): Price(1_000_000, 0), **GOOD}
    for order in ((one, other, one), (other, one)):
        listed = _read(*order)
        assert listed.prices == GOOD
        assert listed.passed_over == {("a", "b")}


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"[]", b"{}", b'{"data": {}}', b'{"data": []}', b'{"data": [NaN]}', b'{"data": "x"}', b"\xff",
     b'{"data": [' * 2000, json.dumps({"data": [_entry(f"m{n}", prompt="0", completion="0") for n in range(20_001)]})
     .encode()],
)  # fmt: skip
def test_what_is_no_list_is_refused(body: bytes) -> None:
    with pytest.raises(ListRefused, match="list of prices"):
        price_list.read(body)


@given(st.text(max_size=50) | st.integers() | st.floats(allow_nan=False, allow_infinity=False))
def test_no_amount_is_an_error_or_negative(amount: object) -> None:
    listed = _read(_entry("a/b", prompt=amount, completion="0"))

    assert all(price.in_micros >= 0 for price in listed.prices.values())


def test_the_stand_in_s_list_is_read() -> None:
    listed = price_list.read(json.dumps(of_standin(400)).encode())

    assert (len(listed.prices), len(listed.passed_over)) == (399, 1)


def test_a_price_in_words() -> None:
    assert price_list.of_models("a=b=0.15/0.60") == {"a=b": Price(150_000, 600_000)}
    for text in ("gpt", "gpt=1", "=1/2", "gpt=1/x", "gpt=-1/2"):
        with pytest.raises(ValueError, match="NAME=IN/OUT"):
            price_list.of_models(text)

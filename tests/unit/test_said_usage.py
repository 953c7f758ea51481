"""What providers say that a call used, in each one's own form, and what is made of nonsense."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.llm import said_usage
from shared.llm.partial_completion import PartialCompletion, Showing
from shared.llm.sse import Event
from shared.model import Usage

FORMS: dict[str, tuple[dict[str, Any], Usage]] = {
    "openai": (
        {
            "prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150,
            "prompt_tokens_details": {"cached_tokens": 64, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 30, "accepted_prediction_tokens": 0},
        },
        Usage(100, 50, cached_in=64, reasoning_out=30),
    ),
    "openai's newer names": (
        {
            "input_tokens": 100, "output_tokens": 50, "total_tokens": 150,
            "input_tokens_details": {"cached_tokens": 64}, "output_tokens_details": {"reasoning_tokens": 30},
        },
        Usage(100, 50, cached_in=64, reasoning_out=30),
    ),
    "deepseek": (
        {
            "prompt_tokens": 100, "completion_tokens": 50, "prompt_cache_hit_tokens": 90,
            "prompt_cache_miss_tokens": 10, "completion_tokens_details": {"reasoning_tokens": 20},
        },
        Usage(100, 50, cached_in=90, reasoning_out=20),
    ),
    "moonshot": ({"prompt_tokens": 9, "completion_tokens": 2, "cached_tokens": 8}, Usage(9, 2, cached_in=8)),
    "anthropic": (
        {"input_tokens": 10, "output_tokens": 5, "cache_read_input_tokens": 80, "cache_creation_input_tokens": 20},
        Usage(110, 5, cached_in=80),
    ),
    "anthropic behind a proxy": (
        {"prompt_tokens": 90, "completion_tokens": 5, "cache_read_input_tokens": 80}, Usage(90, 5, cached_in=80),
    ),
    "xai": (
        {
            "prompt_tokens": 30, "completion_tokens": 10, "total_tokens": 340,
            "completion_tokens_details": {"reasoning_tokens": 300},
        },
        Usage(30, 310, reasoning_out=300),
    ),
    "gemini": (
        {"prompt_tokens": 30, "completion_tokens": 10, "total_tokens": 140}, Usage(30, 110, reasoning_out=100),
    ),
    "vllm": ({"prompt_tokens": 30, "completion_tokens": 10, "prompt_tokens_details": None}, Usage(30, 10)),
    "figures as text": ({"prompt_tokens": "30", "completion_tokens": 10.0}, Usage(30, 10)),
    "negative": ({"prompt_tokens": -30, "completion_tokens": -1, "cached_tokens": -4}, Usage()),
    "more cached than read": (
        {"prompt_tokens": 30, "completion_tokens": 10, "cached_tokens": 99}, Usage(30, 10, cached_in=30),
    ),
    "more reasoning than written": (
        {"prompt_tokens": 30, "completion_tokens": 10, "completion_tokens_details": {"reasoning_tokens": 11}},
        Usage(30, 10, reasoning_out=10),
    ),
    "truth values": ({"prompt_tokens": True, "completion_tokens": True}, Usage()),
    "not a number": ({"prompt_tokens": float("nan"), "completion_tokens": float("inf")}, Usage()),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_each_provider_s_form_is_read(form: str) -> None:
    said, usage = FORMS[form]

    assert said_usage.of_chat(said) == usage


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
names = st.sampled_from(
    [
        "prompt_tokens", "completion_tokens", "input_tokens", "output_tokens", "total_tokens", "cached_tokens",
        "prompt_cache_hit_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "reasoning_tokens",
        "prompt_tokens_details", "completion_tokens_details",
    ]
)  # fmt: skip


@given(anything | st.dictionaries(names, anything | st.dictionaries(names, anything)))
def test_whatever_a_server_says_is_read_without_an_error_and_never_negative(said: object) -> None:
    usage = said_usage.of_chat(said)

    assert 0 <= usage.cached_in <= usage.tokens_in
    assert 0 <= usage.reasoning_out <= usage.tokens_out
    assert said_usage.of_input(said) >= 0


def _heard(*bodies: dict[str, Any]) -> Usage:
    partial = PartialCompletion([{"role": "user", "content": "Hello?"}], "m", Showing.AS_IT_COMES)
    for body in bodies:
        partial.hear(Event("message", json.dumps(body)))
    assert partial.finish()[0] == "Nine."
    return partial.usage


ANSWER = {"choices": [{"delta": {"content": "Nine."}, "finish_reason": "stop"}]}


@pytest.mark.parametrize("usage", [["x"], "many", 7, {"prompt_tokens": "many"}, {"prompt_tokens": {"a": 1}}])
def test_nonsense_for_a_usage_loses_no_answer(usage: object) -> None:
    heard = _heard({**ANSWER, "usage": usage})

    assert heard.estimated
    assert heard.tokens_in > 0


def test_usage_comes_beside_the_choices_or_inside_one_and_the_last_word_counts() -> None:
    inside = {"choices": [{"delta": {}, "usage": {"prompt_tokens": 9, "completion_tokens": 2, "cached_tokens": 8}}]}

    assert _heard(ANSWER, inside) == Usage(9, 2, cached_in=8)
    assert _heard(ANSWER, {"choices": [], "usage": {"prompt_tokens": 9}}, inside) == Usage(9, 2, cached_in=8)
    assert _heard(ANSWER, inside, {"choices": [], "usage": {"completion_tokens": 3}}) == Usage(9, 3, cached_in=8)


@pytest.mark.parametrize(
    ("said", "tokens"),
    [
        ({"prompt_tokens": 7, "total_tokens": 7}, 7),
        ({"total_tokens": 5}, 5),
        ({}, 0),
        (None, 0),
        ({"prompt_tokens": -1}, 0),
    ],
)
def test_what_only_reads_is_counted_by_whichever_name(said: object, tokens: int) -> None:
    assert said_usage.of_input(said) == tokens

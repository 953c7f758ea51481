"""Reads what a provider says that a call used. Nothing in it is trusted: a count that is none, is negative or larger
than any call's is unknown, and an answer is not lost for it.

OpenAI, and most who copy it: `prompt_tokens`, `completion_tokens`, with `…_details` for cached tokens and reasoning;
the newer names are `input_tokens` and `output_tokens`. DeepSeek: `prompt_cache_hit_tokens`. Moonshot: `cached_tokens`.
Anthropic: `cache_read_input_tokens`, which its `input_tokens` does not contain. xAI and Gemini leave reasoning out of
what they count as written; only `total_tokens` contains it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from shared.model import Usage

TOKENS_MAX = 10_000_000
"""A larger count is an error of the server's."""
APART_MAX = 500_000
"""Nobody reasons in more tokens than so for one answer: more of `total_tokens` is not believed."""


def of_chat(said: object) -> Usage:
    """The usage of a chat call; 0 for what is not said. cached_in is at most tokens_in, reasoning_out at most
    tokens_out."""
    if not isinstance(said, dict):
        return Usage()
    read, written = _first(said, "prompt_tokens"), _first(said, "completion_tokens", "output_tokens")
    cached = _first(
        said, "prompt_cache_hit_tokens", "cached_tokens", "cache_read_input_tokens"
    ) or _detail(said, ("prompt_tokens_details", "input_tokens_details"), "cached_tokens")  # fmt: skip
    if not read:
        read = _first(said, "input_tokens")
        if read and ("cache_read_input_tokens" in said or "cache_creation_input_tokens" in said):
            read += _first(said, "cache_read_input_tokens") + _first(said, "cache_creation_input_tokens")
    details = ("completion_tokens_details", "output_tokens_details")
    reasoning = _detail(said, details, "reasoning_tokens") or _first(said, "reasoning_tokens")
    apart = _first(said, "total_tokens") - read - written
    if read and written and 0 < apart <= APART_MAX and reasoning in (0, apart):
        written, reasoning = written + apart, apart
    return clamped(Usage(read, written, cached_in=cached, reasoning_out=reasoning))


def of_input(said: object) -> int:
    """Tokens that a call read which writes none (embeddings, rerank); 0 if it is not said."""
    return _first(said, "prompt_tokens", "input_tokens", "total_tokens") if isinstance(said, dict) else 0


def later(before: Usage, now: Usage) -> Usage:
    """What is known after a further report of the same call: counts that it does not repeat stay."""
    return clamped(
        Usage(
            now.tokens_in or before.tokens_in,
            now.tokens_out or before.tokens_out,
            cached_in=now.cached_in or before.cached_in,
            reasoning_out=now.reasoning_out or before.reasoning_out,
        )
    )


def clamped(usage: Usage) -> Usage:
    """The usage with no more cached tokens than were read and no more reasoning than was written."""
    return replace(
        usage,
        cached_in=min(usage.cached_in, usage.tokens_in),
        reasoning_out=min(usage.reasoning_out, usage.tokens_out),
    )


def _first(said: dict[str, Any], *names: str) -> int:
    return next((count for name in names if (count := _count(said.get(name)))), 0)


def _detail(said: dict[str, Any], groups: tuple[str, ...], name: str) -> int:
    found = (said.get(group) for group in groups)
    return next((count for group in found if isinstance(group, dict) and (count := _count(group.get(name)))), 0)


def _count(value: object) -> int:
    """A count of tokens; 0, which is unknown, for what is none."""
    if isinstance(value, str) and len(value) < 12 and value.isascii() and value.isdigit():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0
    return int(value) if 0 < value <= TOKENS_MAX else 0

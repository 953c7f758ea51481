"""A list of models' prices in OpenRouter's format, at `/v1/prices`: it asks for no key, as the real one does not.
`?models=N` names how many models it has."""

from __future__ import annotations

from typing import Any

MAKERS = ("openai", "anthropic", "google", "mistralai", "deepseek", "qwen", "meta-llama", "x-ai")
MODELS_DEFAULT, MODELS_MAX = 400, 10_000


def price_list(models: int) -> dict[str, Any]:
    """So many models, the same each time; each eighth is free, some have no cache and some no price (a router)."""
    return {"data": [_entry(number) for number in range(min(models, MODELS_MAX))]}


def _entry(number: int) -> dict[str, Any]:
    maker = MAKERS[number % len(MAKERS)]
    name = "gpt-4o-mini" if number == 0 else f"model-{number}"
    if number == 7:
        return {"id": f"{maker}/auto", "pricing": {"prompt": "-1", "completion": "-1"}}
    read = 0 if number % 8 == 5 else 15 + number % 90
    return {
        "id": f"{maker}/{name}",
        "name": f"{maker}: {name}",
        "context_length": 128_000,
        "pricing": {
            "prompt": f"0.{read:08d}",
            "completion": f"0.{4 * read:08d}",
            "request": "0",
            "image": "0.000217",
            "input_cache_read": "0" if number % 3 else f"0.{read:09d}",
            "internal_reasoning": "0",
        },
    }

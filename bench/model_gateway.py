"""A call of a model as a worker makes it: for bench.model_clients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from shared import settings
from shared.resources import open_resources

DEADLINE_S = 30.0


def caller(messages: list[dict[str, Any]]) -> Callable[[], str]:
    """Return what makes one call with the environment's settings."""
    resources = open_resources(settings.load(), name="bench")
    router = resources.router
    assert router is not None

    def call() -> str:
        return resources.loop.run(router.complete(messages, DEADLINE_S), timeout_s=DEADLINE_S + 1).text

    return call

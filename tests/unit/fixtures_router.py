"""A router whose providers answer as a test says, on a clock of its own."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from random import Random
from typing import Any, TypeVar

import httpx
import pytest

from shared.clock import FixedClock
from shared.llm.api import is_neutral
from shared.llm.provider import Provider
from shared.llm.router import NoModelAnswered, Router
from shared.model import Completion
from shared.resilience.breaker import Breakers

T = TypeVar("T")
MESSAGES = [{"role": "user", "content": "question"}]
ANSWER = httpx.Response(
    200,
    content=b"data: "
    + json.dumps({"choices": [{"delta": {"content": "Yes [1]."}, "finish_reason": "stop"}]}).encode()
    + b"\n\ndata: [DONE]\n\n",
)


def run(coro: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(asyncio.wait_for(coro, 20))


def up(number: int) -> httpx.Response:
    return ANSWER


class World:
    """Providers whose answers are given by host, and a count of what each was asked."""

    def __init__(self, *hosts: str, **router: Any) -> None:
        self.clock = FixedClock(datetime(2030, 1, 1, tzinfo=UTC))
        self.answers: dict[str, Callable[[int], httpx.Response]] = {}
        self.asked: dict[str, int] = dict.fromkeys(hosts, 0)
        self.breakers = Breakers(clock=self.clock, neutral=is_neutral)
        http = httpx.AsyncClient(transport=httpx.MockTransport(self._answer))
        providers = [
            Provider(http, name=host, base_url=f"http://{host}/v1", api_key="k", model="m", max_tokens=9)
            for host in hosts
        ]
        self.router = Router(providers, self.breakers, clock=self.clock, rng=Random(1), **router)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        host = request.url.host
        self.asked[host] += 1
        return self.answers.get(host, up)(self.asked[host])

    def ask(self, deadline_s: float = 55.0) -> Completion:
        return run(self.router.complete(MESSAGES, deadline_s))

    def fail(self, deadline_s: float = 55.0) -> NoModelAnswered:
        with pytest.raises(NoModelAnswered) as caught:
            self.ask(deadline_s)
        return caught.value


def outcomes(of: Completion | NoModelAnswered) -> list[tuple[str, str]]:
    return [(attempt.provider, attempt.outcome) for attempt in of.attempts]


def down(number: int) -> httpx.Response:
    return httpx.Response(503)

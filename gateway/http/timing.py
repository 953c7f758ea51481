"""Measures how long requests other than webhooks wait for their response, by handler."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from time import perf_counter
from typing import Any

from gateway.http import metrics

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]


def timed(scope: Message, send: Send) -> Send:
    """A `send` that takes the time when the answer begins: of a stream of events that is its head."""
    began = perf_counter()

    async def send_timed(message: Message) -> None:
        if message["type"] == "http.response.start":
            metrics.HTTP.observe(perf_counter() - began, _handler(scope), str(message["status"]))
        await send(message)

    return send_timed


def _handler(scope: Message) -> str:
    """`module.function`, which the router has left in the scope; never the path, which bears ids."""
    endpoint = scope.get("endpoint")
    if endpoint is None:
        return "none"
    return f"{endpoint.__module__.rpartition('.')[2]}.{getattr(endpoint, '__name__', type(endpoint).__name__)}"

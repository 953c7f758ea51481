"""The HTTP edge: one ASGI app; its lifespan opens and closes what it holds.

Webhooks are the hot path and are answered without a framework in between; everything else is Starlette's.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

import structlog
from starlette.applications import Starlette
from starlette.routing import Route

from gateway import health, inbox, metrics
from gateway.edge import Edge, open_edge
from gateway.webhooks import Webhooks
from shared import settings
from shared.telemetry import logs
from shared.telemetry import metrics as telemetry

log = structlog.get_logger(__name__)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Gateway:
    """`/webhooks/…` goes straight to its handler; other paths and the lifespan go to Starlette."""

    def __init__(self, load: Callable[[], settings.Settings] = settings.load) -> None:
        self._load = load
        self._webhooks: Webhooks | None = None
        self._pages = Starlette(
            routes=[
                Route("/health/live", health.live),
                Route("/health/ready", health.ready),
                Route("/metrics", metrics.show),
                *inbox.ROUTES,
            ],
            lifespan=self._lifespan,
            exception_handlers=inbox.EXCEPTION_HANDLERS,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith("/webhooks/") and self._webhooks is not None:
            await self._webhooks(scope, receive, send)
        else:
            try:
                await self._pages(scope, receive, send)
            except Exception as e:
                if scope["type"] != "http":
                    raise
                # Starlette has answered 500 and raises again; the server would print the error's text
                log.error("request_failed", exc_info=e)

    @asynccontextmanager
    async def _lifespan(self, pages: Starlette) -> AsyncIterator[None]:
        config = self._load()
        logs.configure(config.log_level, process="gateway")
        edge: Edge = open_edge(config)
        pages.state.edge = edge
        telemetry.configure(config.metrics_folder)
        watch = pages.state.watch = metrics.Watch(edge)
        self._webhooks = Webhooks(edge)
        try:
            yield
        finally:
            self._webhooks = None
            watch.close()
            await edge.close()
            telemetry.close()


app = Gateway()

"""The HTTP edge: one ASGI app; its lifespan opens and closes what it holds.

Webhooks are the hot path and are answered without a framework in between; everything else is Starlette's.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from types import FrameType
from typing import Any

import structlog
from starlette.applications import Starlette

from gateway.api import (
    described,
    health,
    liveness,
    media,
    metrics,
    operations,
)
from gateway.api.routers import ROUTERS
from gateway.api.searching import Searcher
from gateway.http import refused
from gateway.http.edge import Edge, open_edge
from gateway.http.moved import moved
from gateway.http.timing import timed
from gateway.openai import endpoint as openai
from gateway.openai.endpoint import OpenAi
from gateway.rest import docs
from gateway.rest.dispatch import Api
from gateway.webhooks.endpoint import Webhooks
from gateway.widget import endpoint as widget
from shared import settings
from shared.telemetry import log_files, logs
from shared.telemetry import metrics as telemetry

log = structlog.get_logger(__name__)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


ROUTES = [
    *liveness.ROUTES,
    *health.ROUTES,
    *metrics.ROUTES,
    *widget.ROUTES,
    *media.ROUTES,
    *described.ROUTES,
    *docs.ROUTES,
]
GONE = [
    *operations.MOVED,
    *moved("/assistants", "/api/v1/assistants"),
    *moved("/inbox/conversations", "/api/v1/conversations"),
    *moved("/inbox/channels", "/api/v1/channels"),
    *moved("/knowledge/documents", "/api/v1/documents"),
    *moved("/knowledge/sites", "/api/v1/sites"),
    *moved("/knowledge/imports", "/api/v1/imports"),
    *moved("/knowledge/search", "/api/v1/search"),
]
"""Addresses of former versions."""


class Gateway:
    """`/webhooks/…` goes straight to its handler, `/api/…` to its operations, `/v1/…` to models; other paths and the
    lifespan go to Starlette."""

    def __init__(self, load: Callable[[], settings.Settings] = settings.load) -> None:
        self._load = load
        self._webhooks: Webhooks | None = None
        self._openai: OpenAi | None = None
        self._pages = Starlette(
            routes=[*ROUTES, *GONE],
            lifespan=self._lifespan,
            exception_handlers=refused.EXCEPTION_HANDLERS,
        )
        self._api = Api(ROUTERS, self._pages)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith("/webhooks/") and self._webhooks is not None:
            await self._webhooks(scope, receive, send)
        elif scope["type"] == "http" and scope["path"].startswith("/api/v1/") and scope["path"] != described.PATH:
            await self._api(scope, receive, timed(scope, send))
        elif scope["type"] == "http" and scope["path"].startswith(openai.PREFIX) and self._openai is not None:
            await self._openai(scope, receive, timed(scope, send))
        else:
            try:
                await self._pages(scope, receive, timed(scope, send) if scope["type"] == "http" else send)
            except Exception as e:
                if scope["type"] != "http":
                    raise
                # Starlette has answered 500 and raises again; the server would print the error's text
                log.error("request_failed", exc_info=e)

    @asynccontextmanager
    async def _lifespan(self, pages: Starlette) -> AsyncIterator[None]:
        config = self._load()
        logs.configure(config.system.log_level, process="gateway")
        log_files.follow(settings.log_file())
        edge: Edge = open_edge(config)
        pages.state.edge = edge
        telemetry.configure(config.metrics_folder)
        edge.streams.tell()
        watch = pages.state.watch = metrics.Watch(edge)
        desk = pages.state.desk = operations.Desk(edge)
        looks = pages.state.vitals = health.Vitals(edge)
        readiness = pages.state.readiness = liveness.Readiness(edge)
        searcher = pages.state.searcher = Searcher(edge)
        self._webhooks = Webhooks(edge)
        self._openai = OpenAi(edge)
        edge.hub.start()
        edge.tally.start()
        edge.load_shedder.start()
        _on_sigterm(edge.hub.stop_watching)
        try:
            yield
        finally:
            self._webhooks = None
            watch.close()
            desk.close()
            looks.close()
            readiness.close()
            searcher.close()
            await self._openai.close()
            await edge.close()
            telemetry.close()


def _on_sigterm(stop: Callable[[], None]) -> None:
    """End the event streams at SIGTERM: the server waits for open responses, then kills, and only then would the
    lifespan end. The server's own handling goes on: asyncio learns of the signal by a descriptor, not by this."""
    loop, before = asyncio.get_running_loop(), signal.getsignal(signal.SIGTERM)

    def on_signal(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(stop)
        if callable(before):
            before(number, frame)

    if callable(before) and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, on_signal)
        signal.siginterrupt(signal.SIGTERM, False)


app = Gateway()

"""Liveness and readiness, without a framework's opinion."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.api.media import anybody
from gateway.http.edge import Edge
from gateway.http.parameters import Asked
from gateway.http.resource import Operation, Resource
from shared.errors import DatabaseRefused, DatabaseUnavailable, JournalUnavailable

DATABASE_WITHIN_S = 0.5
"""Below the second that probes wait by default: a database that is away must not make the gateway seem so."""


async def live(request: Request, asked: Asked) -> Response:
    """The process answers. Says nothing about what it depends on: a restart would not mend that."""
    return JSONResponse({"ok": True})


async def ready(request: Request, asked: Asked) -> Response:
    """Whether webhooks are taken, by what they themselves go by: 503 while the journal would refuse them, or while the
    database is away and this gateway knows no app yet. With apps known, a database that is away is only reported: the
    journal gathers what comes for them, so taking the gateway out would only lose webhooks."""
    edge: Edge = request.app.state.edge
    checks = {"journal": "ok", "database": "ok"}
    try:
        await edge.journal.check()
    except JournalUnavailable as e:
        checks["journal"] = f"takes no webhooks: {e}"

    def ask() -> None:
        with edge.db.connection() as conn:
            conn.execute("/* health.ready */ SELECT 1")

    try:
        await asyncio.wait_for(edge.in_thread(ask), DATABASE_WITHIN_S)
    except DatabaseRefused:
        checks["database"] = "refused: see the gateway's log, or run ./switchboard doctor"
    except (DatabaseUnavailable, TimeoutError):
        checks["database"] = "unavailable"
    knows_apps = checks["database"] == "ok" or edge.apps.knows_any
    if not knows_apps:
        checks["database"] += "; this gateway knows no app yet, so it refuses every webhook until the database is back"
    ok = checks["journal"] == "ok" and knows_apps
    return JSONResponse({"ok": ok, "checks": checks}, status_code=200 if ok else 503)


ROUTES = [
    Resource("/health/live", {"GET": Operation(live, anybody)}),
    Resource("/health/ready", {"GET": Operation(ready, anybody)}),
]

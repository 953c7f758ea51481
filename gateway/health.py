"""Liveness and readiness, without a framework's opinion."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse

from gateway.edge import Edge
from shared.errors import DatabaseUnavailable, JournalUnavailable


async def live(request: Request) -> JSONResponse:
    """The process answers. Says nothing about what it depends on: a restart would not mend that."""
    return JSONResponse({"ok": True})


async def ready(request: Request) -> JSONResponse:
    """Whether webhooks can be taken: the journal must answer. The database is reported; while it is away the
    journal gathers what comes from known apps, so taking the gateway out would only lose webhooks."""
    edge: Edge = request.app.state.edge
    checks = {"journal": "ok", "database": "ok"}
    try:
        await edge.journal.ping()
    except JournalUnavailable:
        checks["journal"] = "unavailable"

    def ask() -> None:
        with edge.db.connection() as conn:
            conn.execute("/* health.ready */ SELECT 1")

    try:
        await edge.in_thread(ask)
    except DatabaseUnavailable:
        checks["database"] = "unavailable"
    ok = checks["journal"] == "ok"
    return JSONResponse({"ok": ok, "checks": checks}, status_code=200 if ok else 503)

"""Liveness and readiness of this gateway."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.api.media import anybody
from gateway.http.edge import Edge
from gateway.http.parameters import Parameters
from gateway.http.resource import Operation, Resource
from shared.errors import DatabaseRefused, DatabaseUnavailable, JournalUnavailable

DATABASE_WITHIN_S = 0.5
"""Below the second that probes wait by default: a database that is away must not make the gateway seem so."""
KEPT_S = 1.0
OK = "ok"


async def live(request: Request, asked: Parameters) -> Response:
    """Answer that this process runs. Says nothing about services: a restart would not bring those back."""
    return JSONResponse({"ok": True})


class Readiness:
    """One look at a time, kept a moment and shared by all who ask: however often strangers do, it costs the same. The
    writer's connections are not used for it, nor more than one of the threads and connections to the database."""

    def __init__(self, edge: Edge) -> None:
        self._edge = edge
        self._look: asyncio.Task[dict[str, str]] | None = None
        self._looked_at_s = 0.0
        self._database: asyncio.Task[None] | None = None

    async def checks(self) -> dict[str, str]:
        """Return the state of what webhooks need, as words. What this process knows by itself is never a moment
        old."""
        try:
            self._edge.journal.check_room()
        except JournalUnavailable as e:
            return {**await self._looked(), "journal": _takes_none(e)}
        return await self._looked()

    async def _looked(self) -> dict[str, str]:
        now_s = self._edge.clock.monotonic_s()
        if self._look is None or (self._look.done() and now_s - self._looked_at_s >= KEPT_S):
            self._looked_at_s = now_s
            self._look = asyncio.create_task(self._examine())
        return await asyncio.shield(self._look)

    async def _examine(self) -> dict[str, str]:
        checks = {"journal": OK, "database": OK}
        try:
            await self._edge.journal.check_server()
        except JournalUnavailable as e:
            checks["journal"] = _takes_none(e)
        try:
            await self._ask_database()
        except DatabaseRefused:
            checks["database"] = "refused: see the gateway's log, or run ./switchboard doctor"
        except (DatabaseUnavailable, TimeoutError):
            checks["database"] = "unavailable"
        return checks

    async def _ask_database(self) -> None:
        """Raises DatabaseUnavailable, TimeoutError. A thread that hangs is waited for again, not joined by another."""

        def ask() -> None:
            with self._edge.db.connection() as conn:
                conn.execute("/* health.ready */ SELECT 1")

        if self._database is None or self._database.done():
            self._database = asyncio.create_task(self._edge.in_thread(ask))
            self._database.add_done_callback(lambda task: task.cancelled() or task.exception())
        await asyncio.wait_for(asyncio.shield(self._database), DATABASE_WITHIN_S)

    def close(self) -> None:
        for task in (self._look, self._database):
            if task is not None:
                task.cancel()


def _takes_none(error: JournalUnavailable) -> str:
    return f"takes no webhooks: {error}"


async def ready(request: Request, asked: Parameters) -> Response:
    """Whether webhooks are taken, by what they themselves go by: 503 while the journal would refuse them, or while the
    database is away and this gateway knows no app yet. With apps known, a database that is away is only reported: the
    journal gathers what comes for them, so taking the gateway out would only lose webhooks."""
    edge: Edge = request.app.state.edge
    readiness: Readiness = request.app.state.readiness
    checks = dict(await readiness.checks())
    knows_apps = checks["database"] == OK or edge.apps.knows_any
    if not knows_apps:
        checks["database"] += "; this gateway knows no app yet, so it refuses every webhook until the database is back"
    ok = checks["journal"] == OK and knows_apps
    return JSONResponse({"ok": ok, "checks": checks}, status_code=200 if ok else 503)


ROUTES = [
    Resource("/health/live", {"GET": Operation(live, anybody)}),
    Resource("/health/ready", {"GET": Operation(ready, anybody)}),
]

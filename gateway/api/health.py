"""`GET /health`: every check of the registry as JSON, for operators (OPS_TOKEN). One look at a time, kept a while."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Any

import redis
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.api.operators import operator
from gateway.http.edge import Edge
from gateway.http.parameters import Parameters
from gateway.http.resource import Operation, Resource
from shared.errors import DatabaseUnavailable
from shared.store.db.redis import connect
from tasks.operations import health
from tasks.operations.health import CheckContext

KEPT_S = 5.0
WITHIN_S = 5.0
STATEMENT_MS = 3_000
SOCKET_S = 1.0


class Vitals:
    def __init__(self, edge: Edge) -> None:
        self._edge = edge
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="vitals")
        self._clients = {name: _client(edge.settings.need(name)) for name in ("JOURNAL_URL", "BROKER_URL", "CACHE_URL")}
        self._look: asyncio.Task[dict[str, Any]] | None = None
        self._looked_at_s = -KEPT_S

    async def report(self) -> dict[str, Any] | None:
        """Return the newest result; None while the first one takes too long."""
        now_s = self._edge.clock.monotonic_s()
        if self._look is None or (self._look.done() and now_s - self._looked_at_s >= KEPT_S):
            self._looked_at_s = now_s
            self._look = asyncio.create_task(self._in_thread())
        try:
            return await asyncio.wait_for(asyncio.shield(self._look), WITHIN_S)
        except TimeoutError:
            return None

    async def _in_thread(self) -> dict[str, Any]:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._ask)

    def _ask(self) -> dict[str, Any]:
        try:
            with self._edge.db.transaction() as conn:
                conn.execute(
                    "/* health.bound */ SELECT set_config('statement_timeout', %s, true)", (str(STATEMENT_MS),)
                )
                found = health.examine(self._visit(conn))
        except DatabaseUnavailable:
            found = health.examine(self._visit(None))
        wrong = health.problems(found)
        return {"ok": not wrong, "problems": wrong, "checks": {name: asdict(one) for name, one in found.items()}}

    def _visit(self, conn: Any) -> CheckContext:
        journal, broker, cache = self._clients.values()
        return CheckContext(self._edge.settings, self._edge.clock.now(), conn, journal, broker, cache)

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)
        for client in self._clients.values():
            if client is not None:
                client.close()


def _client(url: str) -> redis.Redis | None:
    return connect(url, socket_timeout_s=SOCKET_S) if url.startswith(("redis://", "rediss://")) else None


async def show(request: Request, asked: Parameters) -> Response:
    """200 with what was found, also where something is wrong: `ok` says it. 503 where nothing could be found out."""
    vitals: Vitals = request.app.state.vitals
    report = await vitals.report()
    if report is None:
        return JSONResponse({"ok": False, "problems": {"health": "the look takes too long"}}, status_code=503)
    return JSONResponse(report)


ROUTES = [Resource("/health", {"GET": Operation(show, operator)})]

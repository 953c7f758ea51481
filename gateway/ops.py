"""`/ops/…`: the balance, parked events and uncertain sends, for the bearer of OPS_TOKEN. JSON in, JSON out.

What is said in a request's body is shown only when it is asked for (`?content=1`), and that it was is logged.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any, TypeVar

import orjson
import structlog
from redis.exceptions import RedisError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway.edge import Edge
from gateway.operators import not_operator
from shared.channels.body import decode_object
from shared.errors import DatabaseUnavailable
from shared.store import balance, outbound, parked
from shared.store.journal import Reader
from shared.store.pool import Conn
from shared.store.redis import connect

log = structlog.get_logger(__name__)

T = TypeVar("T")

BODY_MAX_BYTES = 256 * 1024
PLACES_MAX = 10_000
HOURS_MAX = 24 * 31
STATEMENT_MS = 20_000


class Mistaken(Exception):
    """422: the message says what to change."""


class Desk:
    """What the operators' requests work with: one at a time, in a thread of its own, so that a long look keeps no
    webhook's look-up waiting."""

    def __init__(self, edge: Edge) -> None:
        self._edge = edge
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ops")
        self._journal = connect(edge.settings.need("journal_url"))
        self.reader = Reader(self._journal, edge.settings.journal_shards)

    async def ask(self, work: Callable[[Conn], T]) -> T:
        """Run `work` in a transaction of no company."""

        def run() -> T:
            with self._edge.db.transaction() as conn:
                conn.execute("/* ops.bound */ SELECT set_config('statement_timeout', %s, true)", (str(STATEMENT_MS),))
                return work(conn)

        return await asyncio.get_running_loop().run_in_executor(self._thread, run)

    async def take_balance(self) -> balance.Balance:
        def run() -> balance.Balance:
            with self._edge.db.connection() as conn:
                return balance.take(conn, self.reader)

        return await asyncio.get_running_loop().run_in_executor(self._thread, run)

    async def settle(self, company_id: int, outbound_id: int, *, sent: bool) -> bool:
        def run() -> bool:
            with self._edge.db.transaction(company_id) as conn:
                return outbound.settle(conn, company_id, outbound_id, sent=sent)

        return await asyncio.get_running_loop().run_in_executor(self._thread, run)

    def now(self) -> datetime:
        return self._edge.clock.now()

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)
        self._journal.close()


def _for_operators(work: Callable[[Request, Desk], Awaitable[Any]]) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        refused = not_operator(request)
        if refused is not None:
            return refused
        try:
            return _json(await work(request, request.app.state.desk))
        except Mistaken as e:
            return JSONResponse({"ok": False, "error": str(e)}, 422)
        except (DatabaseUnavailable, RedisError) as e:
            log.warning("ops_unavailable", error=type(e).__name__)
            return JSONResponse({"ok": False, "error": "try again shortly"}, 503, {"retry-after": "2"})

    return endpoint


def _json(value: Any) -> Response:
    return Response(orjson.dumps(value), media_type="application/json")


def _number(request: Request, name: str, default: int, highest: int) -> int:
    raw = request.query_params.get(name, str(default))
    if not (raw.isascii() and raw.isdecimal() and len(raw) <= 9) or not 1 <= int(raw) <= highest:
        raise Mistaken(f"{name} should be a number from 1 to {highest}")
    return int(raw)


def _filter(given: Any) -> parked.Filter:
    """From query parameters or a JSON object: platform, reason, app."""
    platform, reason, app = (given.get(name) for name in ("platform", "reason", "app"))
    if app is not None and not (str(app).isascii() and str(app).isdecimal() and len(str(app)) <= 18):
        raise Mistaken("app should be an application's number, as `app list` shows it")
    if not all(value is None or isinstance(value, str) for value in (platform, reason)):
        raise Mistaken("platform and reason should be texts")
    return parked.Filter(platform, reason, None if app is None else int(app))


async def _body(request: Request) -> dict[str, Any]:
    raw = bytearray()
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > BODY_MAX_BYTES:
            raise Mistaken(f"the body may have {BODY_MAX_BYTES} bytes")
    try:
        return decode_object(bytes(raw))
    except ValueError:
        raise Mistaken("the body should be a JSON object") from None


async def show_balance(request: Request, desk: Desk) -> Any:
    """Received = stored + in flight, and what became of everything."""
    found = await desk.take_balance()
    return {**asdict(found), "closes": found.closes, "at_rest": found.at_rest}


async def show_hours(request: Request, desk: Desk) -> Any:
    """`?hours=24`: the ledger by channel and hour."""
    hours, now = _number(request, "hours", 24, HOURS_MAX), desk.now()
    return {"hours": await desk.ask(lambda conn: balance.hours(conn, now - timedelta(hours=hours), now))}


async def list_parked(request: Request, desk: Desk) -> Any:
    only, limit = _filter(request.query_params), _number(request, "limit", 100, PLACES_MAX)
    return {"parked": await desk.ask(lambda conn: parked.all_parked(conn, only, limit=limit))}


async def show_parked(request: Request, desk: Desk) -> Any:
    """One request: its shape, or with `?content=1` its words."""
    place = _place(request.path_params["place"])
    raw = await desk.ask(lambda conn: _mistakes(lambda: parked.raw_body(conn, place)))
    if raw is None:
        raise Mistaken(f"{place}: there is no body (never parked here, or purged)")
    if request.query_params.get("content") == "1":
        log.warning("parked_content_shown", place=place)
        return {"place": place, "text": raw.decode("utf-8", "replace")}
    try:
        return {"place": place, "shape": parked.redacted(orjson.loads(raw))}
    except ValueError:
        return {"place": place, "shape": f"{len(raw)} bytes that are no JSON"}


async def redrive(request: Request, desk: Desk) -> Any:
    """`{"places": […]}`, or a filter `{"platform", "reason", "app"}`: through the journal again. Twice is once."""
    body = await _body(request)
    places = body.get("places")
    if places is None:
        only = _filter(body)
        if only == parked.EVERY:
            raise Mistaken("name places, or a filter: platform, reason, app")
        rows = await desk.ask(lambda conn: parked.all_parked(conn, only, limit=PLACES_MAX))
        places = [row.place for row in rows]
    places = _places(places)

    def work(conn: Conn) -> list[bool]:
        return [parked.redrive(conn, desk.reader, place, desk.now()) for place in places]

    return _sorted_out("redriven", places, await desk.ask(lambda conn: _mistakes(lambda: work(conn))))


def _sorted_out(name: str, places: list[str], went: list[bool]) -> dict[str, list[str]]:
    done = list(zip(places, went, strict=True))
    return {name: [place for place, ok in done if ok], "not_parked": [place for place, ok in done if not ok]}


async def discard(request: Request, desk: Desk) -> Any:
    """`{"places": […], "reason": "…"}`."""
    body = await _body(request)
    reason, places = body.get("reason"), _places(body.get("places"))
    if not isinstance(reason, str) or not reason.strip() or len(reason) > 200:
        raise Mistaken("reason should say why, in up to 200 characters")

    def work(conn: Conn) -> list[bool]:
        return [parked.discard(conn, place, reason) for place in places]

    return _sorted_out("discarded", places, await desk.ask(lambda conn: _mistakes(lambda: work(conn))))


def _places(given: Any) -> list[str]:
    if not isinstance(given, list) or not given or len(given) > PLACES_MAX:
        raise Mistaken(f"places should be a list of up to {PLACES_MAX} places, as /ops/parked shows them")
    return [_place(place) for place in given]


def _place(given: Any) -> str:
    if not isinstance(given, str) or len(given) > 200 or "\x00" in given:
        raise Mistaken("a place is a text as /ops/parked shows it")
    return given


def _mistakes(work: Callable[[], T]) -> T:
    try:
        return work()
    except ValueError as e:
        raise Mistaken(str(e)) from None


async def list_uncertain(request: Request, desk: Desk) -> Any:
    limit = _number(request, "limit", 100, PLACES_MAX)
    return {"uncertain": await desk.ask(lambda conn: outbound.list_uncertain(conn, limit=limit))}


async def settle(request: Request, desk: Desk) -> Any:
    """`{"company_id": 1, "id": 7, "sent": true}`: what a person found out about an uncertain send."""
    body = await _body(request)
    company_id, outbound_id, sent = (body.get(name) for name in ("company_id", "id", "sent"))
    if type(company_id) is not int or type(outbound_id) is not int or type(sent) is not bool:
        raise Mistaken('send {"company_id": number, "id": number, "sent": true or false}')
    if not (0 < company_id < 2**63 and 0 < outbound_id < 2**63):
        raise Mistaken("there are no such numbers")
    return {"settled": await desk.settle(company_id, outbound_id, sent=sent)}


ROUTES = [
    Route("/ops/balance", _for_operators(show_balance)),
    Route("/ops/balance/hours", _for_operators(show_hours)),
    Route("/ops/parked", _for_operators(list_parked)),
    Route("/ops/parked/redrive", _for_operators(redrive), methods=["POST"]),
    Route("/ops/parked/discard", _for_operators(discard), methods=["POST"]),
    Route("/ops/parked/{place:path}", _for_operators(show_parked)),
    Route("/ops/uncertain", _for_operators(list_uncertain)),
    Route("/ops/uncertain/settle", _for_operators(settle), methods=["POST"]),
]

"""`/ops/…`: the balance, dead letters and sends of unknown outcome, for the bearer of OPS_TOKEN. JSON in, JSON out.

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
from starlette.responses import Response

from gateway.api.operators import operator
from gateway.http.edge import Edge
from gateway.http.json import as_json
from gateway.http.moved import moved
from gateway.http.parameters import (
    Field,
    Parameters,
    Values,
    Wrong,
    body_flag,
    body_id,
    body_text,
    query_choice,
    query_id,
    query_number,
    query_text,
)
from gateway.http.refused import Refused, answer
from gateway.http.resource import Operation, Resource
from shared.channels import NAMES
from shared.errors import DatabaseUnavailable, NotFound
from shared.store.db.pool import Conn
from shared.store.db.redis import connect
from shared.store.delivery import send_results
from shared.store.inbound import balance, dead_letters
from shared.store.inbound.journal import Reader
from shared.text import storable

log = structlog.get_logger(__name__)

T = TypeVar("T")

BODY_MAX_BYTES = 256 * 1024
PLACES_MAX = 10_000
ROWS_MAX = 1_000
HOURS_MAX = 24 * 31
STATEMENT_MS = 20_000


class Desk:
    """What the operators' requests work with: one at a time, in a thread of its own, so that a long look keeps no
    webhook's look-up waiting."""

    def __init__(self, edge: Edge) -> None:
        self._edge = edge
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ops")
        self._journal = connect(edge.settings.need("JOURNAL_URL"))
        self.reader = Reader(self._journal, edge.settings.journal.shards)

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

    async def settle(self, company_id: int, outbound_id: int, *, sent: bool) -> None:
        """Raises Refused: 404 where there is no such send, 409 where its outcome is known."""

        def run() -> None:
            with self._edge.db.transaction(company_id) as conn:
                if send_results.settle(conn, company_id, outbound_id, sent=sent):
                    return
                state = send_results.state_of(conn, company_id, outbound_id)
            if state is None:
                raise Refused(404, f"company {company_id} has no send {outbound_id}: /ops/unknown-outcomes shows them")
            raise Refused(409, f"send {outbound_id} is {state}, not unknown_outcome: there is nothing to settle")

        return await asyncio.get_running_loop().run_in_executor(self._thread, run)

    def now(self) -> datetime:
        return self._edge.clock.now()

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)
        self._journal.close()


def _operation(
    work: Callable[[Desk, Request, Parameters], Awaitable[Any]],
    query: tuple[Field[Any], ...] = (), body: tuple[Field[Any], ...] = (),
) -> Operation[Request]:  # fmt: skip
    async def handle(request: Request, asked: Parameters) -> Response:
        try:
            return as_json(await work(request.app.state.desk, request, asked))
        except (DatabaseUnavailable, RedisError) as e:
            log.warning("ops_unavailable", error=type(e).__name__)
            return answer(Refused(503, "try again shortly", 2.0))

    handle.__name__ = work.__name__
    return Operation(handle, operator, query, body, body_max_bytes=BODY_MAX_BYTES)


def _place(given: Any) -> str:
    if not isinstance(given, str) or len(given) > 200:
        raise Wrong("should hold places: texts as /ops/dead-letters shows them")
    return storable(given)


def _places(given: Any) -> list[str]:
    if not isinstance(given, list) or not given or len(given) > PLACES_MAX:
        raise Wrong(f"should be a list of 1 to {PLACES_MAX} places, as /ops/dead-letters shows them")
    return [_place(place) for place in given]


def _app(given: Any) -> int:
    """The command line shows numbers; a filter has taken them as texts as well."""
    if isinstance(given, str):
        read: int | None = APP.read(given)
    else:
        read = body_id("app", "application").read(given)
    assert read is not None
    return read


TEXT_MAX = 200
HOURS = query_number("hours", 24, HOURS_MAX, 1)
LIMIT = query_number("limit", 100, ROWS_MAX, 1)
HOURS_LIMIT = query_number("limit", 5 * ROWS_MAX, 5 * ROWS_MAX, 1)
PLATFORM, REASON = (Field[str | None](name, query_text(name, TEXT_MAX).read, None) for name in ("platform", "reason"))
APP = query_id("app", "application")
CONTENT = query_choice("content", ("0", "1"), "0")
PLACES = Field("places", _places)
SOME_PLACES = Field[list[str] | None]("places", _places, None)
FILTER_PLATFORM, FILTER_REASON = (
    Field[str | None](name, body_text(name, TEXT_MAX).read, None) for name in ("platform", "reason")
)
FILTER_APP = Field[int | None]("app", _app, None)
WHY = body_text("reason", TEXT_MAX)
COMPANY_ID, OUTBOUND_ID, SENT = body_id("company_id", "company"), body_id("id", "send"), body_flag("sent")


async def show_balance(desk: Desk, request: Request, asked: Parameters) -> Any:
    """Return the balance: received = stored + in flight, and what became of everything."""
    found = await desk.take_balance()
    return {**asdict(found), "closes": found.closes, "at_rest": found.at_rest}


async def show_hours(desk: Desk, request: Request, asked: Parameters) -> Any:
    """`?hours=24`: the ledger by channel and hour; `more` where there are more rows than the limit."""
    hours, most, now = asked.query[HOURS], asked.query[HOURS_LIMIT], desk.now()
    rows = await desk.ask(lambda conn: balance.hours(conn, now - timedelta(hours=hours), now, limit=most + 1))
    return {"hours": rows[:most], "more": len(rows) > most}


async def list_dead_letters(desk: Desk, request: Request, asked: Parameters) -> Any:
    query = asked.query
    only = dead_letters.Filter(query[PLATFORM], query[REASON], query[APP])
    return {"dead_letters": await _listed(desk, only, query[LIMIT])}


async def _listed(desk: Desk, only: dead_letters.Filter, limit: int) -> list[dead_letters.DeadLetter]:
    """Raises Refused(422) for a platform or application that does not exist."""
    try:
        return await desk.ask(
            lambda conn: dead_letters.listed(conn, dead_letters.known(conn, only, NAMES), limit=limit)
        )
    except NotFound as e:
        raise Refused(422, str(e)) from None


async def show_dead_letter(desk: Desk, request: Request, asked: Parameters) -> Any:
    """One request: its shape, or with `?content=1` its words."""
    place = storable(request.path_params["place"][:TEXT_MAX])
    raw = await desk.ask(lambda conn: _mistakes(lambda: dead_letters.raw_body(conn, place)))
    if raw is None:
        raise Refused(422, f"{place}: there is no body (never a dead letter here, or purged)")
    if asked.query[CONTENT] == "1":
        log.warning("dead_letter_content_shown", place=place)
        return {"place": place, "text": raw.decode("utf-8", "replace")}
    try:
        return {"place": place, "shape": dead_letters.redacted(orjson.loads(raw))}
    except ValueError:
        return {"place": place, "shape": f"{len(raw)} bytes that are not valid JSON"}


async def redrive(desk: Desk, request: Request, asked: Parameters) -> Any:
    """`{"places": […]}`, or a filter `{"platform", "reason", "app"}`: through the journal again. Twice is once."""
    places = await _chosen(desk, asked.body)

    def work(conn: Conn) -> list[bool]:
        return [dead_letters.redrive(conn, desk.reader, place, desk.now()) for place in places]

    return _sorted_out("redriven", places, await desk.ask(lambda conn: _mistakes(lambda: work(conn))))


async def _chosen(desk: Desk, body: Values) -> list[str]:
    """Raises Refused(422)."""
    only, places = dead_letters.Filter(body[FILTER_PLATFORM], body[FILTER_REASON], body[FILTER_APP]), body[SOME_PLACES]
    if (places is None) == (only == dead_letters.EVERY):
        raise Refused(422, "name either places or a filter: platform, reason, app")
    if places is not None:
        return places
    return [row.place for row in await _listed(desk, only, PLACES_MAX)]


def _sorted_out(name: str, places: list[str], went: list[bool]) -> dict[str, list[str]]:
    done = list(zip(places, went, strict=True))
    return {name: [place for place, ok in done if ok], "not_dead_letters": [place for place, ok in done if not ok]}


async def discard(desk: Desk, request: Request, asked: Parameters) -> Any:
    """`{"places": […], "reason": "…"}`."""
    reason, places = asked.body[WHY], asked.body[PLACES]

    def work(conn: Conn) -> list[bool]:
        return [dead_letters.discard(conn, place, reason) for place in places]

    return _sorted_out("discarded", places, await desk.ask(lambda conn: _mistakes(lambda: work(conn))))


def _mistakes(work: Callable[[], T]) -> T:
    try:
        return work()
    except ValueError as e:
        raise Refused(422, str(e)) from None


async def list_unknown_outcomes(desk: Desk, request: Request, asked: Parameters) -> Any:
    most = asked.query[LIMIT]
    return {"unknown_outcomes": await desk.ask(lambda conn: send_results.list_unknown_outcomes(conn, limit=most))}


async def settle(desk: Desk, request: Request, asked: Parameters) -> Any:
    """`{"company_id": 1, "id": 7, "sent": true}`: what a person found out about a send of unknown outcome."""
    body = asked.body
    await desk.settle(body[COMPANY_ID], body[OUTBOUND_ID], sent=body[SENT])
    return {"settled": True}


ROUTES = [
    Resource("/ops/balance", {"GET": _operation(show_balance)}),
    Resource("/ops/balance/hours", {"GET": _operation(show_hours, (HOURS, HOURS_LIMIT))}),
    Resource("/ops/dead-letters", {"GET": _operation(list_dead_letters, (PLATFORM, REASON, APP, LIMIT))}),
    Resource("/ops/dead-letters/redrive", {
        "POST": _operation(redrive, body=(SOME_PLACES, FILTER_PLATFORM, FILTER_REASON, FILTER_APP)),
    }),
    Resource("/ops/dead-letters/discard", {"POST": _operation(discard, body=(PLACES, WHY))}),
    Resource("/ops/dead-letters/{place:path}", {"GET": _operation(show_dead_letter, (CONTENT,))}),
    Resource("/ops/unknown-outcomes", {"GET": _operation(list_unknown_outcomes, (LIMIT,))}),
    Resource("/ops/unknown-outcomes/settle", {"POST": _operation(settle, body=(COMPANY_ID, OUTBOUND_ID, SENT))}),
]  # fmt: skip

MOVED = [*moved("/ops/parked", "/ops/dead-letters"), *moved("/ops/uncertain", "/ops/unknown-outcomes")]
"""Addresses of former versions."""

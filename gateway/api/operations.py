"""Operations over HTTP: the balance, dead letters and sends of unknown outcome, for the bearer of OPS_TOKEN.

What is said in a request's body is shown only when it is asked for (`?content=1`), and that it was is logged.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, TypeVar

import orjson
import structlog
from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field
from redis.exceptions import RedisError

from gateway.api.operators import Operator
from gateway.http.edge import Edge
from gateway.http.moved import moved
from gateway.http.refused import Refused
from gateway.rest.endpoint import Endpoint
from gateway.rest.given import Given, id_of, text
from shared.channels import NAMES
from shared.errors import DatabaseUnavailable, NotFound, Transient
from shared.store.db.pool import Conn
from shared.store.db.redis import connect
from shared.store.delivery import send_results
from shared.store.inbound import balance, dead_letters
from shared.store.inbound.dead_letters import DeadLetter
from shared.store.inbound.journal import Reader

log = structlog.get_logger(__name__)

T = TypeVar("T")

BODY_MAX_BYTES = 256 * 1024
PLACES_MAX = 10_000
ROWS_MAX = 1_000
HOURS_MAX = 24 * 31
STATEMENT_MS = 20_000
TEXT_MAX = 200
PLACE_MAX = 200

ROUTER = APIRouter(prefix="/api/v1/operations", tags=["operations"], route_class=Endpoint)


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

        return await self._in_thread(run)

    async def take_balance(self) -> balance.Balance:
        def run() -> balance.Balance:
            with self._edge.db.connection() as conn:
                return balance.take(conn, self.reader)

        return await self._in_thread(run)

    async def settle(self, company_id: int, outbound_id: int, *, sent: bool) -> None:
        """Raises Refused: 404 where there is no such send, 409 where its outcome is known."""

        def run() -> None:
            with self._edge.db.transaction(company_id) as conn:
                if send_results.settle(conn, company_id, outbound_id, sent=sent):
                    return
                state = send_results.state_of(conn, company_id, outbound_id)
            if state is None:
                raise Refused(
                    404,
                    f"company {company_id} has no send {outbound_id}: /api/v1/operations/unknown-outcomes shows them",
                )
            raise Refused(409, f"send {outbound_id} is {state}, not unknown_outcome: there is nothing to settle")

        return await self._in_thread(run)

    async def _in_thread(self, run: Callable[[], T]) -> T:
        """Raises Transient where the database or the journal is away."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, run)
        except (DatabaseUnavailable, RedisError) as e:
            log.warning("ops_unavailable", error=type(e).__name__)
            raise Transient("a service is away", retry_after_s=2.0) from None

    def now(self) -> datetime:
        return self._edge.clock.now()

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)
        self._journal.close()


Place = Annotated[str, Field(max_length=PLACE_MAX)]
Places = Annotated[list[Place], Field(min_length=1, max_length=PLACES_MAX)]
Word = text(TEXT_MAX)
App = id_of("application")


class Hours(Given):
    hours: int = Field(24, ge=1, le=HOURS_MAX)
    limit: int = Field(5 * ROWS_MAX, ge=1, le=5 * ROWS_MAX)


class Rows(Given):
    limit: int = Field(100, ge=1, le=ROWS_MAX)


class Only(Rows):
    platform: Annotated[str, Field(max_length=TEXT_MAX)] | None = None
    reason: Annotated[str, Field(max_length=TEXT_MAX)] | None = None
    """The exact text that the list shows."""
    app: App | None = None  # type: ignore[valid-type]
    """An application's number."""


class Content(Given):
    content: Literal["0", "1"] = "0"
    """1: its words, which is logged."""


class Chosen(Given):
    """Places, or a filter."""

    places: Places | None = None
    """As the list shows them."""
    platform: Word | None = None  # type: ignore[valid-type]
    reason: Word | None = None  # type: ignore[valid-type]
    app: App | None = None  # type: ignore[valid-type]


class GivenUp(Given):
    places: Places
    """As the list shows them."""
    reason: Word  # type: ignore[valid-type]


class Outcome(Given):
    company_id: id_of("company")  # type: ignore[valid-type]
    id: id_of("send")  # type: ignore[valid-type]
    sent: bool
    """Whether it arrived."""


@dataclass(frozen=True, slots=True)
class Taken:
    """received = stored + in flight, and what became of everything."""

    requests_received: int
    requests_stored: int
    requests_in_flight: int
    redrives: int
    repeats: int
    events: dict[str, int]
    dropped: dict[str, int]
    turns: dict[str, int]
    outbound: dict[str, int]
    closes: bool
    at_rest: bool


@dataclass(frozen=True, slots=True)
class ByHour:
    hours: list[balance.Hour]
    more: bool


@dataclass(frozen=True, slots=True)
class DeadLetters:
    dead_letters: list[DeadLetter]


class Shown(BaseModel):
    place: str
    text: str | None = None
    """Its words, where they were asked for."""
    shape: Any = None
    """Otherwise: keys, numbers and the lengths of texts."""


@dataclass(frozen=True, slots=True)
class Redriven:
    redriven: list[str]
    not_dead_letters: list[str]


@dataclass(frozen=True, slots=True)
class Discarded:
    discarded: list[str]
    not_dead_letters: list[str]


@dataclass(frozen=True, slots=True)
class UnknownOutcomes:
    unknown_outcomes: list[send_results.UnknownOutcome]


@dataclass(frozen=True, slots=True)
class Settled:
    settled: bool


@ROUTER.get("/balance", summary="Show the balance")
async def show_balance(operator: Operator) -> Taken:
    """Received = stored + in flight, and what became of everything."""
    found = await _desk(operator).take_balance()
    return Taken(**asdict(found), closes=found.closes, at_rest=found.at_rest)


@ROUTER.get("/balance/hours", summary="Show the ledger by channel and hour")
async def show_hours(operator: Operator, query: Annotated[Hours, Query()]) -> ByHour:
    """`more`: there are more rows than the limit."""
    desk = _desk(operator)
    now = desk.now()
    since = now - timedelta(hours=query.hours)
    rows = await desk.ask(lambda conn: balance.hours(conn, since, now, limit=query.limit + 1))
    return ByHour(rows[: query.limit], len(rows) > query.limit)


@ROUTER.get("/dead-letters", summary="List dead letters")
async def list_dead_letters(operator: Operator, query: Annotated[Only, Query()]) -> DeadLetters:
    """Requests that could not be handled, oldest first."""
    only = dead_letters.Filter(query.platform, query.reason, query.app)
    return DeadLetters(await _listed(_desk(operator), only, query.limit))


async def _listed(desk: Desk, only: dead_letters.Filter, limit: int) -> list[DeadLetter]:
    """Raises Refused(422) for a platform or application that does not exist."""
    try:
        return await desk.ask(
            lambda conn: dead_letters.listed(conn, dead_letters.known(conn, only, NAMES), limit=limit)
        )
    except NotFound as e:
        raise Refused(422, str(e)) from None


@ROUTER.post("/dead-letters/redrive", summary="Redrive dead letters", max_body_size=BODY_MAX_BYTES)
async def redrive(operator: Operator, given: Chosen) -> Redriven:
    """Through the journal again: those at these places, or those that a filter finds. Twice is once."""
    desk = _desk(operator)
    places = await _chosen(desk, given)

    def work(conn: Conn) -> list[bool]:
        return [dead_letters.redrive(conn, desk.reader, place, desk.now()) for place in places]

    return Redriven(*_sorted_out(places, await desk.ask(lambda conn: _mistakes(lambda: work(conn)))))


async def _chosen(desk: Desk, given: Chosen) -> list[str]:
    """Raises Refused(422)."""
    only = dead_letters.Filter(given.platform, given.reason, given.app)
    if (given.places is None) == (only == dead_letters.EVERY):
        raise Refused(422, "name either places or a filter: platform, reason, app")
    if given.places is not None:
        return given.places
    return [row.place for row in await _listed(desk, only, PLACES_MAX)]


def _sorted_out(places: list[str], went: list[bool]) -> tuple[list[str], list[str]]:
    """Those for which it went, and the others."""
    done = list(zip(places, went, strict=True))
    return [place for place, ok in done if ok], [place for place, ok in done if not ok]


@ROUTER.post("/dead-letters/discard", summary="Discard dead letters", max_body_size=BODY_MAX_BYTES)
async def discard(operator: Operator, given: GivenUp) -> Discarded:
    """Gives them up, with a reason."""

    def work(conn: Conn) -> list[bool]:
        return [dead_letters.discard(conn, place, given.reason) for place in given.places]

    went = await _desk(operator).ask(lambda conn: _mistakes(lambda: work(conn)))
    return Discarded(*_sorted_out(given.places, went))


@ROUTER.get("/dead-letters/{place:path}", summary="Show a dead letter")
async def show_dead_letter(
    operator: Operator, place: Annotated[str, Path(description="As the list shows it.")],
    query: Annotated[Content, Query()],
) -> Shown:  # fmt: skip
    """One request: its shape, or with `?content=1` its words."""
    place = place[:PLACE_MAX]
    raw = await _desk(operator).ask(lambda conn: _mistakes(lambda: dead_letters.raw_body(conn, place)))
    if raw is None:
        raise Refused(422, f"{place}: there is no body (never a dead letter here, or purged)")
    if query.content == "1":
        log.warning("dead_letter_content_shown", place=place)
        return Shown(place=place, text=raw.decode("utf-8", "replace"))
    try:
        return Shown(place=place, shape=dead_letters.redacted(orjson.loads(raw)))
    except ValueError:
        return Shown(place=place, shape=f"{len(raw)} bytes that are not valid JSON")


def _mistakes(work: Callable[[], T]) -> T:
    try:
        return work()
    except ValueError as e:
        raise Refused(422, str(e)) from None


@ROUTER.get("/unknown-outcomes", summary="List sends of unknown outcome")
async def list_unknown_outcomes(operator: Operator, query: Annotated[Rows, Query()]) -> UnknownOutcomes:
    """Oldest first."""
    return UnknownOutcomes(
        await _desk(operator).ask(lambda conn: send_results.list_unknown_outcomes(conn, limit=query.limit))
    )


@ROUTER.post(
    "/unknown-outcomes/settle", summary="Settle a send of unknown outcome", max_body_size=BODY_MAX_BYTES,
    responses={404: {"description": "There is no such send."}, 409: {"description": "Its outcome is known."}},
)  # fmt: skip
async def settle(operator: Operator, given: Outcome) -> Settled:
    """What a person found out about it: one that did not arrive is sent again."""
    await _desk(operator).settle(given.company_id, given.id, sent=given.sent)
    return Settled(True)


def _desk(operator: Operator) -> Desk:
    desk: Desk = operator.app.state.desk
    return desk


MOVED = [
    *moved("/ops/parked", "/api/v1/operations/dead-letters"),
    *moved("/ops/uncertain", "/api/v1/operations/unknown-outcomes"),
    *moved("/ops", "/api/v1/operations"),
]
"""Addresses of former versions."""

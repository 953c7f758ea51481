"""One chat completion: cleared with the budgets, asked of the route, told while it comes, settled however it ends.

The models are asked on the gateway's event loop; what waits for the database does so on threads of its own. A client
that leaves, or does not take what is sent, ends the call of the model.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Coroutine, MutableMapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import orjson
import structlog

from gateway.openai import names
from gateway.openai.asked import Asked
from gateway.openai.mistakes import Mistake, mistake_of
from gateway.openai.opened import Opened
from gateway.openai.pieces import Head, Pieces, whole
from shared.errors import DatabaseUnavailable
from shared.llm.call import ModelCall
from shared.llm.router import Router
from shared.llm.wishes import Wishes
from shared.model import Completion, ModelAttempt
from tasks.models import spending
from tasks.models.spending import Cleared

log = structlog.get_logger(__name__)

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

ANSWER_CHARS_MAX = 200_000
TAKEN_WITHIN_S = 10.0
"""So long a client may take for what it was sent."""
EVENTS = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-store"),
          (b"x-accel-buffering", b"no")]  # fmt: skip
Headers = list[tuple[bytes, bytes]]


class ClientGone(Exception):
    """The client left, or takes nothing: there is nobody to answer."""


@dataclass(slots=True)
class Call:
    """One request, from its reservation to its settling."""

    opened: Opened
    asked: Asked
    booked: ModelCall
    cleared: Cleared
    attempts: list[ModelAttempt] = field(default_factory=list)

    @classmethod
    async def begin(cls, opened: Opened, company_id: int, asked: Asked) -> Call:
        """Raises Mistake, CostLimitExceeded, DatabaseUnavailable."""
        return await opened.in_thread(lambda: cls._begun(opened, company_id, asked))

    @classmethod
    def _begun(cls, opened: Opened, company_id: int, asked: Asked) -> Call:
        booked, router = names.chat_router(opened, company_id, asked.model)
        router = _with_room(router, asked.max_tokens)
        within_s = opened.settings.answers.turn_deadline_s
        cleared = spending.clear(opened, booked, router, [_as_text(asked)], within_s=within_s)
        if cleared.reservation is not None:
            spending.asking(opened, cleared.reservation)
        return cls(opened, asked, booked, cleared)

    async def complete(self, pieces: Pieces | None = None) -> Completion:
        """Raises NoModelAnswered."""
        wishes = Wishes(
            parameters=self.asked.parameters, may_be_cut=True, once=pieces is not None, chars_max=ANSWER_CHARS_MAX,
            on_tool=None if pieces is None else pieces.tool, on_step=None if pieces is None else pieces.asked,
        )  # fmt: skip
        return await self.cleared.router.complete(
            self.asked.messages, self.opened.settings.answers.turn_deadline_s, pieces, attempts=self.attempts,
            tools=self.asked.tools, wishes=wishes,
        )  # fmt: skip

    async def settle(self) -> None:
        await self.opened.in_thread(self._settle)

    def _settle(self) -> None:
        spending.presume(self.attempts, self.cleared.tokens_in)
        try:
            spending.settle(self.opened, self.booked, self.cleared.reservation, self.attempts)
        except DatabaseUnavailable:
            log.warning("spending_not_settled", company_id=self.booked.company_id, purpose=self.booked.purpose)
            if self.cleared.reservation is not None:
                spending.ended(self.opened, self.cleared.reservation)  # it expires and is charged


def _with_room(router: Router, max_tokens: int | None) -> Router:
    """The same for answers of this length: by it is told what they may cost."""
    if max_tokens is None:
        return router
    return router.with_steps(tuple(replace(step, max_tokens=max_tokens) for step in router.steps))


def _as_text(asked: Asked) -> dict[str, Any]:
    """All that a model reads, as one message: what it may cost is told by its length."""
    return {"content": orjson.dumps([asked.messages, asked.tools, asked.parameters]).decode()}


def new_head(model: str, now_s: float) -> Head:
    return Head(f"chatcmpl-{secrets.token_hex(12)}", int(now_s), model)


# ------------------------------------------------------------------ answering
async def answer_whole(call: Call, head: Head, receive: Receive) -> bytes:
    """Raises NoModelAnswered, ClientGone."""
    work = asyncio.create_task(call.complete())
    async with _Watch(work, receive) as watch:
        return whole(head, await watch.result())


async def answer_in_pieces(call: Call, head: Head, receive: Receive, send: Send, headers: Headers) -> None:
    """Send the answer while it comes. Raises NoModelAnswered while nothing was sent, so that it has a status of its
    own; ClientGone."""
    pieces = Pieces(head, with_usage=call.asked.with_usage)
    work = asyncio.create_task(call.complete(pieces))
    work.add_done_callback(lambda _: pieces.changed.set())
    sending = _Sending(send, [*EVENTS, *headers])
    async with _Watch(work, receive) as watch:
        pieces.on_overrun = watch.leave
        while not work.done():
            await pieces.changed.wait()
            await watch.during(sending.put(pieces.taken()))
        try:
            pieces.end(await watch.result())
        except ClientGone:
            raise
        except Exception as e:
            if not sending.begun:
                raise
            pieces.fail(as_mistake(e))
        await watch.during(sending.put(pieces.taken(), more=False))


class _Sending:
    def __init__(self, send: Send, headers: Headers) -> None:
        self._send, self._headers = send, headers
        self.begun = False

    async def put(self, body: bytes, *, more: bool = True) -> None:
        if not body:
            return
        if not self.begun:
            self.begun = True
            await self._send({"type": "http.response.start", "status": 200, "headers": self._headers})
        await self._send({"type": "http.response.body", "body": body, "more_body": more})


class _Watch:
    """Ends the work when the client leaves or takes nothing; at its own end in any case."""

    def __init__(self, work: asyncio.Task[Completion], receive: Receive) -> None:
        self._work = work
        self._left = asyncio.Event()
        self._listening = asyncio.create_task(self._listen(receive))

    async def _listen(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass  # what follows a body is read to its end
        self.leave()

    def leave(self) -> None:
        self._left.set()
        self._work.cancel()

    async def result(self) -> Completion:
        """Raises ClientGone if it was for nothing."""
        await asyncio.wait([self._work])
        if self._left.is_set():
            raise ClientGone
        return self._work.result()

    async def during(self, sending: Coroutine[Any, Any, None]) -> None:
        """Wait until the client has taken something. Raises ClientGone if it does not, or left."""
        put, left = asyncio.create_task(sending), asyncio.create_task(self._left.wait())
        try:
            await asyncio.wait([put, left], timeout=TAKEN_WITHIN_S, return_when=asyncio.FIRST_COMPLETED)
            if not put.done():
                self.leave()
                raise ClientGone
            put.result()
        finally:
            put.cancel()
            left.cancel()

    async def __aenter__(self) -> _Watch:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._listening.cancel()
        self._work.cancel()
        with suppress(asyncio.CancelledError, Exception):  # what it raised was told, or nobody is there to be told
            await self._work


def as_mistake(error: Exception) -> Mistake:
    found = mistake_of(error)
    if found is None:
        log.error("request_failed", exc_info=error)
        return Mistake(500, "This could not be done, and the log has the reason.")
    return found

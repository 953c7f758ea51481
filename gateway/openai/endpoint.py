"""/v1: the API of OpenAI, spoken by us, so that a company's other programs share its routes, breakers, budgets, limits
and ledger.

In this order: the key (401, 403), what it may still ask (429), the body (413, 400), the model (404), a place among the
key's calls (429), the budget (429), the models (502, 503).
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.requests import Request

from gateway.http.bodies import ClientLeft
from gateway.http.edge import Edge
from gateway.http.keys import Holder
from gateway.http.limits import address_of
from gateway.http.streams import TooMany
from gateway.openai import asked, bodies, chat, names, vectors
from gateway.openai.chat import Call, ClientGone, Headers, Receive, Send
from gateway.openai.mistakes import Mistake, no_such_model
from gateway.openai.opened import Opened, open_models
from gateway.openai.vectors import Vectors
from shared.resilience.limiter import Held
from shared.resilience.limits import AtOnce

PREFIX = "/v1/"
SCOPE = "models"
AT_ONCE = 20
"""Calls of one key under way, where the table of rate limits names no other number."""
PLACE_LEASE_S = 15.0
ADDRESSES = frozenset((
    ("POST", "/v1/chat/completions"), ("POST", "/v1/embeddings"), ("GET", "/v1/models"), ("GET", "/v1/models/{}"),
))  # fmt: skip
"""For those who list what a gateway answers."""


@dataclass(frozen=True, slots=True)
class Caller:
    """key: as the allowance asks for it."""

    key: Holder
    address: str

    @property
    def company_id(self) -> int:
        return self.key.company_id


class OpenAi:
    """The ASGI app of /v1. What it needs to ask models is made with the first request that asks one."""

    def __init__(self, edge: Edge) -> None:
        self._edge = edge
        self._lock = threading.Lock()
        self._opened: Opened | None = None
        self._vectors: Vectors | None = None
        self._settling: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        if self._settling:
            await asyncio.wait(self._settling, timeout=1.0)
        if self._vectors is not None:
            self._vectors.close()
        if self._opened is not None:
            await self._opened.close()

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        headers: Headers = []
        try:
            handler = self._handler(request)
            scope["endpoint"] = handler
            await handler(request, send, headers)
        except (ClientLeft, ClientGone):
            return  # there is nobody to answer; the server closes the connection
        except Exception as e:  # noqa: BLE001  every error has an answer
            mistake = chat.as_mistake(e)
            told = [(name.encode(), value.encode("latin-1")) for name, value in mistake.headers.items()]
            await _answer(send, mistake.status, mistake.body(), [*headers, *told])

    def _handler(self, request: Request) -> Callable[[Request, Send, Headers], Awaitable[None]]:
        path = request.url.path
        method, handler = {
            "/v1/chat/completions": ("POST", self.chat_completions),
            "/v1/embeddings": ("POST", self.embeddings),
            "/v1/models": ("GET", self.models),
        }.get(path, ("GET", self.model if path.startswith("/v1/models/") else None))  # fmt: skip
        if handler is None:
            raise Mistake(404, f"There is nothing at {request.method} {path[:200]}.")
        if request.method != method:
            raise Mistake(405, f"This address takes {method}.", headers={"allow": method})
        return handler

    # -------------------------------------------------------------- operations
    async def chat_completions(self, request: Request, send: Send, headers: Headers) -> None:
        caller = await self._caller(request, headers)
        wanted = asked.read(await self._body(request))
        opened = await self._open()
        with await self._place(opened, caller):
            call = await Call.begin(opened, caller.company_id, wanted)
            try:
                head = chat.new_head(wanted.model, self._edge.clock.now().timestamp())
                if wanted.stream:
                    with self._stream(caller):
                        await chat.answer_in_pieces(call, head, request.receive, send, headers)
                    return
                body = await chat.answer_whole(call, head, request.receive)
            finally:
                await self._settled(call)
        await _answer(send, 200, body, headers)

    async def embeddings(self, request: Request, send: Send, headers: Headers) -> None:
        caller = await self._caller(request, headers)
        wanted = vectors.read(await self._body(request))
        opened = await self._open()
        assert self._vectors is not None
        left = threading.Event()
        with await self._place(opened, caller):
            listening = asyncio.create_task(_until_left(request, left))
            try:
                body = await self._vectors.answer(caller.company_id, wanted, left)
            finally:
                listening.cancel()
        if left.is_set():
            raise ClientGone
        await _answer(send, 200, body, headers)

    async def models(self, request: Request, send: Send, headers: Headers) -> None:
        rows = [_shown(one) for one in await self._listed(request, headers)]
        await _answer(send, 200, orjson.dumps({"object": "list", "data": rows}), headers)

    async def model(self, request: Request, send: Send, headers: Headers) -> None:
        name = request.url.path.removeprefix("/v1/models/")
        wanted = name.removeprefix(names.PREFIX)
        found = [one for one in await self._listed(request, headers) if one.id == wanted]
        if not found:
            raise no_such_model(name[:300])
        await _answer(send, 200, orjson.dumps(_shown(found[0])), headers)

    async def _listed(self, request: Request, headers: Headers) -> list[names.Listed]:
        caller = await self._caller(request, headers)
        opened = await self._open()
        assert self._vectors is not None
        found = await opened.in_thread(lambda: names.chat_models(opened, caller.company_id))
        return [*found, *self._vectors.listed()]

    # -------------------------------------------------------------- what they share
    async def _caller(self, request: Request, headers: Headers) -> Caller:
        """Raises Mistake(401, 403), Refused(429)."""
        edge = self._edge
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not key.strip():
            raise Mistake(401, "Send Authorization: Bearer and an API key of this installation.")
        address = address_of(request, edge.settings.gateway.forwarded_hops)
        caller = Caller(await edge.keys.holder(key.strip(), address), address)
        if SCOPE not in caller.key.scopes:
            raise Mistake(403, f"This API key may not ask models: it lacks the scope {SCOPE}.")
        left = await edge.allowance.take(request, caller)
        headers += [(name.encode(), value.encode("latin-1")) for name, value in left.items()]
        return caller

    async def _body(self, request: Request) -> dict[str, Any]:
        """Raises Mistake(400), Refused(408, 413, 503), ClientLeft."""
        edge = self._edge
        arriving = edge.bodies.open(lambda: address_of(request, edge.settings.gateway.forwarded_hops), known=True)
        try:
            announced = request.headers.get("content-length", "")
            raw = await arriving.read(request.receive, bodies.BODY_MAX_BYTES, announced)
        finally:
            arriving.close()
        if len(raw) > bodies.IN_THREAD_FROM_BYTES:
            return await asyncio.to_thread(bodies.parsed, raw)
        return bodies.parsed(raw)

    async def _open(self) -> Opened:
        opened = self._opened
        return opened if opened is not None else await asyncio.to_thread(self._opened_once)

    def _opened_once(self) -> Opened:
        with self._lock:
            if self._opened is None:
                self._opened = open_models(self._edge)
                self._vectors = Vectors(self._opened)
            return self._opened

    async def _place(self, opened: Opened, caller: Caller) -> Held:
        """Raises Mistake(429)."""

        def hold() -> tuple[int, Held]:
            most = self._edge.rate_limits.of(caller.company_id, "api_key").at_once or AT_ONCE
            key = f"v1:{caller.company_id}:{caller.key.key_id}"
            return most, opened.limiter.hold([AtOnce(key, most, PLACE_LEASE_S)])

        most, held = await opened.in_thread(hold)
        if not held.allowed:
            message = f"This API key has {most} calls under way: wait for one to end."
            raise Mistake(429, message, retry_after_s=held.decision.wait_s)
        return held

    @contextmanager
    def _stream(self, caller: Caller) -> Iterator[None]:
        """Raises Mistake(429, 503)."""
        with ExitStack() as stack:
            try:
                stack.enter_context(self._edge.streams.of_model(caller.company_id, caller.address))
            except TooMany as e:
                what = str(e)
                message = f"{what[:1].upper()}{what[1:]}: try again shortly."
                raise Mistake(429 if e.own else 503, message, retry_after_s=1) from e
            yield

    async def _settled(self, call: Call) -> None:
        """Also where this request is cancelled meanwhile."""
        task = asyncio.create_task(call.settle())
        self._settling.add(task)
        task.add_done_callback(self._settling.discard)
        await asyncio.shield(task)


async def _until_left(request: Request, left: threading.Event) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass  # what follows a body is read to its end
    left.set()


def _shown(one: names.Listed) -> dict[str, Any]:
    return {"id": one.id, "object": "model", "created": 0, "owned_by": one.owned_by}


async def _answer(send: Send, status: int, body: bytes, headers: Headers) -> None:
    told = [*headers, (b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": told})
    await send({"type": "http.response.body", "body": body})

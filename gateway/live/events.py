"""A visitor's server-sent events: messages out of the table, and the pieces of an answer while it is written.

    id: 7                                       event: piece                            event: withdrawn
    event: message                              data: {"answer", "at", "text"}          data: {"answer"}
    data: {"seq", "role", "text", …}
                                                event: moved
                                                data: {"chat"}

A piece's text belongs at character `at` of the answer so far. A message from the bot or from a person replaces the
pieces that are shown; `withdrawn` removes them. `moved`: the conversation became another chat or part of one, so that
its messages come again from the first on, as they are numbered now. Only messages have an id: a browser that reconnects
sends the last one it saw, and the stream continues from there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import replace
from typing import Any

import orjson
from starlette.responses import Response

from gateway.http.edge import Edge
from shared.errors import DatabaseUnavailable, Transient
from shared.live.hub import Watcher
from shared.live.topics import AnswerId, Chat, News, PartialAnswer, Stored, Went, Withdrawn
from shared.store.inbox import message_pages
from shared.store.inbox.message_pages import Line

HEARTBEAT_S = 15.0
AWAY_S = 5.0
"""How often the table is read while Redis or the database is unavailable."""
PAGE = 100
RETRY_MS = 2_000

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


def after_seq_of(last_event_id: str | None) -> int:
    """Return the seq from which a browser that reconnects continues; 0 for an id that is not ours."""
    said = last_event_id or ""
    return int(said) if said.isascii() and said.isdecimal() and len(said) <= 15 else 0


def stream(edge: Edge, slug: str, chat: Chat, address: str, after_seq: int, expires_s: float) -> Response:
    """Return the response that streams a chat's events to this network address. Raises TooMany."""
    edge.streams.check(chat, address)
    return _Events(edge, slug, chat, address, after_seq, expires_s)


class _Events(Response):
    """A stream that ends when the client leaves, the gateway stops, the token expires or the widget is disabled."""

    media_type = "text/event-stream"

    def __init__(self, edge: Edge, slug: str, chat: Chat, address: str, after_seq: int, expires_s: float) -> None:
        super().__init__(headers={"cache-control": "no-store", "x-accel-buffering": "no"})
        del self.headers["content-length"]
        self._edge = edge
        self._slug = slug
        self._chat = chat
        self._address = address
        self._seq = after_seq
        self._expires_s = expires_s
        self._shown: AnswerId | None = None
        self._shown_text = ""
        self._ended: AnswerId | None = None
        self._behind = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        counted = self._chat
        self._edge.streams.add(counted, self._address, 1)
        talking = asyncio.create_task(self._talk(send))
        leaving = asyncio.create_task(_left(receive))
        try:
            await asyncio.wait([talking, leaving], return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._edge.streams.add(counted, self._address, -1)
            for task in (talking, leaving):
                task.cancel()
            await asyncio.wait([talking, leaving])
        if not talking.cancelled() and (error := talking.exception()) is not None and not isinstance(error, OSError):
            raise error  # an OSError means that the client left during a write

    async def _talk(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await _write(send, f"retry: {RETRY_MS}\n\n")
        while await self._watch(send):
            pass
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _watch(self, send: Send) -> bool:
        """Tell what comes until the stream has to end (False) or the conversation goes on elsewhere."""
        chat = self._chat
        async with self._edge.hub.watch(chat) as watcher:
            while not self._edge.hub.closing:
                news = await self._next(watcher)
                if news is not None:
                    await self._tell(news, send)
                    if self._chat != chat:
                        return True
                elif not await self._look(watcher, send):
                    break
        return False

    async def _next(self, watcher: Watcher) -> News | None:
        quiet_s = HEARTBEAT_S if self._edge.hub.connected and not self._behind else AWAY_S
        return await watcher.next(quiet_s)

    async def _look(self, watcher: Watcher, send: Send) -> bool:
        """Read the table, because nothing has come for a while or something may have been missed. False: the stream
        has to end."""
        if self._edge.hub.closing or self._edge.clock.now().timestamp() >= self._expires_s:
            return False
        try:
            if await self._edge.apps.find("widget", self._slug) is None:
                return False
        except Transient:
            pass  # whether the widget still exists cannot be checked now; the stream stays open
        missed, watcher.behind = watcher.behind, False
        await self._catch_up(send)
        if missed and self._shown is not None:
            # The answer's end may have been missed. If it goes on, its next piece has the whole text.
            await self._withdraw(send)
        await _write(send, ": \n\n")
        return True

    async def _tell(self, news: News, send: Send) -> None:
        match news:
            case Stored(answer):
                await self._catch_up(send)
                await self._end(answer, send)
            case Went(chat):
                if self._shown is not None:
                    await self._withdraw(send)
                self._chat, self._seq = replace(self._chat, chat=chat), 0
                await _event(send, "moved", {"chat": chat})
            case Withdrawn(answer):
                await self._end(answer, send)
            case PartialAnswer(answer, text):
                await self._piece(answer, text, send)

    async def _piece(self, answer: AnswerId, text: str, send: Send) -> None:
        if (self._ended is not None and answer <= self._ended) or (self._shown is not None and answer < self._shown):
            return  # a newer answer has replaced this one
        if self._shown is not None and answer != self._shown:
            await self._withdraw(send)
        at = len(self._shown_text) if text.startswith(self._shown_text) else 0
        self._shown, self._shown_text = answer, text
        if text[at:] or not at:
            await _event(send, "piece", {"answer": str(answer), "at": at, "text": text[at:]})

    async def _end(self, answer: AnswerId | None, send: Send) -> None:
        if answer is None:
            return
        self._ended = max(answer, self._ended or answer)
        if self._shown is not None and self._shown <= answer:
            await self._withdraw(send)

    async def _withdraw(self, send: Send) -> None:
        answer, self._shown, self._shown_text = self._shown, None, ""
        await _event(send, "withdrawn", {"answer": str(answer)})

    async def _catch_up(self, send: Send) -> None:
        """Send the messages of the table that come after the last one sent."""
        while True:
            try:
                lines = await self._edge.in_thread(self._read)
            except DatabaseUnavailable:
                self._behind = True
                return
            self._behind = False
            for line in lines:
                if line.role != "customer":
                    self._shown, self._shown_text = None, ""
                self._seq = line.seq
                await _event(send, "message", line, line.seq)
            if len(lines) < PAGE:
                return

    def _read(self) -> list[Line]:
        chat = self._chat
        with self._edge.db.transaction(chat.company_id) as conn:
            return message_pages.of_chat(
                conn, chat.company_id, chat.channel_id, chat.chat, after_seq=self._seq, limit=PAGE
            )


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _event(send: Send, name: str, value: Any, seq: int | None = None) -> None:
    identity = f"id: {seq}\n" if seq is not None else ""
    # A line break would end the event's data; JSON as it is written here has none.
    await _write(send, f"{identity}event: {name}\ndata: {orjson.dumps(value).decode()}\n\n")


async def _write(send: Send, text: str) -> None:
    await send({"type": "http.response.body", "body": text.encode(), "more_body": True})

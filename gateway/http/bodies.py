"""Reading request bodies within a budget: how many bytes of unfinished requests the process and an address may hold."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from gateway.http.refused import Refused

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

FREE_BYTES = 16 * 1024
"""Of each body, not counted: the server's own buffer of a connection is larger, and an exhausted budget must not refuse
what platforms usually send."""
STRANGERS_SHARE = 0.5
"""Of both budgets: what bodies may take whose sender is not known yet, as signed webhooks are read before they are
verified."""
STRANGERS_WITHIN_S = 10.0
"""The server waits 30 s for any request; a platform's body needs a fraction of a second."""


class ClientLeft(Exception):
    """The client disconnected before its body was complete; there is nobody to answer."""


class Bodies:
    """The budget. Counted on the event loop, while bytes arrive and until the request has been answered."""

    def __init__(self, *, most: int, most_of_address: int) -> None:
        self._most, self._most_of_address = most, most_of_address
        self.total = 0
        self._of_address: Counter[str] = Counter()

    def open(self, address: Callable[[], str], *, known: bool) -> Body:
        """address: asked for when it is needed. known: the sender has proved who it is."""
        return Body(self, address, known=known)

    def take(self, address: str, size: int, *, known: bool) -> None:
        """Raises Refused(503)."""
        share = 1.0 if known else STRANGERS_SHARE
        if self._of_address[address] + size > self._most_of_address * share:
            raise Refused(503, "too many bytes are under way from this address: try again shortly", 2.0)
        if self.total + size > self._most * share:
            raise Refused(503, "too many bytes are under way: try again shortly", 2.0)
        self.total += size
        self._of_address[address] += size

    def give_back(self, address: str, size: int) -> None:
        self.total -= size
        self._of_address[address] -= size
        if self._of_address[address] <= 0:
            del self._of_address[address]


class Body:
    """One request's body; `close` it once the request was answered."""

    __slots__ = ("_address", "_bodies", "_known", "_taken", "_whose")

    def __init__(self, bodies: Bodies, whose: Callable[[], str], *, known: bool) -> None:
        self._bodies, self._whose, self._known = bodies, whose, known
        self._address = ""
        self._taken = 0

    async def read(self, receive: Receive, most: int, announced: str = "") -> bytes:
        """The whole body. announced: the content-length. Raises Refused(408, 413, 503), ClientLeft."""
        if announced.isdecimal() and (len(announced) > 18 or int(announced) > most):
            raise Refused(413, f"the body may have {most} bytes")
        message = await receive()
        if not message.get("more_body", False) and message["type"] == "http.request":
            first: bytes = message.get("body", b"")
            if len(first) > most:
                raise Refused(413, f"the body may have {most} bytes")
            return first
        if self._known:
            return await self._rest(message, receive, most)
        try:
            async with asyncio.timeout(STRANGERS_WITHIN_S):
                return await self._rest(message, receive, most)
        except TimeoutError:
            raise Refused(408, "the body took too long to arrive", headers={"connection": "close"}) from None

    async def _rest(self, message: MutableMapping[str, Any], receive: Receive, most: int) -> bytes:
        chunks: list[bytes] = []
        size = 0
        while True:
            if message["type"] == "http.disconnect":
                raise ClientLeft
            chunk = message.get("body", b"")
            size += len(chunk)
            if size > most:
                raise Refused(413, f"the body may have {most} bytes")
            self._count(size)
            chunks.append(chunk)
            if not message.get("more_body", False):
                return b"".join(chunks)
            message = await receive()

    def _count(self, size: int) -> None:
        more = size - FREE_BYTES - self._taken
        if more > 0:
            self._address = self._address or self._whose()
            self._bodies.take(self._address, more, known=self._known)
            self._taken += more

    def close(self) -> None:
        if self._taken:
            self._bodies.give_back(self._address, self._taken)
            self._taken = 0

"""A visitor of the widget: posts, reads and watches through the real gateway app, as a page would."""

from __future__ import annotations

import asyncio
import itertools
import json
import queue
from dataclasses import dataclass
from typing import Any

import httpx
import psycopg

from shared.store.db.vault import Vault
from shared.store.tenants import companies, rate_limits
from shared.store.tenants.rate_limits import Bounds
from tasks.tenants import onboarding
from tests.factories import ENCRYPTION_KEY, Bot
from tests.integration.gateway_client import ANSWER_WITHIN_S, Message, RunningGateway

ORIGIN = "https://shop.example"
_numbers = itertools.count(1)


def make_widget(admin_url: str, *origins: str, company: str | None = None, lifted: bool = True) -> Bot:
    """A company with a widget; its pages are at ORIGIN unless others are named. lifted: visitors' addresses are not
    limited, as those of a test are all the same."""
    number = next(_numbers)
    with psycopg.connect(admin_url, autocommit=True) as conn:
        owner = companies.ensure(conn, company or f"widget company {number}")
        slug = f"widget-{number}"
        connected = onboarding.connect_widget(
            conn, Vault([ENCRYPTION_KEY]), company_id=owner.id, slug=slug, origins=origins or (ORIGIN,)
        )
        if lifted:
            rate_limits.set_bounds(conn, "address", owner.id, Bounds())
    return Bot(owner.id, connected.app_id, connected.channel_id, slug, "", "")


@dataclass(frozen=True)
class Event:
    """One server-sent event."""

    name: str
    data: dict[str, Any]
    id: str | None = None


class Stream:
    """An open event stream, spoken to as ASGI: httpx's own transport would wait for its end."""

    def __init__(self, gateway: RunningGateway, path: str, query: str, headers: dict[str, str]) -> None:
        self._gateway = gateway
        self._sent: queue.Queue[Message] = queue.Queue()
        self._left: asyncio.Event | None = None
        self._buffer = ""
        self._headers = [(name.encode(), value.encode()) for name, value in headers.items()]
        self._scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http",
            "path": path, "raw_path": path.encode(), "query_string": query.encode(), "root_path": "",
            "headers": self._headers, "client": ("127.0.0.1", 1), "server": ("gateway", 80),
        }  # fmt: skip
        gateway.run(self._begin())
        start = self._sent.get(timeout=ANSWER_WITHIN_S)
        self.status: int = start["status"]

    async def _begin(self) -> None:
        self._left = asyncio.Event()
        self._task = asyncio.create_task(self._gateway.app(self._scope, self._receive, self._send))

    async def _receive(self) -> Message:
        assert self._left is not None
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        self._sent.put(message)

    def leave(self) -> None:
        """The page is closed; returns when the gateway has noticed."""

        async def leave() -> None:
            assert self._left is not None
            self._left.set()
            await self._task

        self._gateway.run(leave())

    def next(self) -> Event:
        """The next event; heartbeats and the like are passed over. Raises EOFError when the stream has ended."""
        while True:
            block, divider, rest = self._buffer.partition("\n\n")
            if divider:
                self._buffer = rest
                fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
                if "event" in fields:
                    return Event(fields["event"], json.loads(fields["data"]), fields.get("id"))
                continue
            message = self._sent.get(timeout=ANSWER_WITHIN_S)
            self._buffer += message["body"].decode()
            if not message.get("more_body"):
                raise EOFError

    def until(self, name: str) -> list[Event]:
        """Events up to the first of this name."""
        seen = [self.next()]
        while seen[-1].name != name:
            seen.append(self.next())
        return seen


class Visitor:
    """Somebody on a page with the widget."""

    def __init__(self, gateway: RunningGateway, widget: Bot, token: str | None = None) -> None:
        self.gateway, self.widget = gateway, widget
        self._base = f"/widget/{widget.slug}"
        self.token = token or self.open_session().json()["token"]

    def open_session(self, **headers: str) -> httpx.Response:
        return self.gateway.request("POST", f"{self._base}/sessions", headers={"origin": ORIGIN, **headers})

    @property
    def headers(self) -> dict[str, str]:
        return {"origin": ORIGIN, "authorization": f"Bearer {self.token}"}

    def say(self, text: Any, client_id: Any = None, **headers: str) -> httpx.Response:
        client_id = f"c{next(_numbers)}" if client_id is None else client_id
        return self.gateway.request(
            "POST",
            f"{self._base}/messages",
            json={"text": text, "client_id": client_id},
            headers={**self.headers, **headers},
        )

    def read(self, after_seq: int = 0) -> list[dict[str, Any]]:
        answer = self.gateway.get(f"{self._base}/messages?after_seq={after_seq}", headers=self.headers)
        assert answer.status_code == 200, answer.text
        return list(answer.json()["messages"])

    def texts(self) -> list[str]:
        return [message["text"] for message in self.read()]

    def watch(self, query: str = "", **headers: str) -> Stream:
        return Stream(self.gateway, f"{self._base}/events", query, {**self.headers, **headers})

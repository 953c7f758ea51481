"""One worker's hands: real resources on real services; Telegram and the model are scripted behind HTTP clients."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

import httpx

from shared.embedded import Database as Server
from shared.knowledge import search as knowledge
from shared.llm.api import is_neutral
from shared.llm.provider import Provider
from shared.llm.router import Router
from shared.resilience.breaker import Breakers
from shared.resources import open_resources
from shared.store.delivery import outbound
from shared.store.inbox import conversations, messages
from tasks.answers import reply
from tasks.answers.leases import Leases
from tasks.delivery import deliver
from tasks.delivery.deliver import Delivered
from tasks.knowledge import index
from tests.embedder import FakeEmbedder
from tests.factories import Bot, Inbox, update

Meanwhile = Callable[[], object]
"""What happens while a request is under way; run in a thread of its own."""

LEAVES_OPEN = "leaves_open"
DROPS = "drops"
NOT_REACHED = "not_reached"


class FakeTelegram:
    """Accepts what is sent, unless a script says otherwise: (status, body), LEAVES_OPEN, DROPS or NOT_REACHED, first in
    first out. sent: (token, chat, text) of what was accepted; topics: the topic that each went to, None outside of any.
    asked: how many sends were tried. typing: set once somebody was shown that an answer is being written."""

    def __init__(self) -> None:
        self.typing = threading.Event()
        self.sent: list[tuple[str, str, str]] = []
        self.topics: list[int | None] = []
        self.asked = 0
        self.script: deque[tuple[int, dict[str, Any]] | str] = deque()
        self.meanwhile: Meanwhile | None = None

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        token, method = request.url.path.removeprefix("/bot").split("/")
        if method != "sendMessage":
            self.typing.set()
            return httpx.Response(200, json={"ok": True, "result": True})
        self.asked += 1
        if self.meanwhile is not None:
            happens, self.meanwhile = self.meanwhile, None
            await asyncio.to_thread(happens)
        body = json.loads(request.content)
        said = self.script.popleft() if self.script else None
        if said == NOT_REACHED:
            raise httpx.ConnectError("nobody listens")
        if said is None or isinstance(said, str):
            self.sent.append((token, str(body["chat_id"]), body["text"]))
            self.topics.append(body.get("message_thread_id"))
        if said == DROPS:
            raise httpx.ReadError("cut off after it was accepted")
        if said == LEAVES_OPEN:
            await asyncio.Event().wait()
        if isinstance(said, tuple):
            return httpx.Response(said[0], json=said[1])
        return httpx.Response(200, json={"ok": True, "result": {"message_id": 1000 + len(self.sent)}})

    @property
    def texts(self) -> list[str]:
        return [text for _, _, text in self.sent]


class FakeModel:
    """Answers with `text`, or with a refusal's status. asked: the prompts. meanwhile: happens during the next one."""

    def __init__(self) -> None:
        self.text = "We open at nine [1]."
        self.status = 200
        self.asked: list[list[dict[str, str]]] = []
        self.meanwhile: deque[Meanwhile] = deque()

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(json.loads(request.content)["messages"])
        if self.meanwhile:
            await asyncio.to_thread(self.meanwhile.popleft())
        if self.status != 200:
            return httpx.Response(self.status, json={"error": {"message": "no", "type": "no"}})
        return httpx.Response(
            200,
            json={
                "model": "small",
                "choices": [{"message": {"content": self.text}, "finish_reason": "stop"}],
                "usage": {"prompt_tokens": 20, "completion_tokens": 5},
            },
        )

    def questions(self) -> list[str]:
        return [prompt[-1]["content"] for prompt in self.asked]


class Station:
    """A worker that answers and delivers, one call at a time. Settings as given; no quiet window unless given."""

    def __init__(self, server: Server, redis_url: str, **values: Any) -> None:
        at_once = {"QUIET_WINDOW_S": 0.0, "QUIET_WINDOW_MAX_S": 0.0, "RELEVANCE_THRESHOLD": 0.05}
        self.inbox = Inbox(server, redis_url, **{**at_once, **values})
        self.telegram, self.model = FakeTelegram(), FakeModel()
        self.r = open_resources(self.inbox.settings, name="test")
        self._replaced = [self.r.http, self.r.llm_http]
        self.r.http = httpx.AsyncClient(transport=httpx.MockTransport(self.telegram))
        self.r.llm_http = httpx.AsyncClient(transport=httpx.MockTransport(self.model))
        self.r.router = self._router()
        self.embedder = self.r.embedder = FakeEmbedder()
        self.leases = self.new_leases()

    def _router(self) -> Router:
        provider = Provider(
            self.r.llm_http, name="model", base_url="http://model/v1", api_key="k", model="small", max_tokens=50
        )
        return Router([provider], Breakers(neutral=is_neutral))

    def add_cheaper_model(self) -> FakeModel:
        """A second provider behind the station's own, whose model is `large` from now on; this one's is `small`."""
        cheaper = FakeModel()

        async def answer(request: httpx.Request) -> httpx.Response:
            return await (self.model if request.url.host == "first" else cheaper)(request)

        self.r.llm_http = httpx.AsyncClient(transport=httpx.MockTransport(answer))
        providers = [
            Provider(self.r.llm_http, name=host, base_url=f"http://{host}/v1", api_key="k", model=model, max_tokens=50)
            for host, model in (("first", "large"), ("second", "small"))
        ]
        self.r.router = Router(providers, Breakers(neutral=is_neutral))
        return cheaper

    def new_leases(self) -> Leases:
        """Another process' leases; nothing renews them by itself."""
        return Leases(self.r.db, self.r.clock, lease_s=self.r.settings.answers.lease_s)

    def close(self) -> None:
        for client in self._replaced:
            self.r.loop.run(_closed(client.aclose), timeout_s=2)
        self.r.close()
        self.inbox.close()

    def learn(self, bot: Bot, text: str = "The shop opens at nine in the morning.") -> None:
        with self.r.db.transaction(bot.company_id) as conn:
            knowledge.add(conn, bot.company_id, source=text, title="Opening hours", text=text)

    def receive(self, bot: Bot, *texts: str | None, chat: int = 5) -> None:
        """Customers' messages, stored, one batch each."""
        for text in texts:
            more: dict[str, Any] = {} if text is not None else {"photo": [{"file_id": "f", "width": 1, "height": 1}]}
            self.inbox.journal(bot, update(text, chat=chat, **more))
            self.inbox.drain_all()

    def index(self) -> index.Result:
        """Embed one batch of what is due."""
        return index.index_next_document(self.r, 0)[0]

    def answer(self) -> reply.Result:
        return reply.answer_next_turn(self.r, self.leases, 0)[0]

    def deliver(self) -> Delivered:
        return deliver.deliver_next_part(self.r, 0)

    def deliver_all(self) -> None:
        """Deliver until nothing is left, as if the pauses between were over."""
        for _ in range(100):
            if self.deliver().result is deliver.Result.NOTHING_DUE:
                if not self.rows("SELECT 1 FROM outbound WHERE state = 'queued'"):
                    return
                self.time_passes()
        raise AssertionError("parts were left after a hundred deliveries")

    def time_passes(self) -> None:
        """Everything that waits for its time is due, every rate has recovered, and open breakers want their trial."""
        self.execute("UPDATE turns SET due_at = now() WHERE state IN ('waiting', 'answering')")
        self.execute("UPDATE outbound SET due_at = now() WHERE state IN ('queued', 'sending')")
        for key in self.inbox.client.scan_iter("sb:limit:*"):
            self.inbox.client.delete(key)
        self.let_breakers_try()

    def let_breakers_try(self) -> None:
        """Every open breaker's trial is due: in Redis, and in what this process knows."""
        for key in self.inbox.client.scan_iter("sb:breaker:*}"):
            if int(self.inbox.client.hget(key, "opened") or 0):
                self.inbox.client.hset(key, "opened", 1)
        for breakers in (self.r.outside.sends, self.r.outside.sites, self.r.outside.media):
            for breaker, _ in breakers._breakers.values():
                if breaker.open_for_s():
                    breaker.align(failures=0, open_for_s=0.0)
                breaker._trial_until_s = 0.0

    def queue(self, bot: Bot, *texts: str, chat: int = 5) -> int:
        """A message of ours in these parts, ready to be sent; returns its conversation."""
        company, channel = bot.company_id, bot.channel_id
        with self.r.db.transaction(company) as conn:
            key = conversations.ChatKey(company, channel, str(chat))
            conversation = conversations.ensure_locked(conn, {key: None})[key]
            seq = conversation.message_count + 1
            message = messages.add_own(conn, company, conversation.id, channel, seq, "bot", "".join(texts))
            conversations.advance(conn, [conversations.Head(company, conversation.id, seq, 0, message, "bot", "")])
            outbound.add_parts(conn, company, conversation.id, channel, None, message, texts)
        return conversation.id

    def execute(self, query: str, *values: Any) -> int:
        """Change something as the owner; returns how many rows."""
        return self.inbox.owner.run(query, values).rowcount

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        return self.inbox.rows(query, *values)

    def conversation(self, chat: int = 5) -> int:
        [(found,)] = self.rows("SELECT id FROM conversations WHERE chat = %s", str(chat))
        return int(found)


async def _closed(close: Callable[[], Awaitable[None]]) -> None:
    await close()

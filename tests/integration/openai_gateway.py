"""A gateway on a real port, for programs that speak OpenAI's API, and the stand-in behind it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from openai import OpenAI

from gateway import serve
from gateway.main import Gateway
from shared.embedded import Database
from shared.embedded.ports import choose_port
from shared.store.db.pool import Conn
from standin.client import Standin
from tests.factories import make_bot, settings_for
from tests.integration.gateway_client import logging_as_it_was
from tests.integration.test_api_keys import make

KEY = "sk-environment"
MESSAGES: Any = [{"role": "user", "content": "When do parcels leave?"}]
WITHIN_S = 20.0


class Front:
    """url: with /v1. key: of a program of `company_id` with the scope models."""

    def __init__(self, url: str, owner: Conn, company_id: int, standin: Standin) -> None:
        self.url, self.owner, self.company_id, self.standin = url, owner, company_id, standin
        self.key = self.new_key()

    def new_key(self, *scopes: str, company_id: int | None = None) -> str:
        return make(self.owner, company_id or self.company_id, *(scopes or ("models",)), name=f"p{len(scopes)}")

    def client(self, key: str | None = None) -> OpenAI:
        return OpenAI(base_url=self.url, api_key=key or self.key, max_retries=0, timeout=WITHIN_S)

    def until_booked(self, count: int = 1) -> list[dict[str, Any]]:
        """The ledger's rows of the company, once there are so many."""
        for _ in polled():
            rows = self.owner.execute(
                "SELECT to_jsonb(c) FROM llm_calls c WHERE company_id = %s ORDER BY at, attempt", (self.company_id,)
            ).fetchall()
            if len(rows) >= count:
                return [row[0] for row in rows]  # type: ignore[misc]
        raise AssertionError("the ledger never had them")


def polled() -> Iterator[None]:
    """Again and again for a bounded time."""
    ended = threading.Event()
    for _ in range(400):
        yield
        ended.wait(0.05)


def until(reached: Callable[[], bool]) -> None:
    assert any(reached() for _ in polled()), "it never became so"


@contextmanager
def front(server: Database, redis_url: str, standin: Standin, **values: Any) -> Iterator[Front]:
    standin.reset()
    standin.register_key(KEY)
    port = standin.base_url.rpartition(":")[2]
    fallback = {"base_url": standin.openai_url, "api_key": KEY, "model": "standin-chat-mini", "name": "second"}
    config = settings_for(
        server, redis_url, LLM_BASE_URL=standin.openai_url, LLM_API_KEY=KEY, LLM_MODEL="standin-chat",
        LLM_FALLBACKS=json.dumps([fallback]), EGRESS_ALLOW=f"model:127.0.0.1:{port}", **values,
    )  # fmt: skip
    here = choose_port(None)
    with logging_as_it_was(), psycopg.connect(server.admin_url, autocommit=True) as owner:
        running = serve.make_server(Gateway(lambda: config), "127.0.0.1", here)
        thread = threading.Thread(target=running.run)
        thread.start()
        try:
            until(lambda: running.started)
            yield Front(f"http://127.0.0.1:{here}/v1", owner, make_bot(server.admin_url).company_id, standin)
        finally:
            running.should_exit = True
            thread.join(WITHIN_S)
            assert not thread.is_alive()

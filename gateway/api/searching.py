"""What a gateway needs to search for agents: made with the first search, because most gateways only take webhooks."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from gateway.http.edge import Edge
from shared.cache.two_level import TwoLevel
from shared.knowledge import embed, remembered
from shared.knowledge.asking import Question, ask
from shared.knowledge.embed import Embedder
from shared.knowledge.embedding_models import EmbeddingModels, Understood, active, understood
from shared.knowledge.remembered import RememberingEmbedder, Results
from shared.llm import made_calls
from shared.llm.api import http_client, is_neutral
from shared.model import Passage
from shared.resilience.loop import Loop
from shared.resilience.shared_breaker import ANSWER_WITHIN_S, SharedBreakers
from shared.store.db.redis import connect_async
from shared.store.knowledge.filters import Filter

THREADS = 2
ENTRIES = 500
"""Remembered in this process; Redis has what the fleet remembers."""
CONNECTIONS = 4


@dataclass(frozen=True, slots=True)
class _Open:
    loop: Loop
    embedders: dict[str, Embedder]
    results: Results
    directory: EmbeddingModels


class Searcher:
    def __init__(self, edge: Edge) -> None:
        self._edge = edge
        self._lock = threading.Lock()
        self._opened: _Open | None = None
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="search")

    async def search(
        self, company_id: int, question: str, limit: int, where: Filter | None
    ) -> tuple[Understood, list[Passage]]:
        """As an answer searches, for a first question. Raises DatabaseUnavailable, and psycopg's InsufficientPrivilege
        for a filter that names what is not the company's."""
        return await asyncio.get_running_loop().run_in_executor(
            self._threads, self._search, company_id, question, limit, where
        )

    def _search(
        self, company_id: int, question: str, limit: int, where: Filter | None
    ) -> tuple[Understood, list[Passage]]:
        opened, edge = self._open(), self._edge
        deadline_s = edge.settings.embeddings.deadline_s
        known = opened.directory.every()
        with made_calls.recorded(edge.db, company_id):
            return ask(
                edge.db, Question(company_id, [question], limit, where=where), opened.results,
                active(known, opened.embedders),
                lambda: understood(known, opened.embedders, [question], clock=edge.clock, deadline_s=deadline_s),
            )  # fmt: skip

    def _open(self) -> _Open:
        with self._lock:
            if self._opened is None:
                self._opened = self._made()
            return self._opened

    def _made(self) -> _Open:
        settings, clock, cache = self._edge.settings, self._edge.clock, self._edge.cache
        loop, http = Loop("search"), http_client(CONNECTIONS)
        loop.start()
        breakers = SharedBreakers(
            connect_async(settings.need("CACHE_URL"), socket_timeout_s=ANSWER_WITHIN_S),
            probe_ttl_s=settings.embeddings.deadline_s + 5.0, clock=clock, neutral=is_neutral,
        )  # fmt: skip
        vectors = TwoLevel(cache, clock, ttl_s=remembered.VECTORS_TTL_S, entries=ENTRIES)
        found = [
            embed.from_settings(settings, http, loop, breakers),
            *embed.others_from_settings(settings, http, loop, breakers),
        ]
        return _Open(
            loop,
            {each.model: RememberingEmbedder(each, vectors) for each in found},
            Results(TwoLevel(cache, clock, ttl_s=remembered.RESULTS_TTL_S, entries=ENTRIES)),
            EmbeddingModels(self._edge.db, clock),
        )

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        if self._opened is not None:
            self._opened.loop.stop()  # its sockets go with the process

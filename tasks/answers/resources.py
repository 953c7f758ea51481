"""What answering turns needs of what a process holds open."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Protocol

import httpx

from shared.channels.base import Platform
from shared.clock import Clock
from shared.knowledge.asking import Question
from shared.knowledge.conversation import Said
from shared.knowledge.embedding_models import EmbeddingModels, Understood
from shared.knowledge.reranked import Reranker
from shared.live.publisher import Publisher
from shared.llm.call import ModelCall
from shared.llm.router import Router
from shared.model import Passage
from shared.resilience.lease_records import LeaseRecords
from shared.resilience.load_shedding import LoadShedding
from shared.resilience.loop import Loop
from shared.resilience.refusals import Refusals
from shared.settings import Settings
from shared.store.db.pool import Database
from shared.store.db.vault import Vault
from shared.store.knowledge.embedding_models import EmbeddingModel
from shared.store.tenants.limit_table import LimitTable
from tasks.models.spending import Priced


class AnswerResources(Protocol):
    """What answering turns needs. shared.resources.Resources is one."""

    def ask(
        self, question: Question, understand: Callable[[Sequence[EmbeddingModel]], Understood] | None = None,
        known: Sequence[EmbeddingModel] | None = None,
    ) -> tuple[Understood, list[Passage]]: ...  # fmt: skip

    @property
    def clock(self) -> Clock: ...

    @property
    def db(self) -> Database: ...

    @property
    def embedding_models(self) -> EmbeddingModels: ...

    @property
    def http(self) -> httpx.AsyncClient: ...

    @property
    def lease_records(self) -> LeaseRecords: ...

    @property
    def live(self) -> Publisher: ...

    @property
    def loop(self) -> Loop: ...

    @property
    def rate_limits(self) -> LimitTable: ...

    @property
    def refusals(self) -> Refusals: ...

    @property
    def platforms(self) -> dict[str, Platform]: ...

    @property
    def load_shedding(self) -> LoadShedding: ...

    def reranker_for(self, company_id: int) -> Reranker | None: ...

    @property
    def prices(self) -> Priced: ...

    @property
    def rng(self) -> random.Random: ...

    def router_for(self, call: ModelCall) -> Router | None: ...

    @property
    def settings(self) -> Settings: ...

    def understand(
        self, questions: Sequence[str], *, before: Sequence[Said] = (), deadline_s: float | None = None,
        renew: bool = False, known: Sequence[EmbeddingModel] | None = None,
    ) -> Understood: ...  # fmt: skip

    @property
    def vault(self) -> Vault: ...

"""The resources of a process that reading, embedding and searching documents need."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Protocol

from shared.clock import Clock
from shared.knowledge.asking import Question
from shared.knowledge.conversation import Said
from shared.knowledge.embed import Embedder
from shared.knowledge.embedding_models import EmbeddingModels, Understood
from shared.knowledge.remembered import Results
from shared.model import Passage
from shared.resilience.egress import Egress
from shared.resilience.loop import Loop
from shared.resilience.outside import Outside
from shared.store.db.pool import Database
from shared.store.knowledge.embedding_models import EmbeddingModel


class KnowledgeResources(Protocol):
    """What reading, embedding and searching documents needs. shared.resources.Resources is one."""

    def ask(
        self, question: Question, understand: Callable[[Sequence[EmbeddingModel]], Understood] | None = None
    ) -> tuple[Understood, list[Passage]]: ...

    @property
    def clock(self) -> Clock: ...

    @property
    def db(self) -> Database: ...

    @property
    def egress(self) -> Egress: ...

    @property
    def embedder(self) -> Embedder: ...

    @property
    def embedders(self) -> dict[str, Embedder]: ...

    @property
    def embedding_models(self) -> EmbeddingModels: ...

    @property
    def loop(self) -> Loop: ...

    @property
    def outside(self) -> Outside: ...

    @property
    def results(self) -> Results: ...

    @property
    def rng(self) -> random.Random: ...

    def understand(
        self, questions: Sequence[str], *, before: Sequence[Said] = (), deadline_s: float | None = None,
        renew: bool = False,
    ) -> Understood: ...  # fmt: skip

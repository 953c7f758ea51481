"""Texts made into vectors: what an embedder is, and which one a process has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import httpx

from shared.knowledge.minilm import MODEL, LocalMiniLM
from shared.llm.embeddings import RemoteEmbedder
from shared.resilience.breaker import Breakers
from shared.resilience.loop import Loop
from shared.resilience.shared_breaker import SharedBreakers
from shared.settings import Settings

Vector = Sequence[float]


class Embedder(Protocol):
    """Makes vectors of one space. model: names the space; vectors of different models are never compared. baseline:
    the cosine that texts which have nothing to do with each other still reach; what is above it is nearness."""

    @property
    def model(self) -> str: ...

    @property
    def baseline(self) -> float: ...

    def prepare(self) -> None:
        """Load what the first call would wait for. Raises SettingsError when there is nothing to load."""
        ...

    def embed(self, texts: Sequence[str], *, deadline_s: float) -> list[Vector]:
        """A vector of length 1 for each text, all of one dimension; in the order of the texts.

        Safe for any number of threads. Raises ModelUnavailable when it cannot now, Permanent when it never will.
        """
        ...

    def trust(self, text: str) -> float:
        """How well the model knows the text's language, 0 to 1: what its ranking should count."""
        ...


def from_settings(
    settings: Settings, http: httpx.AsyncClient, loop: Loop, breakers: Breakers | SharedBreakers | None = None
) -> Embedder:
    """The embedder of this process: the API that EMBEDDINGS_BASE_URL names, else the local model. Loads nothing."""
    if settings.embeddings.base_url is None or settings.embeddings.model is None:
        return LocalMiniLM()
    return RemoteEmbedder(
        http,
        loop,
        base_url=settings.embeddings.base_url,
        api_key=settings.embeddings.api_key.get_secret_value(),
        model=settings.embeddings.model,
        baseline=settings.embeddings.baseline,
        breakers=breakers,
    )


def others_from_settings(
    settings: Settings, http: httpx.AsyncClient, loop: Loop, breakers: Breakers | SharedBreakers | None = None
) -> list[Embedder]:
    """Those of other spaces: the APIs of EMBEDDINGS_FALLBACKS, and the local model where it is not the first."""
    found: list[Embedder] = [
        RemoteEmbedder(
            http, loop, base_url=other.base_url, api_key=other.api_key.get_secret_value(), model=other.model,
            baseline=other.baseline, breakers=breakers,
        ) for other in settings.embeddings.fallbacks
    ]  # fmt: skip
    names = {settings.embeddings.model, *(other.model for other in settings.embeddings.fallbacks)}
    if settings.embeddings.base_url is not None and MODEL not in names:
        found.append(LocalMiniLM())
    return found

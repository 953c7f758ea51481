"""Defines embedders, which turn texts into vectors, and makes those that the settings name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import httpx

from shared.knowledge import e5, minilm
from shared.knowledge.e5 import LocalE5
from shared.knowledge.minilm import LocalMiniLM
from shared.llm.embeddings import RemoteEmbedder
from shared.resilience.breaker import Breakers
from shared.resilience.loop import Loop
from shared.resilience.shared_breaker import SharedBreakers
from shared.settings import Settings

Vector = Sequence[float]

LOCAL = (LocalE5, LocalMiniLM)
"""The embedders that compute in this process."""


class Embedder(Protocol):
    """Turns texts into the vectors of one embedding model. Vectors of different models are never compared.

    model: its name. baseline: the cosine that unrelated texts reach on average; only what exceeds it means nearness.
    """

    @property
    def model(self) -> str: ...

    @property
    def baseline(self) -> float: ...

    def prepare(self) -> None:
        """Load the model, so that the first call need not. Raises SettingsError if its files are missing."""
        ...

    def embed(self, texts: Sequence[str], *, deadline_s: float, passages: bool = False) -> list[Vector]:
        """Return a vector of length 1 for each text, all of one dimension, in the order of the texts.

        passages: the texts are documents', not questions, which some models embed differently.

        Thread-safe. Raises ModelUnavailable if a later attempt may succeed, Permanent if none will.
        """
        ...

    def trust(self, text: str) -> float:
        """Return how well the model knows the text's language, 0 to 1: the weight of its ranking."""
        ...


def from_settings(
    settings: Settings, http: httpx.AsyncClient, loop: Loop, breakers: Breakers | SharedBreakers | None = None
) -> Embedder:
    """Make the first embedder: the API that EMBEDDINGS_BASE_URL names, or the local model that
    EMBEDDINGS_LOCAL_MODEL names. Loads nothing."""
    if settings.embeddings.base_url is None or settings.embeddings.model is None:
        return LocalMiniLM() if settings.embeddings.local_model == minilm.MODEL else LocalE5()
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
    """Make the embedders of the other models: the APIs of EMBEDDINGS_FALLBACKS, and the local models that are
    installed. Loads nothing."""
    found: list[Embedder] = [
        RemoteEmbedder(
            http, loop, base_url=other.base_url, api_key=other.api_key.get_secret_value(), model=other.model,
            baseline=other.baseline, breakers=breakers,
        ) for other in settings.embeddings.fallbacks
    ]  # fmt: skip
    names = {first_model(settings), *(other.model for other in settings.embeddings.fallbacks)}
    if e5.MODEL not in names and e5.is_installed():
        found.append(LocalE5())
    if minilm.MODEL not in names and minilm.is_installed():
        found.append(LocalMiniLM())
    return found


def local_problem(model: str) -> tuple[str, str] | None:
    """Return what is wrong with the files of a local model, and what mends it; None if they are whole. Reads them."""
    if model == minilm.MODEL:
        return (wrong, minilm.MEND) if (wrong := minilm.problem()) else None
    return (wrong, e5.MEND) if (wrong := e5.problem()) else None


def models(settings: Settings) -> list[str]:
    """Return the names of the models that `from_settings` and `others_from_settings` make embedders of."""
    names = [first_model(settings), *(other.model for other in settings.embeddings.fallbacks)]
    installed = [e5.MODEL] * e5.is_installed() + [minilm.MODEL] * minilm.is_installed()
    return list(dict.fromkeys([*names, *installed]))


def first_model(settings: Settings) -> str:
    """Return the name of the model that `from_settings` makes the embedder of."""
    return settings.embeddings.model or settings.embeddings.local_model

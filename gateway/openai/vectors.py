"""/v1/embeddings: by the embedding models of the knowledge base, the local one or those that the settings name.

A local model computes in this process, which also takes webhooks: on one thread, a few texts at a time, for a few
requests that wait, of which one company has not all. Nothing is loaded before the first request.
"""

from __future__ import annotations

import asyncio
import base64
import struct
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import orjson

from gateway.openai.bodies import Fields
from gateway.openai.mistakes import Mistake, no_such_model, wrong
from gateway.openai.names import OWNER, PREFIX, Listed
from gateway.openai.opened import Opened, breakers_of
from shared.knowledge import embed
from shared.knowledge.embed import Embedder, Vector
from shared.llm import estimates, tokens
from shared.llm.api import http_client
from shared.llm.call import ModelCall
from shared.llm.embeddings import TEXT_MAX_CHARS, RemoteEmbedder
from shared.model import ModelAttempt, Purpose
from tasks.models import spending

PURPOSE: Purpose = "embedding"
LOCAL = "local"
"""The provider that the ledger names for a model that computes here."""
TEXTS_MAX = 128
CHARS_MAX = 200_000
"""Of all texts of one request: about 7 s for the local model."""
AT_A_TIME = 8
"""Texts that the local model is given at once; between them it ends for a client that left."""
WAITING_MAX = 8
WAITING_OF_COMPANY_MAX = 3
WITHIN_S = 30.0
CONNECTIONS = 4


@dataclass(frozen=True, slots=True)
class Wanted:
    """packed: vectors as base64 of 32-bit floats."""

    model: str
    texts: Sequence[str]
    packed: bool
    dimensions: int | None


def read(body: dict[str, Any]) -> Wanted:
    """Raises Mistake, with the parameter's name."""
    fields = Fields(body, ("model", "input", "encoding_format", "dimensions", "user"))
    model = fields.text("model", 300)
    if model is None:
        raise fields.needed("model")
    fields.text("user", 512)
    packed = fields.choice("encoding_format", ("float", "base64")) == "base64"
    return Wanted(model, _texts(fields), packed, fields.whole("dimensions", 1, 100_000))


def _texts(fields: Fields) -> list[str]:
    value = fields.raw("input")
    if value is None:
        raise fields.needed("input")
    texts = [value] if isinstance(value, str) else fields.rows("input", TEXTS_MAX) or []
    for number, text in enumerate(texts):
        place = "input" if isinstance(value, str) else f"input[{number}]"
        if not isinstance(text, str):
            raise wrong(place, f"Invalid type for '{place}': expected a text; tokens are not taken here.")
        if not 1 <= len(text) <= TEXT_MAX_CHARS:
            raise wrong(place, f"Invalid value for '{place}': expected a text of 1 to {TEXT_MAX_CHARS} characters.")
    if sum(map(len, texts)) > CHARS_MAX:
        raise wrong("input", f"Invalid value for 'input': expected up to {CHARS_MAX} characters in all.")
    return texts


class Vectors:
    """The embedders of this process, made with the first request."""

    def __init__(self, opened: Opened) -> None:
        self._opened = opened
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="embeddings")
        self._waiting: Counter[int] = Counter()
        self._embedders: list[Embedder] | None = None

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    def listed(self) -> list[Listed]:
        return [Listed(name, OWNER) for name in (PURPOSE, *embed.models(self._opened.settings))]

    async def answer(self, company_id: int, wanted: Wanted, left: threading.Event) -> bytes:
        """left: set once the client has left. Raises Mistake, ModelUnavailable, Permanent."""
        if self._waiting.total() >= WAITING_MAX or self._waiting[company_id] >= WAITING_OF_COMPANY_MAX:
            raise Mistake(429, "Too many requests for embeddings wait: try again shortly.", retry_after_s=1)
        self._waiting[company_id] += 1
        try:
            work = asyncio.get_running_loop().run_in_executor(self._threads, self._answer, company_id, wanted, left)
            return await asyncio.shield(work)
        finally:
            self._waiting[company_id] -= 1
            if not self._waiting[company_id]:
                del self._waiting[company_id]

    def _answer(self, company_id: int, wanted: Wanted, left: threading.Event) -> bytes:
        if left.is_set():
            return b""
        embedder = self._named(wanted.model)
        call = ModelCall(company_id, None, PURPOSE)
        with spending.spent(
            self._opened, call, self._cost(company_id, embedder, wanted.texts), within_s=WITHIN_S
        ) as made:
            if isinstance(embedder, RemoteEmbedder):
                found = embedder.embed(wanted.texts, deadline_s=WITHIN_S)
            else:
                found = _computed(embedder, wanted.texts, left, made)
            read_tokens = sum(one.tokens_in for one in made if one.outcome == "ok")
        if wanted.dimensions is not None and found and wanted.dimensions != len(found[0]):
            message = f"Unsupported value: 'dimensions' of this model is {len(found[0])}."
            raise wrong("dimensions", message, "unsupported_value")
        return _rendered(embedder.model, found, read_tokens, packed=wanted.packed)

    def _named(self, name: str) -> Embedder:
        if self._embedders is None:
            self._embedders = self._made()
        if name.removeprefix(PREFIX) == PURPOSE:
            return self._embedders[0]
        found = next((one for one in self._embedders if one.model == name), None)
        if found is None:
            raise no_such_model(name)
        return found

    def _made(self) -> list[Embedder]:
        opened = self._opened
        settings, loop = opened.settings, opened.loop
        loop.start()
        http, breakers = http_client(CONNECTIONS), breakers_of(settings, opened.clock, None)
        return [
            embed.from_settings(settings, http, loop, breakers),
            *embed.others_from_settings(settings, http, loop, breakers),
        ]

    def _cost(self, company_id: int, embedder: Embedder, texts: Sequence[str]) -> int:
        """What it may cost at most. Raises Mistake(503) where nobody knows."""
        if not isinstance(embedder, RemoteEmbedder):
            return 0
        price = self._opened.prices.price_of(company_id, embedder.provider, embedder.model)
        if price is None:
            if embedder.paid:
                raise Mistake(503, "No model answered (price_unknown).", code="no_model_answered")
            return 0
        return estimates.cost_at_most(price, estimates.tokens_at_most({"content": text} for text in texts), 0)


def _computed(
    embedder: Embedder, texts: Sequence[str], left: threading.Event, made: list[ModelAttempt]
) -> list[Vector]:  # fmt: skip
    """Vectors of a local model, as far as somebody waits for them."""
    began_s, found = time.monotonic(), list[Vector]()
    for begin in range(0, len(texts), AT_A_TIME):
        if left.is_set():
            break
        found += embedder.embed(texts[begin : begin + AT_A_TIME], deadline_s=WITHIN_S)
    ms = round((time.monotonic() - began_s) * 1000)
    read_tokens = tokens.guessed(texts[: len(found)])
    made.append(
        ModelAttempt(
            LOCAL, embedder.model, "ok" if len(found) == len(texts) else "cancelled", ms, read_tokens, estimated=True,
            purpose=PURPOSE, paid=False,
        )
    )  # fmt: skip
    return found


def _rendered(model: str, vectors: Sequence[Vector], read_tokens: int, *, packed: bool) -> bytes:
    rows = [
        {"object": "embedding", "index": number, "embedding": _packed(one) if packed else list(one)}
        for number, one in enumerate(vectors)
    ]
    usage = {"prompt_tokens": read_tokens, "total_tokens": read_tokens}
    return orjson.dumps({"object": "list", "data": rows, "model": model, "usage": usage})


def _packed(vector: Vector) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()

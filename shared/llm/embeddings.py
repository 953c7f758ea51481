"""Embeds texts by an OpenAI-compatible API, with the same breaker, retries and deadline as a chat call."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Sequence
from random import Random
from typing import Any

import httpx

from shared.clock import Clock, SystemClock
from shared.errors import Cancelled, ModelUnavailable, Permanent, SettingsError
from shared.llm import made_calls, said_usage
from shared.llm.api import (
    CONNECT_TIMEOUT_S,
    POOL_TIMEOUT_S,
    CallFailed,
    error_body,
    is_neutral,
    meaning_of,
    parsed,
    plain_pieces,
    whole_body,
)
from shared.llm.money import is_paid
from shared.model import ModelAttempt
from shared.resilience import retries
from shared.resilience.breaker import Breakers
from shared.resilience.loop import Loop
from shared.resilience.shared_breaker import SharedBreakers

POLICY = retries.Policy(attempts=3, base_s=0.25, cap_s=2.0)
TEXTS_MAX = 64
"""In one request."""
TEXT_MAX_CHARS = 8_000
"""Models refuse what is longer than their window (8,191 tokens at OpenAI); a chunk has about a thousand characters."""
DIMENSION_MAX = 4_000
"""What the vectors' index takes."""


class RemoteEmbedder:
    """An embedder behind an API. base_url: with /v1. Raises SettingsError for a key that no header can carry."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        loop: Loop,
        *,
        base_url: str,
        api_key: str,
        model: str,
        baseline: float = 0.2,
        breakers: Breakers | SharedBreakers | None = None,
        clock: Clock | None = None,
        rng: Random | None = None,
    ) -> None:
        api_key = api_key.strip()
        if not (api_key.isascii() and api_key.isprintable()):
            # The HTTP library would raise an error that quotes the header.
            raise SettingsError("EMBEDDINGS_API_KEY holds characters that no HTTP header can carry")
        self.model, self.baseline = model, baseline
        self._http, self._loop = http, loop
        self._url = base_url.rstrip("/") + "/embeddings"
        self._headers = {"Content-Type": "application/json", "Accept-Encoding": "identity"}
        if api_key:
            self._headers["Authorization"] = f"Bearer {api_key}"
        self._clock = clock or SystemClock()
        self._rng = rng or Random()
        breakers = breakers or Breakers(clock=self._clock, neutral=is_neutral)
        self.provider, self.paid = httpx.URL(base_url).host, is_paid(base_url)
        self._breaker = breakers.of(f"embeddings:{self.provider}", model)
        self._dimension: int | None = None

    def prepare(self) -> None:
        """Do nothing: there is no model to load."""

    def embed(self, texts: Sequence[str], *, deadline_s: float, passages: bool = False) -> list[Sequence[float]]:
        """Return vectors of length 1 within deadline_s of wall-clock time, retries included. Not to be called on the
        loop's own thread. passages: makes no difference to such a model.

        Raises ModelUnavailable; Permanent with the meanings of a chat call, or 'embedding_dimension' if the API returns
        another dimension than before. made_calls is told of each call, whatever came of it.
        """
        made: list[ModelAttempt] = []
        try:
            return self._loop.run(self._embed(texts, deadline_s, made), timeout_s=deadline_s)
        except (TimeoutError, Cancelled) as e:
            raise ModelUnavailable("no embedding within the deadline") from e
        finally:
            for attempt in made:
                made_calls.note(attempt)

    def trust(self, text: str) -> float:
        """Return 1: what languages such a model knows cannot be told here."""
        return 1.0

    async def _embed(self, texts: Sequence[str], deadline_s: float, made: list[ModelAttempt]) -> list[Sequence[float]]:
        ends_at_s = self._clock.monotonic_s() + deadline_s
        found: list[Sequence[float]] = []
        for begin in range(0, len(texts), TEXTS_MAX):
            retrying = retries.retrying(POLICY, ends_at_s, clock=self._clock, rng=self._rng)
            found += await retrying(self._attempt, texts[begin : begin + TEXTS_MAX], ends_at_s, made)
        return found

    async def _attempt(self, texts: Sequence[str], ends_at_s: float, made: list[ModelAttempt]) -> list[Sequence[float]]:
        """Retries outside, breaker inside: each try is one that the breaker sees and may refuse."""
        asked = (self.provider, self.model, self.paid, texts)
        with made_calls.measured(made, "embedding", *asked) as read:
            async with self._breaker.guarding():
                try:
                    async with asyncio.timeout(max(0.0, ends_at_s - self._clock.monotonic_s())):
                        body = await self._post(texts)
                except (TimeoutError, httpx.ReadTimeout, httpx.WriteTimeout) as e:
                    raise CallFailed("timeout", retry=False) from e
                except httpx.PoolTimeout as e:
                    raise CallFailed("saturated", retry=False) from e
                except (httpx.ConnectError, httpx.ConnectTimeout) as e:
                    raise CallFailed("connect", retry=True) from e
                except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL) as e:
                    raise CallFailed("transport", retry=isinstance(e, httpx.TransportError)) from e
                read.tokens = said_usage.of_input(body.get("usage"))
                return self._vectors(body, len(texts))

    async def _post(self, texts: Sequence[str]) -> dict[str, Any]:
        # Encoded here, in ASCII: a lone surrogate would make httpx raise an error that carries the text.
        content = json.dumps({"model": self.model, "input": [text[:TEXT_MAX_CHARS] or " " for text in texts]}).encode()
        timeout = httpx.Timeout(None, connect=CONNECT_TIMEOUT_S, pool=POOL_TIMEOUT_S)
        async with self._http.stream(
            "POST", self._url, content=content, headers=self._headers, timeout=timeout
        ) as response:
            if response.status_code != 200:
                raise meaning_of(response, await error_body(response), self._clock)
            return parsed(await whole_body(plain_pieces(response)))

    def _vectors(self, body: dict[str, Any], count: int) -> list[Sequence[float]]:
        """The answer's vectors in the order of the texts. Raises CallFailed for any other shape."""
        try:
            rows = sorted(body["data"], key=lambda row: int(row["index"]))
            vectors: list[Sequence[float]] = [
                _of_length_1([float(value) for value in row["embedding"]]) for row in rows
            ]
        except (LookupError, TypeError, ValueError, AttributeError, OverflowError):
            raise CallFailed("malformed", retry=False) from None  # the cause quotes the answer
        if [int(row["index"]) for row in rows] != list(range(count)):
            raise CallFailed("malformed", retry=False)
        for vector in vectors:
            self._dimension = self._dimension or len(vector)
            if len(vector) != self._dimension or len(vector) > DIMENSION_MAX:
                raise Permanent("embedding_dimension", f"{self.model}: {len(vector)} dimensions")
        return vectors


def _of_length_1(vector: list[float]) -> list[float]:
    """Scale a vector to length 1. Raises ValueError for a zero vector."""
    length = math.sqrt(sum(value * value for value in vector))
    if not vector or not math.isfinite(length) or length == 0:
        raise ValueError("no direction")
    return [value / length for value in vector]

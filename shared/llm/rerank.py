"""Reranks passages over HTTP. A reranker reads question and passage together, which an index cannot, and scores the
passage."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Sequence
from typing import Any, Literal

import httpx

from shared.clock import Clock, SystemClock
from shared.errors import Cancelled, ModelUnavailable, Permanent, SettingsError
from shared.llm import made_calls, said_usage
from shared.llm.api import CONNECT_TIMEOUT_S, CallFailed, error_body, is_neutral, meaning_of, plain_pieces, whole_body
from shared.llm.money import is_paid
from shared.model import ModelAttempt
from shared.resilience import retries
from shared.resilience.breaker import Breakers
from shared.resilience.loop import Loop
from shared.resilience.shared_breaker import SharedBreakers
from shared.settings import Settings

Style = Literal["cohere", "tei"]
"""cohere: `{model, query, documents}` → `{results: [{index, relevance_score}]}`, as Cohere, Jina and servers with
OpenAI's look answer at /rerank. tei: `{query, texts}` → `[{index, score}]`, as text-embeddings-inference does."""

DEADLINE_S = 1.5
"""For the whole step: a better order is worth no longer a wait."""
BATCH = 16
TEXT_CHARS = 4_000


class Reranker:
    """A reranker behind an API. base_url: the address before /rerank. Raises SettingsError for a key that no header can
    carry."""

    def __init__(
        self, http: httpx.AsyncClient, loop: Loop, *, base_url: str, api_key: str, model: str, style: Style = "cohere",
        breakers: Breakers | SharedBreakers | None = None, clock: Clock | None = None, deadline_s: float = DEADLINE_S,
        service: str | None = None, provider: str | None = None, paid: bool | None = None,
    ) -> None:  # fmt: skip
        api_key = api_key.strip()
        if not (api_key.isascii() and api_key.isprintable()):
            raise SettingsError("RERANK_API_KEY holds characters that no HTTP header can carry")
        self._http, self._loop, self._model, self._style = http, loop, model, style
        self._url = base_url.rstrip("/") + "/rerank"
        self._headers = {"Content-Type": "application/json", "Accept-Encoding": "identity"}
        if api_key:
            self._headers["Authorization"] = f"Bearer {api_key}"
        self._clock = clock or SystemClock()
        self._deadline_s = deadline_s
        breakers = breakers or Breakers(clock=self._clock, neutral=is_neutral)
        self._breakers, self._service = breakers, service or f"rerank:{httpx.URL(base_url).host}"
        self._provider = provider or httpx.URL(base_url).host
        self._paid = is_paid(base_url) if paid is None else paid

    def scores(self, question: str, texts: Sequence[str], *, deadline_s: float | None = None) -> list[float]:
        """Return how well each text answers, in the order of the texts; higher is better. Not to be called on the
        loop's own thread.

        Batches are sent in parallel, within one deadline, the reranker's own if none is given. Raises ModelUnavailable,
        Permanent. made_calls is told of each call, whatever came of it.
        """
        within_s = self._deadline_s if deadline_s is None else deadline_s
        made: list[ModelAttempt] = []
        try:
            return self._loop.run(self._scores(question, texts, within_s, made), timeout_s=within_s)
        except (TimeoutError, Cancelled) as e:
            raise ModelUnavailable("no new order within the deadline") from e
        finally:
            for attempt in made:
                made_calls.note(attempt)

    async def _scores(
        self, question: str, texts: Sequence[str], within_s: float, made: list[ModelAttempt]
    ) -> list[float]:
        batches = [texts[at : at + BATCH] for at in range(0, len(texts), BATCH)]
        ends_at_s = self._clock.monotonic_s() + within_s
        calls = [asyncio.ensure_future(self._batch(question, batch, ends_at_s, made)) for batch in batches]
        try:
            return [score for found in await asyncio.gather(*calls) for score in found]
        finally:
            for call in calls:
                call.cancel()  # the first failure ends the others: half an order is none

    async def _batch(
        self, question: str, texts: Sequence[str], ends_at_s: float, made: list[ModelAttempt]
    ) -> list[float]:
        retrying = retries.retrying(retries.RERANK, ends_at_s, clock=self._clock)
        return await retrying(self._attempt, question, texts, ends_at_s, made)

    async def _attempt(
        self, question: str, texts: Sequence[str], ends_at_s: float, made: list[ModelAttempt]
    ) -> list[float]:
        asked = (self._provider, self._model, self._paid, [question, *texts])
        with made_calls.measured(made, "rerank", *asked) as read:
            async with self._breakers.of(self._service, self._model).guarding():
                try:
                    async with asyncio.timeout(max(0.0, ends_at_s - self._clock.monotonic_s())):
                        answer = await self._post(question, texts)
                except (TimeoutError, httpx.TimeoutException) as e:
                    raise CallFailed("rerank", retry=False) from e
                except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL) as e:
                    raise CallFailed("rerank", retry=isinstance(e, httpx.TransportError)) from e
                read.tokens = said_usage.of_input(answer.get("usage") if isinstance(answer, dict) else None)
                return _read(answer, len(texts))

    async def _post(self, question: str, texts: Sequence[str]) -> Any:
        cut = [text[:TEXT_CHARS] for text in texts]
        body: dict[str, Any] = {"query": question[:TEXT_CHARS]}
        body |= {"texts": cut} if self._style == "tei" else {"model": self._model, "documents": cut}
        timeout = httpx.Timeout(None, connect=CONNECT_TIMEOUT_S, pool=self._deadline_s)
        async with self._http.stream(
            "POST", self._url, content=json.dumps(body).encode(), headers=self._headers, timeout=timeout
        ) as response:
            if response.status_code != 200:
                raise meaning_of(response, await error_body(response), self._clock)
            try:
                return json.loads(await whole_body(plain_pieces(response)))
            except (ValueError, RecursionError):
                raise CallFailed("malformed", retry=False) from None


class Rerankers:
    """Several rerankers, asked in order within one deadline: the first that answers wins."""

    def __init__(self, rerankers: Sequence[Reranker], *, clock: Clock | None = None) -> None:
        self._rerankers, self._clock = tuple(rerankers), clock or SystemClock()

    def scores(self, question: str, texts: Sequence[str]) -> list[float]:
        """As a reranker's. Raises what the last one raised."""
        ends_at_s = self._clock.monotonic_s() + DEADLINE_S
        failed: ModelUnavailable | Permanent = ModelUnavailable("no reranker")
        for reranker in self._rerankers:
            left_s = ends_at_s - self._clock.monotonic_s()
            if left_s <= 0:
                break
            try:
                return reranker.scores(question, texts, deadline_s=left_s)
            except (ModelUnavailable, Permanent) as e:
                failed = e
        raise failed


def _read(answer: Any, count: int) -> list[float]:
    """Return the scores in the order of the texts. Raises CallFailed for any other shape."""
    try:
        rows = answer["results"] if isinstance(answer, dict) else answer
        found = {int(row["index"]): float(row.get("relevance_score", row.get("score"))) for row in rows}
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError):
        raise CallFailed("malformed", retry=False) from None
    if set(found) != set(range(count)) or not all(map(math.isfinite, found.values())):
        raise CallFailed("malformed", retry=False)
    return [found[place] for place in range(count)]


def from_settings(
    settings: Settings, http: httpx.AsyncClient, loop: Loop, breakers: Breakers | SharedBreakers | None = None
) -> Reranker | None:
    """Make the reranker that RERANK_BASE_URL names; None if it is not set."""
    if settings.rerank.base_url is None or settings.rerank.model is None:
        return None
    return Reranker(
        http, loop, base_url=settings.rerank.base_url, api_key=settings.rerank.api_key.get_secret_value(),
        model=settings.rerank.model, style=settings.rerank.style, breakers=breakers,
    )  # fmt: skip

"""Tries a model with one small real call, and tells what came."""

from __future__ import annotations

import asyncio
import io
import time
import wave
from collections.abc import Callable
from dataclasses import dataclass

import httpx

from shared.clock import SystemClock
from shared.errors import ModelUnavailable, Permanent
from shared.llm.api import CallFailed, error_body, meaning_of, parsed, plain_pieces, whole_body
from shared.llm.deadlines import Deadlines
from shared.llm.embeddings import RemoteEmbedder
from shared.llm.provider import Meter, Provider
from shared.llm.rerank import Reranker
from shared.model import Usage
from shared.resilience.breaker import BreakerOpen
from shared.resilience.loop import Loop
from shared.store.models.providers import Kind

WITHIN_S = 20.0
"""Long, because a server may have to load the model first."""
QUESTION = "Answer with the one word: yes"
MOST_TOKENS = 16
SILENCE_HZ = 16_000
ENDED_EARLY = ("truncated", "empty", "refused")
"""Outcomes of a model that answers, only not this."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is tried."""

    name: str
    base_url: str
    api_key: str
    model: str
    kind: Kind

    def __repr__(self) -> str:
        return f"Asked({self.name}/{self.model})"


@dataclass(frozen=True, slots=True)
class Trial:
    """outcome: `ok`, or the word for what went wrong. status: the answer's HTTP status where it was no 200. told: what
    came, in words. usage: None where its kind does not say."""

    outcome: str
    ms: int
    status: int | None = None
    told: str = ""
    usage: Usage | None = None

    @property
    def ok(self) -> bool:
        return self.outcome == "ok"


def try_model(asked: Asked, loop: Loop, http: httpx.AsyncClient) -> Trial:
    """Make the call, once, whatever its breaker says. Not from the loop's own thread. Raises nothing for a provider
    that fails, and SettingsError for a key that no header can carry."""
    statuses: list[int] = []

    async def note(response: httpx.Response) -> None:
        statuses.append(response.status_code)

    http.event_hooks["response"].append(note)
    meter, began_s = Meter(), time.monotonic()
    try:
        outcome, told = "ok", _CALLS[asked.kind](asked, loop, http, meter)
    except CallFailed as failed:
        outcome, told = failed.outcome, ""
    except Permanent as refused:
        outcome, told = refused.reason, ""
    except BreakerOpen:
        outcome, told = "breaker_open", ""
    except ModelUnavailable:
        outcome, told = "timeout", ""
    finally:
        http.event_hooks["response"].remove(note)
    ms = round((time.monotonic() - began_s) * 1000)
    if outcome in ENDED_EARLY:
        outcome, told = "ok", f"its answer was {outcome}"
    status = statuses[-1] if statuses and statuses[-1] != 200 else None
    return Trial(outcome, ms, status, told, meter.usage if asked.kind == "chat" and meter.usage.tokens_in else None)


def _chat(asked: Asked, loop: Loop, http: httpx.AsyncClient, meter: Meter) -> str:
    provider = Provider(
        http, name=asked.name, base_url=asked.base_url, api_key=asked.api_key, model=asked.model, max_tokens=MOST_TOKENS
    )
    patient = Deadlines(first_token_s=WITHIN_S, stall_s=WITHIN_S, total_s=WITHIN_S)
    messages = [{"role": "user", "content": QUESTION}]
    call = provider.complete(messages, WITHIN_S, deadlines=patient, meter=meter, logged=False)
    try:
        answered = loop.run(call, timeout_s=WITHIN_S + 1).model
    except CallFailed as failed:
        if failed.outcome not in ENDED_EARLY:
            raise
        answered = asked.model
    return "; ".join([f"{answered} answers", *(f"asked with {each}" for each in provider.learnt)])


def _embedding(asked: Asked, loop: Loop, http: httpx.AsyncClient, meter: Meter) -> str:
    embedder = RemoteEmbedder(http, loop, base_url=asked.base_url, api_key=asked.api_key, model=asked.model)
    [vector] = embedder.embed([QUESTION], deadline_s=WITHIN_S)
    return f"{len(vector)} dimensions"


def _rerank(asked: Asked, loop: Loop, http: httpx.AsyncClient, meter: Meter) -> str:
    reranker = Reranker(http, loop, base_url=asked.base_url, api_key=asked.api_key, model=asked.model)
    scores = reranker.scores(QUESTION, ["yes", "the weather"], deadline_s=WITHIN_S)
    return f"{len(scores)} scores"


def _transcription(asked: Asked, loop: Loop, http: httpx.AsyncClient, meter: Meter) -> str:
    text = loop.run(_transcribed(asked, http), timeout_s=WITHIN_S + 1)
    return f"{len(text)} characters for a second of silence"


async def _transcribed(asked: Asked, http: httpx.AsyncClient) -> str:
    headers = {"Authorization": f"Bearer {asked.api_key}"} if asked.api_key else {}
    url = asked.base_url.rstrip("/") + "/audio/transcriptions"
    try:
        async with asyncio.timeout(WITHIN_S):
            files = {"file": ("silence.wav", _silence(), "audio/wav")}
            request = http.build_request("POST", url, data={"model": asked.model}, files=files, headers=headers)
            response = await http.send(request, stream=True)
            try:
                if response.status_code != 200:
                    raise meaning_of(response, await error_body(response), SystemClock())
                text = parsed(await whole_body(plain_pieces(response))).get("text")
            finally:
                await response.aclose()
    except TimeoutError as e:
        raise CallFailed("timeout", retry=False) from e
    except (httpx.ConnectError, httpx.ConnectTimeout) as e:
        raise CallFailed("connect", retry=False) from e
    except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL) as e:
        raise CallFailed("transport", retry=False) from e
    if not isinstance(text, str):
        raise CallFailed("malformed", retry=False)
    return text


def _silence() -> bytes:
    body = io.BytesIO()
    with wave.open(body, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(SILENCE_HZ)
        sound.writeframes(bytes(2 * SILENCE_HZ))
    return body.getvalue()


_CALLS: dict[Kind, Callable[[Asked, Loop, httpx.AsyncClient, Meter], str]] = {
    "chat": _chat, "embedding": _embedding, "rerank": _rerank, "transcription": _transcription,
}  # fmt: skip

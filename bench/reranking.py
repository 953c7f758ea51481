"""Reranking a question's candidates: batches side by side against the same batches one after another."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import httpx

from shared.llm.api import http_client
from shared.llm.rerank import BATCH, Reranker
from shared.resilience.loop import Loop
from standin.process import StandinProcess
from tasks.answers.reply import RERANKED

QUESTIONS = 100
SERVER_S = 0.15
TEXT = "You can return shoes within 30 days if they were not worn outside. " * 12


def _spent_ms(ask: Callable[[str], object]) -> list[float]:
    spent = []
    for number in range(QUESTIONS):
        began_s = time.perf_counter()
        ask(f"how long can I return shoes of order {number}")
        spent.append((time.perf_counter() - began_s) * 1000)
    return sorted(spent)


def _line(name: str, spent_ms: Sequence[float]) -> str:
    return f"  {name}: p50 {spent_ms[len(spent_ms) // 2]:.0f} ms, p99 {spent_ms[int(len(spent_ms) * 0.99)]:.0f} ms"


def report() -> list[str]:
    texts = [f"Passage {number}. {TEXT}" for number in range(RERANKED)]
    loop = Loop()
    loop.start()
    http: httpx.AsyncClient = http_client(8)
    try:
        with StandinProcess() as standin:
            standin.client.register_key("standin-key")
            standin.client.set_latency(target="openai", first_byte_s=SERVER_S)
            url = standin.client.openai_url
            reranker = Reranker(http, loop, base_url=url, api_key="standin-key", model="m", deadline_s=10.0)
            batches = [texts[at : at + BATCH] for at in range(0, len(texts), BATCH)]
            reranker.scores("are we connected now", texts)
            beside = _spent_ms(lambda question: reranker.scores(question, texts))
            after = _spent_ms(lambda question: [reranker.scores(question, batch) for batch in batches])
            loop.run(http.aclose(), timeout_s=2)
    finally:
        loop.stop()
    share = beside[int(QUESTIONS * 0.99)] / after[int(QUESTIONS * 0.99)]
    return [
        f"reranking {RERANKED} passages in batches of {BATCH}, a server that takes {SERVER_S * 1000:.0f} ms a batch:",
        _line("side by side", beside),
        _line("one after another", after),
        f"  p99 {1 - share:.0%} lower side by side",
    ]

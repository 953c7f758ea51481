"""A reranker gives an order, or leaves the one that was there; nobody waits for it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Iterator, Sequence
from typing import Any

import httpx
import pytest

from shared.errors import ModelUnavailable, Permanent
from shared.knowledge.reranked import reranked
from shared.llm.rerank import BATCH, Reranker, Style
from shared.model import Passage
from shared.resilience.loop import Loop

Answer = Callable[[httpx.Request], Coroutine[None, None, httpx.Response]]


@pytest.fixture
def loop() -> Iterator[Loop]:
    loop = Loop()
    loop.start()
    yield loop
    loop.stop()


def reranker(loop: Loop, answer: Answer, style: Style = "cohere", deadline_s: float = 5.0) -> Reranker:
    http = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    return Reranker(http, loop, base_url="https://rerank.example/v1", api_key="k", model="m", style=style,
                    deadline_s=deadline_s)  # fmt: skip


def by_length(asked: list[Any]) -> Answer:
    """Longer texts are better; answers in an order of its own."""

    async def answer(request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        asked.append((str(request.url), body))
        texts = body.get("documents") or body["texts"]
        rows = [
            {"index": n, "relevance_score" if "documents" in body else "score": len(t)} for n, t in enumerate(texts)
        ]
        rows.reverse()
        return httpx.Response(200, json={"results": rows} if "documents" in body else rows)

    return answer


def passages(*texts: str) -> list[Passage]:
    return [Passage(n, 1, "t", n, text, 1.0, 0.4) for n, text in enumerate(texts)]


@pytest.mark.parametrize("style", ["cohere", "tei"])
def test_each_style_is_asked_in_its_own_words(loop: Loop, style: Style) -> None:
    asked: list[Any] = []

    assert reranker(loop, by_length(asked), style).scores("why", ["a", "ccc", "bb"]) == [1, 3, 2]

    [(url, body)] = asked
    assert url == "https://rerank.example/v1/rerank"
    expected = {"cohere": {"model": "m", "query": "why", "documents": ["a", "ccc", "bb"]},
                "tei": {"query": "why", "texts": ["a", "ccc", "bb"]}}  # fmt: skip
    assert body == expected[style]


def test_many_texts_go_out_side_by_side_and_keep_their_places(loop: Loop) -> None:
    asked: list[Any] = []
    texts = ["x" * (n % 7 + 1) for n in range(2 * BATCH + 3)]

    assert reranker(loop, by_length(asked)).scores("why", texts) == [len(text) for text in texts]
    assert sorted(len(body["documents"]) for _, body in asked) == [3, BATCH, BATCH]


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(500), httpx.Response(200, text="no json"), httpx.Response(200, json={"results": []}),
        httpx.Response(200, json={"results": [{"index": 0}, {"index": 1}]}), httpx.Response(429),
    ],
    ids=["500", "no json", "too few", "no scores", "429"],
)  # fmt: skip
def test_a_failure_leaves_the_order_that_was_there(loop: Loop, answer: httpx.Response) -> None:
    async def answers(request: httpx.Request) -> httpx.Response:
        return answer

    failing, found = reranker(loop, answers), passages("one", "other")

    with pytest.raises((ModelUnavailable, Permanent)):
        failing.scores("why", ["a", "b"])
    assert reranked(failing, "how long does it take", found) == found


def test_one_that_hangs_is_given_up(loop: Loop) -> None:
    async def hangs(request: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        raise AssertionError

    found = passages("one", "other")
    assert reranked(reranker(loop, hangs, deadline_s=0.05), "how long does it take", found) == found


def test_the_best_comes_first_and_relevance_stays(loop: Loop) -> None:
    found = reranked(reranker(loop, by_length([])), "how long does it take", passages("a", "bbb"))

    assert [(p.text, p.relevance) for p in found] == [("bbb", 0.4), ("a", 0.4)]


def test_two_words_are_not_worth_asking_unless_a_filter_says_where(loop: Loop) -> None:
    asked: list[Any] = []
    one = reranker(loop, by_length(asked))

    reranked(one, "opening hours", passages("a", "bbb"))
    assert asked == []
    reranked(one, "opening hours", passages("a", "bbb"), filtered=True)
    assert len(asked) == 1
    assert reranked(None, "how long does it take", passages("a", "bbb"))[0].text == "a"


class Told:
    """A reranker that keeps what it was asked."""

    def __init__(self, *scores: float) -> None:
        self.given = list(scores)
        self.asked: list[tuple[str, list[str]]] = []

    def scores(self, question: str, texts: Sequence[str]) -> list[float]:
        self.asked.append((question, list(texts)))
        return self.given


def test_each_passage_is_judged_with_its_title_and_those_of_one_score_keep_their_order() -> None:
    told, found = Told(0.5, 0.9, 0.5), passages("a", "b", "c")
    ranked = reranked(told, "how long does", found)
    assert told.asked == [("how long does", [f"{p.title}\n{p.text}" for p in found])]
    assert [(p.text, p.score) for p in ranked] == [("b", 0.9), ("a", 0.5), ("c", 0.5)]


@pytest.mark.parametrize(
    ("question", "asked"),
    [
        ("退货", 0), ("退货时间", 0), ("鞋子可以退货多少天", 1), ("เปิดกี่โมงครับวันนี้", 1), ("返品できますか", 1),
        ("how long", 0), ("반품 기간", 0), ("반품 기간이 얼마나 되나요", 1),
    ],
)  # fmt: skip
def test_scripts_without_spaces_have_words_too(question: str, asked: int) -> None:
    told = Told(0.5, 0.6)
    reranked(told, question, passages("a", "b"))
    assert len(told.asked) == asked


def test_three_words_and_two_passages_are_enough_to_ask() -> None:
    for question, count, asked in (("how long does", 2, 1), ("how long", 2, 0), ("how long does", 1, 0)):
        told = Told(*[0.5] * count)
        assert len(reranked(told, question, passages(*"ab"[:count]))) == count
        assert len(told.asked) == asked

"""Questions gathered into batches: alone at once, together when they wait together, each with its own answer."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from shared.errors import ModelUnavailable
from shared.knowledge.gathered import BATCH, GatheredEmbedder
from tests.embedder import FakeEmbedder

WITHIN_S = 10.0


class Slow(FakeEmbedder):
    """Computes when `open` lets it. batches: how many texts each call had."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[int] = []
        self.open = threading.Event()
        self.open.set()
        self.began = threading.Semaphore(0)

    def embed(self, texts: Sequence[str], *, deadline_s: float, passages: bool = False) -> list[Sequence[float]]:
        self.batches.append(len(texts))
        self.began.release()
        assert self.open.wait(WITHIN_S)
        if "poison" in texts:
            raise ValueError("poison")
        return super().embed(texts, deadline_s=deadline_s, passages=passages)


@pytest.fixture
def slow() -> Slow:
    return Slow()


def test_a_question_alone_is_computed_alone(slow: Slow) -> None:
    gathered = GatheredEmbedder(slow, at_once=1)

    assert gathered.embed(["one"], deadline_s=WITHIN_S) == FakeEmbedder().embed(["one"], deadline_s=1)
    assert slow.batches == [1]


def test_questions_that_come_meanwhile_are_the_next_batch_and_each_gets_its_own_vector(slow: Slow) -> None:
    gathered = GatheredEmbedder(slow, at_once=1)
    slow.open.clear()
    words = ["w" * n for n in range(1, BATCH + 1)]
    with ThreadPoolExecutor(BATCH + 1) as threads:
        first = threads.submit(gathered.embed, ["first"], deadline_s=WITHIN_S)
        assert slow.began.acquire(timeout=WITHIN_S)
        others = [threads.submit(gathered.embed, [word], deadline_s=WITHIN_S) for word in words]
        while len(gathered._waiting) < BATCH:
            assert not first.done()
        slow.open.set()
        found = [other.result(WITHIN_S) for other in others]

    assert slow.batches == [1, BATCH]
    assert found == [FakeEmbedder().embed([word], deadline_s=1) for word in words]


def test_a_batch_that_fails_fails_for_those_in_it_and_the_next_one_is_computed(slow: Slow) -> None:
    gathered = GatheredEmbedder(slow, at_once=1)

    with pytest.raises(ValueError, match="poison"):
        gathered.embed(["poison"], deadline_s=WITHIN_S)

    assert len(gathered.embed(["a", "b"], deadline_s=WITHIN_S)) == 2


def test_whoever_waits_too_long_goes_on_without_and_is_not_computed(slow: Slow) -> None:
    gathered = GatheredEmbedder(slow, at_once=1)
    slow.open.clear()
    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(gathered.embed, ["first"], deadline_s=WITHIN_S)
        assert slow.began.acquire(timeout=WITHIN_S)
        with pytest.raises(ModelUnavailable):
            gathered.embed(["late"], deadline_s=0.01)
        slow.open.set()
        first.result(WITHIN_S)

    gathered.embed(["next"], deadline_s=WITHIN_S)
    assert slow.batches == [1, 1]


def test_a_large_call_is_passed_on_as_it_is(slow: Slow) -> None:
    texts = [f"word{n}" for n in range(3 * BATCH)]

    assert len(GatheredEmbedder(slow).embed(texts, deadline_s=1)) == len(texts)
    assert slow.batches == [len(texts)]


def test_it_stands_where_its_embedder_stands(slow: Slow) -> None:
    gathered = GatheredEmbedder(slow)
    assert (gathered.model, gathered.baseline) == (slow.model, slow.baseline)
    assert [gathered.trust(text) for text in ("When?", "Wann?")] == [slow.trust(text) for text in ("When?", "Wann?")]


def test_an_embedder_that_gives_too_few_vectors_fails_for_those_who_asked_and_the_next_are_computed(slow: Slow) -> None:
    class Short(Slow):
        def embed(self, texts: Sequence[str], *, deadline_s: float, passages: bool = False) -> list[Sequence[float]]:
            return super().embed(texts, deadline_s=deadline_s, passages=passages)[: 1 if "short" in texts else None]

    gathered = GatheredEmbedder(Short(), at_once=1)
    for _ in range(2):
        with pytest.raises(ValueError, match="shorter"):
            gathered.embed(["short", "of one"], deadline_s=WITHIN_S)
    assert len(gathered.embed(["a", "b"], deadline_s=WITHIN_S)) == 2


def test_as_many_are_computed_at_once_as_may_be_and_threads_that_are_free_are_used_again(slow: Slow) -> None:
    gathered = GatheredEmbedder(slow, at_once=2)
    slow.open.clear()
    with ThreadPoolExecutor(4) as threads:
        asked = [threads.submit(gathered.embed, ["a"], deadline_s=WITHIN_S)]
        assert slow.began.acquire(timeout=WITHIN_S)
        asked.append(threads.submit(gathered.embed, ["b"], deadline_s=WITHIN_S))
        assert slow.began.acquire(timeout=WITHIN_S)  # while the first is still at it
        asked += [threads.submit(gathered.embed, [text], deadline_s=WITHIN_S) for text in ("c", "d")]
        while len(gathered._waiting) < 2:
            assert not any(one.done() for one in asked)
        assert slow.batches == [1, 1]
        slow.open.set()
        for one in asked:
            one.result(WITHIN_S)
    for text in ("e", "f", "g"):
        gathered.embed([text], deadline_s=WITHIN_S)
    assert gathered._threads == 2


@pytest.mark.parametrize(("count", "deadline_s"), [(BATCH, 7.0), (BATCH - 1, 0.0)])
def test_a_full_batch_is_passed_on_with_its_deadline_and_a_gathered_one_has_none(
    slow: Slow, count: int, deadline_s: float
) -> None:
    deadlines: list[float] = []

    class Timed(Slow):
        def embed(self, texts: Sequence[str], *, deadline_s: float, passages: bool = False) -> list[Sequence[float]]:
            deadlines.append(deadline_s)
            return super().embed(texts, deadline_s=deadline_s, passages=passages)

    assert len(GatheredEmbedder(Timed(), at_once=1).embed(["w"] * count, deadline_s=7.0)) == count
    assert deadlines == [deadline_s]


def test_passages_stay_passages_and_are_computed_apart_from_questions(slow: Slow) -> None:
    kinds: list[bool] = []

    class Telling(Slow):
        def embed(self, texts: Sequence[str], *, deadline_s: float, passages: bool = False) -> list[Sequence[float]]:
            kinds.append(passages)
            return super().embed(texts, deadline_s=deadline_s, passages=passages)

    gathered = GatheredEmbedder(Telling(), at_once=1)
    gathered.embed(["one"], deadline_s=WITHIN_S, passages=True)
    gathered.embed(["one"], deadline_s=WITHIN_S)

    assert kinds == [True, False]

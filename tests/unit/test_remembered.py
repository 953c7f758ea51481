"""What was embedded or found a moment ago."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from shared.cache.two_level import TwoLevel
from shared.clock import FixedClock
from shared.knowledge import remembered
from shared.knowledge.embed import Vector
from shared.knowledge.remembered import RememberingEmbedder, Results, Scored
from tests.unit.test_two_level import FakeRedis, cache, fixed

ONE, TWO = Scored(1, 10, 0, 0.5, 0.25, 2.5, None), Scored(2, 10, 1, 0.75, 0.5, None, 0.875)


class Counting:
    """An embedder of vectors that begin with a text's length."""

    model, baseline = "counting", 0.25

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.deadlines: list[float] = []
        self.prepared = 0

    def prepare(self) -> None:
        self.prepared += 1

    def embed(self, texts: Sequence[str], *, deadline_s: float, passages: bool = False) -> list[Vector]:
        self.asked.append([f"passage {text}" for text in texts] if passages else list(texts))
        self.deadlines.append(deadline_s)
        return [[float(len(text)), 0.5] for text in texts]

    def trust(self, text: str) -> float:
        return 1 / len(text)


@pytest.fixture
def clock() -> FixedClock:
    return fixed()


@pytest.fixture
def near(clock: FixedClock) -> TwoLevel:
    """A memory that stands alone, for a minute."""
    far = FakeRedis()
    far.away = True
    return cache(far, clock)


def test_passages_are_not_remembered_and_never_taken_for_questions(near: TwoLevel) -> None:
    inner = Counting()
    embedder = RememberingEmbedder(inner, near)

    embedder.embed(["when"], deadline_s=3)
    embedder.embed(["when"], deadline_s=3, passages=True)

    assert inner.asked == [["when"], ["passage when"]]


def test_a_question_is_embedded_once_and_each_text_gets_its_own_vector(near: TwoLevel) -> None:
    inner = Counting()
    embedder = RememberingEmbedder(inner, near)

    assert embedder.embed(["when", "where to"], deadline_s=3) == [[4.0, 0.5], [8.0, 0.5]]
    assert embedder.embed(["where to", "who", "when"], deadline_s=2) == [[8.0, 0.5], [3.0, 0.5], [4.0, 0.5]]

    assert inner.asked == [["when", "where to"], ["who"]]
    assert inner.deadlines == [3, 2]


def test_white_space_and_unicode_s_forms_do_not_count_and_case_does(near: TwoLevel) -> None:
    inner = Counting()
    embedder = RememberingEmbedder(inner, near)
    embedder.embed(["caf\u00e9 open"], deadline_s=3)
    assert embedder.embed([" cafe\u0301\n open "], deadline_s=3) == [[9.0, 0.5]]
    embedder.embed(["Caf\u00e9 open", "caf\u00e9open"], deadline_s=3)

    assert inner.asked == [["caf\u00e9 open"], ["Caf\u00e9 open", "caf\u00e9open"]]


def test_another_model_s_vectors_are_not_taken(near: TwoLevel) -> None:
    first, other = Counting(), Counting()
    other.model = "another"
    for inner in (first, other):
        RememberingEmbedder(inner, near).embed(["when"], deadline_s=3)
    assert (first.asked, other.asked) == ([["when"]], [["when"]])


def test_it_stands_where_its_embedder_stands(near: TwoLevel) -> None:
    inner = Counting()
    embedder = RememberingEmbedder(inner, near)
    embedder.prepare()
    assert (embedder.model, embedder.baseline, embedder.trust("four"), inner.prepared) == ("counting", 0.25, 0.25, 1)


@pytest.mark.parametrize(("renew", "asked"), [(True, 1), (False, 2)])
def test_what_is_renewed_is_remembered_from_then_on(near: TwoLevel, clock: FixedClock, renew: bool, asked: int) -> None:
    inner = Counting()
    embedder = RememberingEmbedder(inner, near, renew=renew)
    embedder.embed(["when"], deadline_s=3)
    clock.advance(40)
    embedder.embed(["when"], deadline_s=3)
    clock.advance(40)
    embedder.embed(["when"], deadline_s=3)

    assert len(inner.asked) == asked


def test_results_are_found_once_and_read_back_as_they_were(near: TwoLevel) -> None:
    results, looks = Results(near), []

    def find() -> list[Scored]:
        looks.append(1)
        return [ONE, TWO]

    assert results.get(("7", "when")) is None
    assert results.get_or_find(("7", "when"), find) == [ONE, TWO]
    assert results.get_or_find(("7", "when"), find) == [ONE, TWO]
    assert results.get(("7", "when")) == [ONE, TWO]
    assert len(looks) == 1
    assert results.get_or_find(("7", "where"), lambda: [TWO], looked=True) == [TWO]
    assert results.get_many([("7", "when"), ("7", "where"), ("8", "when")]) == {
        ("7", "when"): [ONE, TWO], ("7", "where"): [TWO],
    }  # fmt: skip


def test_what_is_found_anew_replaces_what_was_remembered(near: TwoLevel) -> None:
    results = Results(near)
    results.get_or_find(("7", "when"), lambda: [ONE])
    assert results.get_or_find(("7", "when"), lambda: [TWO]) == [ONE]
    assert results.get_or_find(("7", "when"), lambda: [TWO], renew=True) == [TWO]
    assert results.get(("7", "when")) == [TWO]


def test_the_version_seen_last_is_known_by_company(near: TwoLevel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembered, "VERSIONS_MAX", 2)
    results = Results(near)
    assert results.version_of(7) is None
    results.saw(7, 3)
    results.saw(7, 4)
    results.saw(8, 1)
    results.saw(9, 5)  # one more than are kept: it begins anew
    assert [results.version_of(company) for company in (7, 8, 9)] == [None, None, 5]
    results.saw(8, 2)
    assert [results.version_of(company) for company in (8, 9)] == [2, 5]

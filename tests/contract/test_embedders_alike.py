"""What every embedder promises: the local model, an API's, and the one that the other tests work with."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from shared.knowledge import e5, minilm
from shared.knowledge.e5 import LocalE5
from shared.knowledge.embed import Embedder, Vector, first_model, from_settings, models, others_from_settings
from shared.knowledge.minilm import LocalMiniLM
from shared.llm.embeddings import RemoteEmbedder
from shared.resilience.loop import Loop
from tests.embedder import FakeEmbedder
from tests.factories import settings

REFUND = "You can send shoes back and get a refund of your money."
OPENING = "Our doors are open from nine, the opening hours of every shop."


async def _api(request: httpx.Request) -> httpx.Response:
    """An embeddings API over the fake, with vectors that are not of length 1 and come in another order."""
    texts = json.loads(request.content)["input"]
    rows = [
        {"index": number, "embedding": [3 * value for value in vector]}
        for number, vector in enumerate(FakeEmbedder().embed(texts, deadline_s=1))
    ]
    return httpx.Response(200, json={"data": rows[::-1]})


MINILM = pytest.param(
    "minilm", marks=pytest.mark.skipif(not minilm.is_installed(), reason="`make minilm` has not been run here")
)


@pytest.fixture(params=["local", MINILM, "api", "fake"])
def embedder(request: pytest.FixtureRequest) -> Iterator[Embedder]:
    makes: dict[str, Callable[[], Embedder]] = {"local": LocalE5, "minilm": LocalMiniLM, "fake": FakeEmbedder}
    if request.param in makes:
        yield makes[request.param]()
        return
    loop = Loop()
    loop.start()
    http = httpx.AsyncClient(transport=httpx.MockTransport(_api))
    yield RemoteEmbedder(http, loop, base_url="http://api/v1", api_key="k", model="small")
    loop.run(http.aclose(), timeout_s=2)
    loop.stop()


def cosine(one: Vector, other: Vector) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


def test_every_text_has_a_vector_of_length_1_and_one_dimension(embedder: Embedder) -> None:
    vectors = embedder.embed([REFUND, OPENING, "x", "…", "退款"], deadline_s=10)

    assert len({len(vector) for vector in vectors}) == 1
    assert [round(math.sqrt(cosine(vector, vector)), 3) for vector in vectors] == [1.0] * 5


def test_no_texts_have_no_vectors(embedder: Embedder) -> None:
    assert embedder.embed([], deadline_s=10) == []


def test_vectors_come_in_the_order_of_the_texts_whatever_their_lengths(embedder: Embedder) -> None:
    texts = [OPENING * 5, REFUND, "open", REFUND * 9, *[f"{OPENING} {number}" for number in range(70)]]

    together = embedder.embed(texts, deadline_s=30)

    for number in (0, 1, 2, 3, 73):
        [alone] = embedder.embed([texts[number]], deadline_s=10)
        assert cosine(alone, together[number]) > 0.9999


def test_what_means_the_same_is_nearer_than_what_does_not(embedder: Embedder) -> None:
    [asked] = embedder.embed(["Will I be reimbursed if I send it back?"], deadline_s=10)
    refund, opening = embedder.embed([REFUND, OPENING], deadline_s=10, passages=True)

    assert cosine(asked, refund) > cosine(asked, opening)
    assert cosine(asked, refund) > embedder.baseline


def test_threads_get_what_one_would_get(embedder: Embedder) -> None:
    [alone] = embedder.embed([REFUND], deadline_s=10)

    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: embedder.embed([REFUND], deadline_s=20)[0], range(24)))

    assert all(cosine(alone, vector) > 0.9999 for vector in found)


def test_trust_is_a_share(embedder: Embedder) -> None:
    assert all(
        0 <= embedder.trust(text) <= 1 for text in (REFUND, "Wann bekomme ich mein Geld zurück?", "退款", "", "12")
    )


def test_settings_choose_the_embedder_and_load_nothing() -> None:
    loop, http = Loop(), httpx.AsyncClient()
    assert from_settings(settings(), http, loop).model == "multilingual-e5-small"
    remote = settings(EMBEDDINGS_BASE_URL="http://api/v1", EMBEDDINGS_MODEL="large", EMBEDDINGS_BASELINE=0.7)
    assert (from_settings(remote, http, loop).model, from_settings(remote, http, loop).baseline) == ("large", 0.7)


def test_the_other_local_models_stay_at_hand_so_that_what_they_embedded_is_still_searched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loop, http = Loop(), httpx.AsyncClient()

    def available(**given: str) -> tuple[str, list[str]]:
        chosen = settings(**given)
        first, others = from_settings(chosen, http, loop), others_from_settings(chosen, http, loop)
        assert first.model == first_model(chosen)
        assert [first.model, *(each.model for each in others)] == models(chosen)
        return first.model, [each.model for each in others]

    monkeypatch.setattr(e5, "is_installed", lambda: True)
    monkeypatch.setattr(minilm, "is_installed", lambda: True)
    assert available() == ("multilingual-e5-small", ["all-MiniLM-L6-v2"])
    assert available(EMBEDDINGS_LOCAL_MODEL="all-MiniLM-L6-v2") == ("all-MiniLM-L6-v2", ["multilingual-e5-small"])
    assert available(EMBEDDINGS_BASE_URL="http://api/v1", EMBEDDINGS_MODEL="large") == (
        "large", ["multilingual-e5-small", "all-MiniLM-L6-v2"]
    )  # fmt: skip
    monkeypatch.setattr(minilm, "is_installed", lambda: False)
    assert available() == ("multilingual-e5-small", [])
    assert available(EMBEDDINGS_LOCAL_MODEL="all-MiniLM-L6-v2") == ("all-MiniLM-L6-v2", ["multilingual-e5-small"])
    monkeypatch.setattr(e5, "is_installed", lambda: False)
    assert available(EMBEDDINGS_LOCAL_MODEL="all-MiniLM-L6-v2") == ("all-MiniLM-L6-v2", [])

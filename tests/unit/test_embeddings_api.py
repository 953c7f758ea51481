"""An embeddings API that is slow, away, wrong or full: what the caller hears, and that no text is in it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from shared.errors import ModelUnavailable, Permanent, SettingsError
from shared.llm.api import CallFailed, is_neutral
from shared.llm.embeddings import TEXTS_MAX, RemoteEmbedder
from shared.resilience.breaker import BreakerOpen, Breakers
from shared.resilience.loop import Loop

SECRET = "the customer's words"
Make = Callable[..., RemoteEmbedder]


class Api:
    """Answers with the statuses of `script` first, then with `dimension` values a text. asked: the inputs."""

    def __init__(self) -> None:
        self.script: list[int | Exception] = []
        self.body: dict[str, Any] | str | None = None
        self.dimension = 3
        self.asked: list[list[str]] = []
        self.headers: list[httpx.Headers] = []
        self.hangs = False

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        texts = json.loads(request.content)["input"]
        self.asked.append(texts)
        self.headers.append(request.headers)
        if self.hangs:
            await asyncio.Event().wait()
        said = self.script.pop(0) if self.script else 200
        if isinstance(said, Exception):
            raise said
        if said != 200:
            return httpx.Response(said, json={"error": {"message": SECRET}}, headers={"retry-after": "0"})
        if isinstance(self.body, str):
            return httpx.Response(200, text=self.body)
        rows = [{"index": n, "embedding": [1.0 + n] * self.dimension} for n in range(len(texts))]
        return httpx.Response(200, json=self.body or {"data": rows})


@pytest.fixture
def api() -> Api:
    return Api()


@pytest.fixture
def make(api: Api) -> Iterator[Make]:
    loop = Loop()
    loop.start()
    http = httpx.AsyncClient(transport=httpx.MockTransport(api))

    def make(**more: Any) -> RemoteEmbedder:
        given = {"base_url": "http://api/v1/", "api_key": "key", "model": "small", **more}
        return RemoteEmbedder(http, loop, **given)

    yield make
    loop.run(http.aclose(), timeout_s=2)
    loop.stop()


def test_many_texts_are_asked_in_several_requests_with_the_key(api: Api, make: Make) -> None:
    vectors = make().embed([SECRET] * (TEXTS_MAX + 1), deadline_s=5)

    assert [len(texts) for texts in api.asked] == [TEXTS_MAX, 1]
    assert len(vectors) == TEXTS_MAX + 1
    assert api.headers[0]["authorization"] == "Bearer key"


@pytest.mark.parametrize("failure", [500, 429, httpx.ConnectError("no")])
def test_what_may_pass_is_tried_again(api: Api, make: Make, failure: int | Exception) -> None:
    api.script = [failure]

    assert len(make().embed([SECRET], deadline_s=5)) == 1
    assert len(api.asked) == 2


@pytest.mark.parametrize(
    ("status", "reason"), [(401, "llm_credentials"), (404, "llm_not_found"), (400, "llm_rejected")]
)
def test_what_cannot_pass_is_tried_once_and_named(api: Api, make: Make, status: int, reason: str) -> None:
    api.script = [status] * 3

    with pytest.raises(Permanent) as failed:
        make().embed([SECRET], deadline_s=5)

    assert (failed.value.reason, len(api.asked)) == (reason, 1)
    assert SECRET not in str(failed.value)


def test_an_api_that_hangs_is_left_at_the_deadline(api: Api, make: Make) -> None:
    api.hangs = True

    with pytest.raises(ModelUnavailable):
        make().embed([SECRET], deadline_s=0.2)


@pytest.mark.parametrize(
    "body",
    [
        "no json " + SECRET,
        {"data": []},
        {"data": [{"index": 1, "embedding": [1.0]}]},
        {"data": [{"index": 0, "embedding": [0.0, 0.0]}]},
        {"data": [{"index": 0, "embedding": "AAAA"}]},
        {"data": [{"index": 0, "embedding": ["nan"]}]},
        {"data": [{"index": 0, "embedding": []}]},
        {"rows": 1},
    ],
)
def test_an_answer_of_another_shape_is_a_failure_without_its_words(api: Api, make: Make, body: Any) -> None:
    api.body = body

    with pytest.raises(CallFailed) as failed:
        make().embed([SECRET], deadline_s=5)

    assert failed.value.outcome == "malformed"
    assert SECRET not in str(failed.value)


def test_a_model_that_changes_its_dimension_is_refused(api: Api, make: Make) -> None:
    embedder = make()
    embedder.embed([SECRET], deadline_s=5)
    api.dimension = 4

    with pytest.raises(Permanent) as failed:
        embedder.embed([SECRET], deadline_s=5)

    assert failed.value.reason == "embedding_dimension"


def test_after_five_failures_it_is_left_alone(api: Api, make: Make) -> None:
    api.script = [503] * 9
    embedder = make(breakers=Breakers(neutral=is_neutral))

    for _ in range(2):
        with pytest.raises(ModelUnavailable):
            embedder.embed([SECRET], deadline_s=20)
    with pytest.raises(BreakerOpen):
        embedder.embed([SECRET], deadline_s=5)

    assert len(api.asked) == 5


def test_a_key_that_no_header_can_carry_is_refused_without_showing_it(make: Make) -> None:
    with pytest.raises(SettingsError) as refused:
        make(api_key="schlüssel")
    assert "schl" not in str(refused.value)

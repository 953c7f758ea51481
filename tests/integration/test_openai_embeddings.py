"""/v1/embeddings by the official client: the local model and one behind an API, bounded and booked."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from gateway.openai import vectors
from gateway.openai.mistakes import Mistake
from shared.embedded import Database
from shared.knowledge.e5 import LocalE5
from standin.process import StandinProcess
from tests.integration.openai_gateway import KEY, Front, front

TEXTS = ["When do parcels leave?", "Wann gehen Pakete ab?"]


@pytest.fixture(scope="module")
def process() -> Iterator[StandinProcess]:
    with StandinProcess() as started:
        yield started


@pytest.fixture
def v1(database: Database, redis_url: str, process: StandinProcess) -> Iterator[Front]:
    with front(database, redis_url, process.client) as running:
        yield running


def test_the_local_models_vectors_are_those_of_the_knowledge_base(v1: Front) -> None:
    client = v1.client()
    found = client.embeddings.create(model="embedding", input=TEXTS, encoding_format="float")
    assert [one.embedding for one in found.data] == LocalE5().embed(TEXTS)
    assert (found.model, found.usage.prompt_tokens > 0) == (LocalE5.model, True)
    packed = client.embeddings.create(model=LocalE5.model, input=TEXTS[0], dimensions=384)
    assert packed.data[0].embedding == pytest.approx(found.data[0].embedding, abs=1e-6)
    rows = v1.until_booked(2)
    assert {(row["purpose"], row["provider"], row["cost_micros"]) for row in rows} == {("embedding", "local", 0)}
    assert {"embedding", LocalE5.model} <= {one.id for one in client.models.list()}


def test_a_model_behind_an_api_is_asked(database: Database, redis_url: str, process: StandinProcess) -> None:
    remote = {"EMBEDDINGS_BASE_URL": process.client.openai_url, "EMBEDDINGS_MODEL": "standin-embed"}
    with front(database, redis_url, process.client, EMBEDDINGS_API_KEY=KEY, **remote) as v1:
        found = v1.client().embeddings.create(model="standin-embed", input=TEXTS)
        assert len(found.data) == 2
        [row] = v1.until_booked()
        assert (row["model"], row["outcome"], row["tokens_in"]) == ("standin-embed", "ok", found.usage.prompt_tokens)
        v1.standin.revoke_key(KEY)
        with pytest.raises(openai.APIStatusError) as caught:
            v1.client().embeddings.create(model="embedding", input="x")
        assert (caught.value.status_code, caught.value.code) == (502, "no_model_answered")


@pytest.mark.parametrize(
    ("given", "status", "param"),
    [
        ({"model": "nobody"}, 404, "model"),
        ({"dimensions": 5}, 400, "dimensions"),
        ({"input": ""}, 400, "input"),
        ({"input": []}, 400, "input"),
        ({"input": [[1, 2]]}, 400, "input[0]"),
        ({"input": ["x"] * 129}, 400, "input"),
        ({"input": ["x" * 8_000] * 26}, 400, "input"),
        ({"encoding_format": "hex"}, 400, "encoding_format"),
        ({"extra_body": {"truncate": True}}, 400, "truncate"),
    ],
)
def test_what_is_not_taken_is_refused_by_its_name(v1: Front, given: Any, status: int, param: str) -> None:
    with pytest.raises(openai.APIStatusError) as caught:
        v1.client().embeddings.create(**{"model": "embedding", "input": "x", **given})
    assert (caught.value.status_code, caught.value.param) == (status, param)


def test_few_requests_wait_and_one_company_has_not_all_places() -> None:
    """The one thread is busy until all that may wait do; then their clients have left, so nothing is computed."""
    unused: Any = None  # nothing is asked before the thread is free

    async def play() -> None:
        asked, free, left = vectors.Vectors(unused), threading.Event(), threading.Event()
        asked._threads.submit(free.wait, 30)
        wanted = vectors.Wanted("embedding", ["x"], False, None)

        def ask(company_id: int) -> asyncio.Task[bytes]:
            return asyncio.create_task(asked.answer(company_id, wanted, left))

        waiting = [ask(company_id) for company_id in (1, 1, 1, 2, 2, 2, 3, 3)]
        for company_id in (1, 3, 4):
            await asyncio.sleep(0)
            with pytest.raises(Mistake) as caught:
                await ask(company_id)
            assert caught.value.error["code"] == "rate_limit_exceeded"
        left.set()
        free.set()
        assert await asyncio.wait_for(asyncio.gather(*waiting), 30) == [b""] * vectors.WAITING_MAX
        assert not asked._waiting
        asked.close()

    asyncio.run(play())

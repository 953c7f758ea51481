"""The stand-in for the OpenAI API, over real HTTP."""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from standin.client import Standin
from standin.extractive import UNKNOWN
from standin.process import StandinProcess
from tests.contract.standin_client import KEY, RETURNS, SHIPPING, Caller, chat


@pytest.fixture(scope="module")
def process() -> Iterator[StandinProcess]:
    with StandinProcess() as started:
        yield started


@pytest.fixture
def standin(process: StandinProcess) -> Standin:
    process.client.reset()
    process.client.register_key(KEY)
    return process.client


@pytest.fixture
def caller(standin: Standin) -> Caller:
    return Caller(standin)


# Chat completions


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("How long do I have for returning my shoes?", "You can return shoes within 30 days. [1]"),
        ("What does shipping cost?", "Shipping costs 5 euros. [2]"),
        ("Do you sell umbrellas?", UNKNOWN),
    ],
)
def test_an_answer_quotes_and_cites_the_passage_that_fits(caller: Caller, question: str, answer: str) -> None:
    assert caller.answer(question, RETURNS, SHIPPING) == answer


def test_without_passages_it_does_not_know_and_cites_nothing(caller: Caller) -> None:
    assert caller.answer("How long can I return shoes?") == UNKNOWN


def test_a_completion_has_openais_shape_and_is_recorded(standin: Standin, caller: Caller) -> None:
    body = caller.ask("How long can I return shoes?", RETURNS).json()
    (recorded,) = standin.completions()
    choice, usage = body["choices"][0], body["usage"]
    assert (body["object"], body["model"], choice["finish_reason"]) == ("chat.completion", "standin-chat", "stop")
    assert 0 < usage["completion_tokens"] < usage["prompt_tokens"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert (recorded["outcome"], recorded["status"], recorded["model"]) == ("ok", 200, "standin-chat")
    assert recorded["messages"][-1] == {"role": "user", "content": "How long can I return shoes?"}
    assert recorded["text"] == choice["message"]["content"]


@pytest.mark.parametrize("with_usage", [True, False])
def test_a_stream_holds_the_same_text_in_pieces(caller: Caller, with_usage: bool) -> None:
    question = "How long can I return shoes?"
    events = caller.stream(question, RETURNS, stream_options={"include_usage": with_usage})
    pieces = [choice["delta"].get("content") for event in events for choice in event["choices"]]
    usages = [event["usage"] for event in events if event.get("usage")]
    whole = caller.ask(question, RETURNS).json()
    assert "".join(piece for piece in pieces if piece) == whole["choices"][0]["message"]["content"]
    assert len([piece for piece in pieces if piece]) > 3
    assert usages == ([whole["usage"]] if with_usage else [])


@pytest.mark.parametrize(("key", "code"), [(None, None), ("sk-unknown", "invalid_api_key")])
def test_an_unknown_key_is_refused(standin: Standin, caller: Caller, key: str | None, code: str | None) -> None:
    response = caller.ask("Hello?", key=key)
    assert response.status_code == 401
    assert response.json()["error"] | {"message": ""} == {
        "message": "",
        "type": "invalid_request_error",
        "param": None,
        "code": code,
    }
    assert standin.effects() == []


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"messages": [{"role": "user", "content": "hi"}]}, None),
        ({"model": "standin-chat"}, "messages"),
        ({"model": "standin-chat", "messages": []}, "messages"),
        ({"model": "standin-chat", "messages": [{"role": "pirate", "content": "hi"}]}, "messages[0].role"),
        ({"model": "standin-chat", "messages": [{"role": "user", "content": ["hi"]}]}, "messages[0].content"),
        ({**chat("hi"), "max_tokens": 0}, "max_tokens"),
    ],
)
def test_a_wrong_request_is_refused_with_its_parameter(caller: Caller, body: dict[str, Any], param: str | None) -> None:
    response = caller.openai("chat/completions", **body)
    assert (response.status_code, response.json()["error"]["param"]) == (400, param)


def test_a_prompt_beyond_the_context_is_refused(standin: Standin, caller: Caller) -> None:
    standin.limits(context_tokens=100)
    response = caller.ask("Hello?" * 100)
    assert (response.status_code, response.json()["error"]["code"]) == (400, "context_length_exceeded")


def test_a_token_limit_cuts_the_answer(standin: Standin, caller: Caller) -> None:
    standin.script("A very long answer. " * 100)
    body = caller.ask("Hello?", max_tokens=5).json()
    assert (body["choices"][0]["finish_reason"], body["usage"]["completion_tokens"]) == ("length", 5)


def test_scripts_are_said_in_order_and_to_the_model_they_are_for(standin: Standin, caller: Caller) -> None:
    standin.script("for the small one [9]", model="standin-chat-mini")
    standin.script("one [7]", "two")
    said = [caller.answer("Hello?", model=model) for model in ("a", "standin-chat-mini", "b", "c")]
    assert said == ["one [7]", "for the small one [9]", "two", UNKNOWN]


# Faults


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (429, "requests", "rate_limit_exceeded"),
        (500, "server_error", None),
        (503, "server_error", None),
        (401, "invalid_request_error", "invalid_api_key"),
    ],
)
def test_a_status_fault_has_openais_error_body(
    standin: Standin, caller: Caller, status: int, kind: str, code: str | None
) -> None:
    standin.fault("openai", "status", status=status)
    response = caller.ask("Hello?")
    error = response.json()["error"]
    assert (response.status_code, error["type"], error["code"]) == (status, kind, code)
    assert response.headers.get("retry-after") == ("1" if status == 429 else None)
    assert caller.ask("Hello?").status_code == 200


def test_a_fault_of_one_model_leaves_the_other_alone(standin: Standin, caller: Caller) -> None:
    standin.fault("openai", "status", status=503, model="standin-chat", count=None)
    assert caller.ask("Hello?", model="standin-chat-mini").status_code == 200
    assert caller.ask("Hello?", model="standin-chat").status_code == 503
    assert [(record["model"], record["outcome"]) for record in standin.completions()] == [
        ("standin-chat-mini", "ok"),
        ("standin-chat", "error"),
    ]


def test_an_empty_completion_is_an_answer_without_text(standin: Standin, caller: Caller) -> None:
    standin.fault("openai", "empty")
    assert caller.answer("How long can I return shoes?", RETURNS) == ""


def test_a_stream_that_breaks_off_never_says_done(standin: Standin, caller: Caller) -> None:
    standin.fault("openai", "drop_midway", cut_after_bytes=600)
    with caller.open_stream("How long can I return shoes?", RETURNS) as response:
        received = _until_it_breaks(response)
    assert (len(received), b"[DONE]" in received) == (600, False)


def test_who_leaves_a_stream_early_is_seen_to_leave(standin: Standin, caller: Caller) -> None:
    standin.set_latency(chunk_s=60)
    standin.set_latency(model="quick")
    with caller.open_stream("How long can I return shoes?", RETURNS) as response:
        assert response.status_code == 200
        assert caller.ask("Hello?", model="quick").status_code == 200
    (left,) = standin.wait_attempts(1, outcome="client_gone")
    assert (left["model"], left["stream"]) == ("standin-chat", True)


# Embeddings and models


def test_vectors_are_normalised_and_nearer_for_texts_that_share_words(caller: Caller) -> None:
    texts = ["returning the shoes", "Can I return shoes?", "free shipping to Norway"]
    rows = caller.openai("embeddings", model="standin-embed", input=texts).json()["data"]
    vectors = [row["embedding"] for row in rows]
    near, far = (_dot(vectors[0], other) for other in vectors[1:])
    assert [len(vector) for vector in vectors] == [384] * 3
    assert [_dot(vector, vector) for vector in vectors] == pytest.approx([1.0] * 3)
    assert near > 0.9 > 0.5 > far


def test_the_same_text_has_the_same_vector_in_any_packing(caller: Caller) -> None:
    asked: dict[str, Any] = {"model": "standin-embed", "input": "return shoes", "dimensions": 16}
    plain = caller.openai("embeddings", **asked).json()["data"][0]["embedding"]
    packed = caller.openai("embeddings", **asked, encoding_format="base64").json()["data"][0]["embedding"]
    assert struct.unpack("<16f", base64.b64decode(packed)) == pytest.approx(plain)


def test_an_empty_input_has_no_vector(caller: Caller) -> None:
    response = caller.openai("embeddings", model="standin-embed", input=["a", ""])
    assert (response.status_code, response.json()["error"]["param"]) == (400, "input")


@pytest.mark.parametrize("style", ["cohere", "tei"])
def test_texts_are_ranked_by_the_words_they_share_with_the_query(caller: Caller, style: str) -> None:
    texts, query = [SHIPPING, RETURNS, "Umbrellas"], "How long can I return shoes?"
    asked = {"model": "standin-rerank", "documents": texts} if style == "cohere" else {"texts": texts}
    answer = caller.openai("rerank", query=query, **asked).json()
    rows = answer["results"] if style == "cohere" else answer
    score = "relevance_score" if style == "cohere" else "score"
    assert rows[0]["index"] == 1
    assert sorted(row["index"] for row in rows) == [0, 1, 2]
    assert [row[score] for row in rows] == sorted((row[score] for row in rows), reverse=True)


def test_a_query_without_texts_is_refused(caller: Caller) -> None:
    assert caller.openai("rerank", query="Shoes?", documents=[]).status_code == 400


def test_models_are_listed_for_a_known_key(standin: Standin, caller: Caller) -> None:
    response = caller.http.get(f"{standin.openai_url}/models", headers={"Authorization": f"Bearer {KEY}"})
    assert "standin-chat" in [row["id"] for row in response.json()["data"]]
    assert caller.http.get(f"{standin.openai_url}/models").status_code == 401


def _until_it_breaks(response: httpx.Response) -> bytes:
    received = b""
    try:
        for piece in response.iter_raw():
            received += piece
    except httpx.RemoteProtocolError:
        return received
    pytest.fail("the answer ended in order")


def _dot(left: list[float], right: list[float]) -> float:
    return sum(a * b for a, b in zip(left, right, strict=True))

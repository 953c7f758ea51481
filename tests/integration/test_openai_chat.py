"""/v1/chat/completions by the official client: answers, tools, errors, fallback, budgets, limits, the ledger."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest

from shared.embedded import Database
from shared.money import Price
from shared.settings import PROJECT_ROOT
from shared.store.db.vault import Vault
from shared.store.models import budgets, prices, providers
from shared.store.models.budgets import Limit
from shared.store.models.prices import Named
from shared.store.models.providers import Model, NewProvider
from shared.store.tenants import api_keys, rate_limits
from shared.store.tenants.rate_limits import Bounds
from standin.process import StandinProcess
from tests.factories import ENCRYPTION_KEY, make_bot
from tests.integration.openai_gateway import KEY, MESSAGES, Front, front, until

TOOLS: Any = [{"type": "function", "function": {"name": "lookup", "parameters": {"type": "object"}}}]


@pytest.fixture(scope="module")
def process() -> Iterator[StandinProcess]:
    with StandinProcess() as started:
        yield started


@pytest.fixture
def v1(database: Database, redis_url: str, process: StandinProcess) -> Iterator[Front]:
    with front(database, redis_url, process.client) as running:
        yield running


def ask(v1: Front, **more: Any) -> Any:
    return v1.client().chat.completions.create(**{"model": "answer", "messages": MESSAGES, **more})


def refused(v1: Front, **more: Any) -> openai.APIStatusError:
    with pytest.raises(openai.APIStatusError) as caught:
        ask(v1, **more)
    return caught.value


def test_an_answer_by_a_purpose_is_the_routes_and_stands_in_the_ledger(v1: Front) -> None:
    v1.standin.script("At noon.")
    found = ask(v1, model="switchboard/answer", temperature=0.5, seed=7)
    assert (found.choices[0].message.content, found.choices[0].finish_reason) == ("At noon.", "stop")
    assert (found.model, found.object) == ("standin-chat", "chat.completion")
    assert found.usage.total_tokens == found.usage.prompt_tokens + found.usage.completion_tokens > 0
    [row] = v1.until_booked()
    assert (row["purpose"], row["model"], row["outcome"]) == ("answer", "standin-chat", "ok")
    assert (row["tokens_in"], row["tokens_out"]) == (found.usage.prompt_tokens, found.usage.completion_tokens)


def test_an_answer_that_reaches_its_limit_is_one(v1: Front) -> None:
    v1.standin.script("one two three four five six seven eight nine ten")
    found = ask(v1, max_completion_tokens=3)
    assert found.choices[0].finish_reason == "length"
    assert len(v1.standin.attempts(target="openai")) == 1


def test_tool_calls_come_back_and_their_results_are_passed_on(v1: Front) -> None:
    v1.standin.fault("openai", "form", variant="tool_calls")
    found = ask(v1, tools=TOOLS, tool_choice="auto", parallel_tool_calls=False)
    [call] = found.choices[0].message.tool_calls
    assert (found.choices[0].finish_reason, call.function.name) == ("tool_calls", "lookup")
    v1.standin.script("Done.")
    lines = [*MESSAGES, found.choices[0].message, {"role": "tool", "tool_call_id": call.id, "content": "42"}]
    assert ask(v1, messages=lines, tools=TOOLS).choices[0].message.content == "Done."
    said = v1.standin.attempts(target="openai")[-1]["messages"]
    assert (said[1]["tool_calls"][0]["id"], said[2]["tool_call_id"]) == (call.id, call.id)


def test_reasoning_is_no_part_of_an_answer(v1: Front) -> None:
    v1.standin.script("At noon.")
    v1.standin.fault("openai", "form", variant="think")
    assert ask(v1).choices[0].message.content == "At noon."


def test_the_next_model_of_the_route_answers(v1: Front) -> None:
    v1.standin.fault("openai", "status", status=400, model="standin-chat")
    v1.standin.script("At noon.")
    assert ask(v1).model == "standin-chat-mini"
    assert [row["outcome"] for row in v1.until_booked(2)] == ["llm_rejected", "ok"]


def test_where_no_model_answers_it_is_said(v1: Front) -> None:
    v1.standin.fault("openai", "empty", count=None)
    error = refused(v1)
    assert (error.status_code, error.code) == (502, "no_model_answered")
    assert "empty" in error.message
    assert {row["outcome"] for row in v1.until_booked(2)} == {"empty"}


def test_where_the_models_ask_for_a_wait_the_client_is_told(v1: Front) -> None:
    v1.standin.fault("openai", "status", status=429, retry_after=300, count=None)
    error = refused(v1)
    assert (error.status_code, error.code) == (503, "no_model_answered")
    assert error.response.headers["retry-after"] == "300"


def test_what_every_model_refuses_is_the_requests_fault(v1: Front) -> None:
    v1.standin.limits(context_tokens=5)
    error = refused(v1, messages=[{"role": "user", "content": "a word " * 50}])
    assert (error.status_code, error.code, error.param) == (400, "context_length_exceeded", "messages")


def test_models_are_listed_and_a_companys_own_is_its_alone(v1: Front, database: Database) -> None:
    sealed = Vault([ENCRYPTION_KEY]).seal({"api_key": KEY})
    own = (Model("standin-1", "chat"),)
    providers.add(v1.owner, NewProvider(v1.company_id, "mine", v1.standin.openai_url, sealed, "", own, paid=False))
    names = [one.id for one in v1.client().models.list()]
    assert {"answer", "summary", "mine/standin-1"} <= set(names)
    assert v1.client().models.retrieve("mine/standin-1").owned_by == "mine"
    for name in ("mine/standin-1", "standin-1"):
        assert ask(v1, model=name).model == "standin-1"
    stranger = v1.client(v1.new_key(company_id=make_bot(database.admin_url).company_id))
    assert "mine/standin-1" not in [one.id for one in stranger.models.list()]
    with pytest.raises(openai.NotFoundError) as caught:
        stranger.chat.completions.create(model="mine/standin-1", messages=MESSAGES)
    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")
    with pytest.raises(openai.NotFoundError):
        stranger.models.retrieve("mine/standin-1")


def test_a_key_is_needed_that_may_ask_models(v1: Front) -> None:
    with pytest.raises(openai.PermissionDeniedError) as lacking:
        v1.client(v1.new_key("read", "write", "admin")).models.list()
    assert "models" in lacking.value.message
    with pytest.raises(openai.AuthenticationError) as unknown:
        v1.client(api_keys.new_key()).models.list()
    assert unknown.value.code == "invalid_api_key"
    assert httpx.get(f"{v1.url}/models").status_code == 401


def test_a_key_that_is_revoked_ends_its_last_call_and_makes_no_other(v1: Front) -> None:
    v1.standin.set_latency(first_byte_s=0.0, chunk_s=0.02)
    v1.standin.script("One two.", "one two three four five")
    ask(v1)
    stream = ask(v1, stream=True)
    next(iter(stream))
    v1.owner.execute("UPDATE api_keys SET revoked_at = now() WHERE company_id = %s", (v1.company_id,))
    assert [one.choices[0].finish_reason for one in stream][-1] == "stop"
    assert refused(v1).status_code == 401
    assert [row["outcome"] for row in v1.until_booked(2)] == ["ok", "ok"]


def test_over_the_budget_nothing_is_asked(v1: Front) -> None:
    price = Price(1_000_000, 1_000_000)
    prices.set_prices(v1.owner, [Named(name, "", price) for name in ("standin-chat", "standin-chat-mini")])
    with v1.owner.transaction():
        budgets.set_limit(v1.owner, Limit(v1.company_id, "company", 0, 10))
    error = refused(v1)
    assert (error.status_code, error.code) == (429, "insufficient_quota")
    assert "Monthly cost limit exceeded" in error.message
    assert v1.standin.attempts(target="openai") == []


def test_a_model_that_may_cost_money_is_not_asked_without_a_price(v1: Front) -> None:
    own = NewProvider(v1.company_id, "dear", v1.standin.openai_url, None, "", (Model("standin-1", "chat"),), paid=True)
    providers.add(v1.owner, own)
    error = refused(v1, model="dear/standin-1")
    assert (error.status_code, error.code) == (502, "no_model_answered")
    assert "price_unknown" in error.message
    assert v1.standin.attempts(target="openai") == []


def test_a_model_of_the_environment_is_asked_by_its_name_alone(v1: Front) -> None:
    v1.standin.fault("openai", "status", status=400, model="standin-chat-mini")
    error = refused(v1, model="second/standin-chat-mini")
    assert (error.status_code, error.code) == (400, "request_refused")
    assert len(v1.standin.attempts(target="openai")) == 1


def test_what_is_asked_is_reserved_and_settled(v1: Front) -> None:
    price = Price(1_000_000, 2_000_000)
    prices.set_prices(v1.owner, [Named("standin-chat", "", price)])
    with v1.owner.transaction():
        budgets.set_limit(v1.owner, Limit(v1.company_id, "company", 0, 1_000_000))
    used = ask(v1, max_tokens=50).usage
    [row] = v1.until_booked()
    assert row["cost_micros"] == used.prompt_tokens + 2 * used.completion_tokens
    state = budgets.state(v1.owner, v1.company_id)
    assert (state.spent_micros, state.reserved_micros) == (row["cost_micros"], 0)


def test_over_a_limit_the_client_is_told_when_to_come_back(v1: Front) -> None:
    with v1.owner.transaction():
        rate_limits.set_bounds(v1.owner, "api_key", v1.company_id, Bounds(per_hour=1))
    ask(v1)
    error = refused(v1)
    assert (error.status_code, error.code) == (429, "rate_limit_exceeded")
    assert int(error.response.headers["retry-after"]) > 60


def test_a_key_has_so_many_calls_at_once(v1: Front) -> None:
    with v1.owner.transaction():
        rate_limits.set_bounds(v1.owner, "api_key", v1.company_id, Bounds(at_once=1))
    v1.standin.script("One two.", "one two three four five six", "Free.")
    ask(v1)
    v1.standin.fault("openai", "stall_midway", cut_after_bytes=700)
    with ask(v1, stream=True) as stream:
        next(iter(stream))
        error = refused(v1)
        assert (error.status_code, error.code) == (429, "rate_limit_exceeded")
    v1.until_booked(2)
    until(lambda: _answers(v1))


def _answers(v1: Front) -> bool:
    try:
        return bool(ask(v1))
    except openai.RateLimitError:
        return False


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ({"n": 2}, "n"),
        ({"logprobs": True}, "logprobs"),
        ({"temperature": 3}, "temperature"),
        ({"top_p": "much"}, "top_p"),
        ({"stop": ["a"] * 5}, "stop"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"tools": [{"type": "function"}]}, "tools[0].function"),
        ({"tool_choice": "auto"}, "tool_choice"),
        ({"response_format": {"type": "xml"}}, "response_format.type"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "king", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].tool_call_id"),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
        ({"extra_body": {"surprise": 1}}, "surprise"),
        ({"user": ""}, "user"),
    ],
)
def test_what_is_not_taken_is_refused_by_its_name(v1: Front, given: Any, param: str) -> None:
    error = refused(v1, **given)
    assert (error.status_code, error.param) == (400, param)
    assert v1.standin.attempts(target="openai") == []


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", b"{", b'{"model": NaN}', b'{"model": "\\ud800"}', b"[" * 100_000, b'{"a":' * 50 + b"1" + b"}" * 50,
        b"\xff\xfe", b'{"model": "answer", "messages": "x"}', b'{"model": 5, "messages": [1]}',
        b'{"model": "answer", "messages": [null]}', b'{"model": "answer", "messages": [{"content": 1e999}]}',
    ],
)  # fmt: skip
def test_a_hostile_body_is_refused_in_openais_form(v1: Front, body: bytes) -> None:
    headers = {"authorization": f"Bearer {v1.key}"}
    answer = httpx.post(f"{v1.url}/chat/completions", content=body, headers=headers, timeout=20)
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"


def test_a_huge_body_and_other_addresses_are_refused_in_openais_form(v1: Front) -> None:
    headers = {"authorization": f"Bearer {v1.key}"}
    with httpx.Client(base_url=v1.url, headers=headers, timeout=20) as http:
        huge = http.post("/chat/completions", content=json.dumps({"model": "x" * 2_000_000}))
        assert (huge.status_code, huge.json()["error"]["code"]) == (413, "request_too_large")
        assert http.get("/images").json()["error"]["code"] == "unknown_url"
        assert http.get("/chat/completions").status_code == 405


@pytest.mark.parametrize("language", ["bash", "python"])
def test_the_examples_of_the_documentation_work(v1: Front, language: str) -> None:
    section = (PROJECT_ROOT / "docs/api.md").read_text().partition("## OpenAI's API for other programs")[2]
    example = section.partition(f"```{language}\n")[2].partition("```")[0]
    v1.standin.script("At noon.")
    run = [sys.executable, "-c"] if language == "python" else ["bash", "-c"]
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "SWITCHBOARD_URL": v1.url.removesuffix("/v1")}
    done = subprocess.run(
        [*run, example], env={**environment, "SWITCHBOARD_KEY": v1.key}, capture_output=True, text=True, timeout=60
    )  # fmt: skip
    assert "At noon." in done.stdout, done.stderr

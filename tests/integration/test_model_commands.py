"""`model-provider` and `model-route`: what is stored, what is shown of keys, what a trial says, what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.store.db.vault import Vault
from standin.client import Standin
from standin.process import StandinProcess
from tests.factories import ENCRYPTION_KEY, Bot, Inbox, make_bot
from tests.integration.command_line import Run, misused, nothing_done, one_line

KEY = "sk-planted-planted-planted-9876"


@pytest.fixture
def bot(inbox: Inbox) -> Bot:
    return make_bot(inbox.server.admin_url, "Shoe shop")


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
def key_file(tmp_path: Path) -> Path:
    (tmp_path / "key").write_text(f"{KEY}\n")
    return tmp_path / "key"


def test_a_key_is_stored_sealed_and_shown_by_its_last_characters(
    run: Run, inbox: Inbox, standin: Standin, key_file: Path
) -> None:
    added = run("model-provider", "add", "house", standin.openai_url, "--model", "large", "--key-file", key_file)
    assert (added.code, added.err) == (0, "")
    [(sealed, hint, paid)] = inbox.rows("SELECT credentials, key_hint, paid FROM model_providers")
    assert Vault([ENCRYPTION_KEY]).open(sealed) == {"api_key": KEY}
    assert (hint, paid) == ("9876", False)
    listed = run("model-provider", "list")
    assert "key …9876  free  large" in listed.out
    shown = run("model-provider", "list", "--json")
    assert shown.json[0]["key_hint"] == "9876"
    for ended in (added, listed, shown):
        assert "planted" not in ended.out + ended.err


def test_a_trial_says_what_came_from_each_kind_of_model(
    run: Run, inbox: Inbox, standin: Standin, key_file: Path
) -> None:
    models = ("standin-1", "standin-embed:embedding", "standin-rank:rerank", "standin-ear:transcription")
    run("model-provider", "add", "house", standin.openai_url, *(word for one in models for word in ("--model", one)),
        "--key-file", key_file)  # fmt: skip
    run("price", "set", "standin-1", "1000", "1000")

    tried = run("model-provider", "test", "house")

    assert tried.code == 0, tried.out
    chat, embedding, rerank, transcription = tried.lines
    assert chat.startswith("house/standin-1  chat  ok  ")
    assert "tokens" in chat
    assert "cost 0." in chat
    assert embedding.endswith("384 dimensions")
    assert rerank.endswith("2 scores")
    assert transcription.endswith("0 characters for a second of silence")
    [as_json] = run("model-provider", "test", "house", "--model", "standin-1", "--json").json
    assert as_json["cost_micros"] > 0
    assert as_json["usage"]["tokens_in"] > 0


@pytest.mark.parametrize(
    ("status", "said"),
    [(401, "llm_credentials (HTTP 401)"), (404, "llm_not_found (HTTP 404)"), (429, "rate_limited (HTTP 429)"),
     (503, "http_5xx (HTTP 503)")],
)  # fmt: skip
def test_a_trial_that_fails_says_how_and_ends_with_1(
    run: Run, inbox: Inbox, standin: Standin, key_file: Path, status: int, said: str
) -> None:
    run("model-provider", "add", "house", standin.openai_url, "--model", "large", "--key-file", key_file)
    standin.fault("openai", "status", status=status)

    tried = run("model-provider", "test", "house")

    assert tried.code == 1
    assert f"house/large  chat  {said}" in tried.out
    assert len(standin.attempts()) == 1


def test_a_company_s_provider_has_to_be_in_the_public_network(
    run: Run, monkeypatch: pytest.MonkeyPatch, inbox: Inbox, bot: Bot, standin: Standin, key_file: Path
) -> None:
    for url in (standin.openai_url, "http://169.254.169.254/v1", "https://[::1]/v1", "http://localhost/v1"):
        refused = run("model-provider", "add", "own", url, "--model", "m", "--no-key", "--company", "shoe-shop")
        one_line(refused)
        assert refused.code == 2
        assert "EGRESS_ALLOW" in refused.err
    monkeypatch.setenv("EGRESS_ALLOW", f"model:127.0.0.1:{standin.base_url.rpartition(':')[2]}")
    words = ("own", standin.openai_url, "--model", "standin-1", "--key-file", key_file, "--company", "shoe-shop")
    assert run("model-provider", "add", *words).code == 0
    assert run("model-provider", "test", "own", "--company", "shoe-shop").code == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("Big", "https://a.example/v1", "--model", "m"), "small letters"),
        (("a", "a.example/v1", "--model", "m"), "should begin with https://"),
        (("a", "https://user:pw@a.example/v1", "--model", "m"), "holds a password"),
        (("a", "https://a.example/v1?key=1", "--model", "m"), "a query"),
        (("a", "https://a.example/v1", "--model", "m", "--model", "m:embedding"), "named twice"),
        (("a", "https://a.example/v1", "--model", " "), "printable characters"),
    ],
)
def test_what_is_wrong_is_told_in_words(run: Run, inbox: Inbox, words: tuple[str, ...], said: str) -> None:
    refused = run("model-provider", "add", *words, "--no-key")
    assert refused.code == 2
    assert said in refused.err
    assert "pw" not in refused.err.replace("password", "")
    assert inbox.rows("SELECT 1 FROM model_providers") == []


def test_without_a_terminal_a_key_has_to_come_from_somewhere(run: Run, inbox: Inbox) -> None:
    misused(run("model-provider", "add", "a", "https://a.example/v1", "--model", "m"))
    assert run("model-provider", "add", "a", "https://a.example/v1", "--model", "m", "--key-file", "-",
               given=KEY.encode()).code == 0  # fmt: skip


def test_a_key_does_not_follow_to_another_server(run: Run, inbox: Inbox, key_file: Path) -> None:
    run("model-provider", "add", "a", "https://a.example/v1", "--model", "m", "--key-file", key_file)
    refused = run("model-provider", "change", "a", "--base-url", "https://evil.example/v1")
    assert refused.code == 2
    assert "give the key again" in refused.err
    assert run("model-provider", "change", "a", "--base-url", "https://a.example/v2").code == 0
    assert run("model-provider", "change", "a", "--base-url", "https://b.example/v1", "--no-key").code == 0
    assert inbox.rows("SELECT credentials FROM model_providers") == [(None,)]


def test_a_key_that_no_longer_opens_can_be_given_again(run: Run, inbox: Inbox, key_file: Path) -> None:
    run("model-provider", "add", "a", "https://a.example/v1", "--model", "m", "--key-file", key_file)
    inbox.owner.run("UPDATE model_providers SET credentials = 'rubbish'", ())
    one_line(run("model-provider", "test", "a"))
    assert run("model-provider", "change", "a", "--key-file", key_file).code == 0
    [(sealed,)] = inbox.rows("SELECT credentials FROM model_providers")
    assert Vault([ENCRYPTION_KEY]).open(sealed) == {"api_key": KEY}


def test_a_route_is_shown_with_where_it_stands(
    run: Run, monkeypatch: pytest.MonkeyPatch, inbox: Inbox, bot: Bot
) -> None:
    monkeypatch.setenv("LLM_BASE_URL", "https://models.example/v1")
    monkeypatch.setenv("LLM_MODEL", "usual")
    run("model-provider", "add", "house", "http://127.0.0.1:9/v1", "--model", "large", "--model", "small", "--no-key")

    unpriced = "answer  the environment's  models.example/usual (no price: `price set` it)"
    assert run("model-route", "show").lines[0] == unpriced
    run("price", "set", "usual", "1", "2")
    assert run("model-route", "show").lines[0] == "answer  the environment's  models.example/usual"
    said = run("model-route", "set", "answer", "house/large@800", "house/small")
    assert said.out == "answer  the installation's  house/large@800 → house/small\n"
    run("model-route", "set", "answer", "house/small", "--company", "shoe-shop")
    assert run("model-route", "show", "--company", "shoe-shop").lines[0] == "answer  the company's  house/small"
    run("model-provider", "change", "house", "--disable")
    assert run("model-route", "show").lines[0].endswith("house/large@800 (disabled) → house/small (disabled)")
    said = run("model-route", "reset", "answer", "--company", "shoe-shop")
    assert said.out.startswith("answer  the installation's")
    assert run("model-route", "reset", "answer").out == "answer  the environment's  models.example/usual\n"
    shown = {one["purpose"]: one["origin"] for one in run("model-route", "show", "--json").json}
    assert (shown["cheaper"], shown["rerank"], shown["transcription"]) == ("none", "none", "none")
    assert "embedding" not in shown


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("answer", "house"), "PROVIDER/MODEL"),
        (("answer", "nobody/large"), "step 1: there is no provider 'nobody'"),
        (("answer", "house/large", "house/huge"), "step 2: house has no model 'huge': it has large"),
        (("answer", "house/ranks"), "ranks is a model for rerank, and answer needs one for chat"),
        (("answer", "house/large", "house/large"), "named twice"),
        (("answer", "house/large@0"), "1 to 200000 tokens"),
        (("sing", "house/large"), "'sing' is no purpose: there are answer, cheaper"),
        (("embedding", "house/large"), "vectors of two models are never compared"),
    ],
)
def test_a_route_that_would_not_work_is_refused(run: Run, inbox: Inbox, words: tuple[str, ...], said: str) -> None:
    run("model-provider", "add", "house", "http://127.0.0.1:9/v1", "--model", "large", "--model", "ranks:rerank",
        "--no-key")  # fmt: skip
    refused = run("model-route", "set", *words)
    assert refused.code == 2
    assert said in refused.err
    assert inbox.rows("SELECT 1 FROM model_routes") == []


def test_what_a_route_asks_is_neither_removed_nor_dropped(run: Run, inbox: Inbox, bot: Bot) -> None:
    run("model-provider", "add", "house", "http://127.0.0.1:9/v1", "--model", "large", "--no-key")
    run("model-route", "set", "answer", "house/large", "--company", "shoe-shop")
    for words in (("remove", "house"), ("change", "house", "--drop-model", "large")):
        nothing_done(run("model-provider", *words))
    run("model-route", "reset", "answer", "--company", "shoe-shop")
    assert run("model-provider", "remove", "house").code == 0


def test_without_redis_a_change_is_stored_and_says_when_it_is_seen(
    run: Run, monkeypatch: pytest.MonkeyPatch, inbox: Inbox
) -> None:
    monkeypatch.setenv("CACHE_URL", "redis://127.0.0.1:1/0")
    added = run("model-provider", "add", "house", "http://127.0.0.1:9/v1", "--model", "large", "--no-key")
    assert added.code == 0
    assert "within 10 minutes" in added.err

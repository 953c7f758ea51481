"""Which models are asked for a company: on a real database, a real Valkey and a stand-in that plays the providers."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
import structlog

from shared.embedded import Database
from shared.llm import routes as module
from shared.llm.call import ModelCall
from shared.llm.router import NoModelAnswered, Router
from shared.model import Completion, Purpose
from shared.resources import open_resources
from shared.settings.environment import child_environment
from shared.store.db.redis import connect
from shared.store.db.vault import Vault
from shared.store.models import providers, routes
from shared.store.models.providers import Kind, Model, NewProvider, changed_topics
from shared.store.models.routes import NewStep
from standin.client import Standin
from standin.process import StandinProcess
from tests.factories import ENCRYPTION_KEY, make_bot, settings_for
from tests.integration import calling_elsewhere
from tests.integration.routed_elsewhere import elsewhere

KEY = "sk-of-the-company-0123456789"
MESSAGES = [{"role": "user", "content": "When do parcels leave?"}]


@pytest.fixture(scope="module")
def process() -> Iterator[StandinProcess]:
    with StandinProcess() as started:
        yield started


@pytest.fixture
def standin(process: StandinProcess) -> Standin:
    process.client.reset()
    for key in (KEY, "sk-environment"):
        process.client.register_key(key)
    return process.client


class World:
    """Two companies, what an operator writes, and one worker's resources."""

    def __init__(self, server: Database, redis_url: str, standin: Standin, **values: Any) -> None:
        self.ours, self.foreign = make_bot(server.admin_url).company_id, make_bot(server.admin_url).company_id
        self.standin, self.redis_url = standin, redis_url
        self.owner = psycopg.connect(server.admin_url, autocommit=True)
        self.vault = Vault([ENCRYPTION_KEY])
        port = standin.base_url.rpartition(":")[2]
        self.settings = settings_for(
            server, redis_url, LLM_BASE_URL=standin.openai_url, LLM_API_KEY="sk-environment", LLM_MODEL="environment",
            EGRESS_ALLOW=f"model:127.0.0.1:{port}", **values,
        )  # fmt: skip
        self.cache = connect(redis_url)
        self.r = open_resources(self.settings, name="test")

    def close(self) -> None:
        self.r.close()
        self.cache.close()
        self.owner.close()

    def provider(
        self, name: str, company: int | None = None, *, models: str = "large", kind: Kind = "chat",
        base_url: str | None = None, key: str = KEY, paid: bool = False,
    ) -> int:  # fmt: skip
        listed = tuple(Model(one, kind) for one in models.split())
        sealed = self.vault.seal({"api_key": key})
        new = NewProvider(company, name, base_url or self.standin.openai_url, sealed, key[-4:], listed, paid)
        return providers.add(self.owner, new)

    def route(self, company: int | None, purpose: str, *steps: tuple[int, str]) -> None:
        routes.replace_steps(self.owner, company, purpose, [NewStep(*step) for step in steps])
        self.tell(company)

    def tell(self, company: int | None) -> None:
        for topic in changed_topics(company):
            self.r.invalidations.tell(topic)

    def router(self, company: int | None = None, purpose: Purpose = "answer") -> Router | None:
        return self.r.router_for(ModelCall(company or self.ours, None, purpose))

    def asked(self, company: int | None = None, purpose: Purpose = "answer") -> list[str]:
        router = self.router(company, purpose)
        return [] if router is None else [step.provider.model for step in router.steps]

    def ask(self, company: int | None = None) -> Completion:
        router = self.router(company)
        assert router is not None
        return self.r.loop.run(router.complete(MESSAGES, 20.0), timeout_s=30)

    def fail(self, company: int | None = None) -> list[tuple[str, str]]:
        with pytest.raises(NoModelAnswered) as caught:
            self.ask(company)
        return [(one.provider, one.outcome) for one in caught.value.attempts]


@pytest.fixture
def make_world(database: Database, redis_url: str, standin: Standin) -> Iterator[Callable[..., World]]:
    made: list[World] = []

    def make(**values: Any) -> World:
        made.append(World(database, redis_url, standin, **values))
        return made[-1]

    yield make
    for world in made:
        world.close()


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    return make_world()


def test_the_company_s_route_stands_before_the_installation_s_and_that_before_the_environment(world: World) -> None:
    assert world.asked() == ["environment"]
    house = world.provider("house", models="large small")
    world.route(None, "answer", (house, "large"))
    assert world.asked() == world.asked(world.foreign) == ["large"]
    mine = world.provider("mine", world.ours, models="own")
    world.route(world.ours, "answer", (mine, "own"), (house, "small"))
    assert world.asked() == ["own", "small"]
    assert world.asked(world.foreign) == ["large"]
    assert world.ask().attempts[0].provider == "mine"
    world.route(world.ours, "answer")
    assert world.asked() == ["large"]
    world.route(None, "answer")
    assert world.asked() == ["environment"]


def test_a_purpose_without_a_route_is_the_environment_s_and_has_its_own_time(world: World) -> None:
    world.route(None, "answer", (world.provider("house"), "large"))
    assert world.asked(purpose="intent") == ["environment"]
    router = world.router(purpose="intent")
    assert router is not None
    assert router._deadlines.total_s == 10.0
    world.route(None, "intent", (providers.own(world.owner, None, "house").id, "large"))  # type: ignore[union-attr]
    assert world.asked(purpose="intent") == ["large"]


def test_a_route_for_cheaper_answers_follows_the_route_for_answers(world: World) -> None:
    house = world.provider("house", models="large spare small")
    world.route(None, "cheaper", (house, "small"))
    router = world.router()
    assert router is not None
    assert [(one.provider.model, one.step) for one in router.steps] == [("environment", "full"), ("small", "cheaper")]
    world.route(None, "answer", (house, "large"), (house, "spare"), (house, "small"))
    router = world.router()
    assert router is not None
    assert [(one.provider.model, one.step) for one in router.steps] == [
        ("large", "full"), ("spare", "full"), ("small", "full"),
    ]  # fmt: skip
    assert router.has_cheaper is False
    world.route(None, "answer", (house, "large"))
    assert world.asked() == ["large", "small"]


def test_a_change_is_seen_by_four_processes(world: World, database: Database) -> None:
    environment = child_environment({
        "DATABASE_URL": database.url, "REDIS_URL": world.redis_url, "ENCRYPTION_KEYS": ENCRYPTION_KEY,
        "LLM_BASE_URL": world.standin.openai_url, "LLM_MODEL": "environment", "LOG_LEVEL": "ERROR",
    })  # fmt: skip
    house = world.provider("house", models="large small")
    with elsewhere(4, world.ours, environment) as others:
        assert {one.asks() for one in others} == {f"{world.settings.llm.providers[0].label}/environment"}
        for model in ("large", "small"):
            world.route(None, "answer", (house, model))
            for one in others:
                one.forgot(changed_topics(None)[-1])
            assert {one.asks() for one in others} == {f"house/{model}"}
        mine = world.provider("mine", world.ours, models="own")
        world.route(world.ours, "answer", (mine, "own"))
        for one in others:
            one.forgot(changed_topics(world.ours)[-1])
        assert {one.asks() for one in others} == {"mine/own"}


def test_twenty_threads_of_four_processes_open_one_breaker_and_one_of_them_tries_again(
    world: World, database: Database
) -> None:
    environment = child_environment({
        "DATABASE_URL": database.url, "REDIS_URL": world.redis_url, "ENCRYPTION_KEYS": ENCRYPTION_KEY,
        "LOG_LEVEL": "ERROR",
    })  # fmt: skip
    world.route(None, "answer", (world.provider("house"), "large"))
    with calling_elsewhere.elsewhere(4, world.ours, environment) as others:

        def all_call(word: str) -> tuple[int, Counter[str]]:
            """(how many calls the provider got, what became of each)"""
            before = len(world.standin.attempts())
            for one in others:
                one.begin(word)
            told = sum((one.told() for one in others), Counter[str]())
            return len(world.standin.attempts()) - before, told

        world.standin.fault("openai", "status", status=503, count=None)
        asked, told = all_call("now")
        assert told["http_5xx"] == asked  # those that were under way when the fifth one failed
        assert told.total() == 80
        assert all_call("now") == (0, Counter(breaker_open=80))
        [key] = world.cache.scan_iter("sb:breaker:*}")
        world.cache.hset(key, "opened", 1)
        assert all_call("later") == (1, Counter(http_5xx=1, breaker_open=79))
        world.cache.hset(key, "opened", 1)
        world.standin.clear()
        assert all_call("later")[1]["ok"] >= 1
        assert all_call("now")[1] == Counter(ok=80)


def test_keys_are_sealed_wherever_a_route_is_kept(world: World, capfd: pytest.CaptureFixture[str]) -> None:
    world.route(None, "answer", (world.provider("house"), "large"))
    with structlog.testing.capture_logs() as logs:
        assert world.ask().attempts[0].outcome == "ok"
        world.standin.fault("openai", "status", status=401, count=None)
        world.fail()
    kept = [world.cache.get(key) for key in world.cache.scan_iter("sb:cache:*")]
    seen = b"".join(bytes(body) for body in kept if isinstance(body, bytes))
    assert b"house" in seen
    near = b"".join(entry[1] for entry in world.r.routes._cache._near.values())
    router = world.router()
    assert router is not None
    shown = repr(router.steps) + repr(world.r.routes.named(world.ours, "answer")) + json.dumps(logs, default=str)
    for place in (seen.decode("latin-1"), near.decode("latin-1"), shown, *capfd.readouterr()):
        assert KEY not in place
        assert "0123456789" not in place


def test_a_key_that_no_longer_opens_bars_its_step_and_the_next_is_asked(world: World) -> None:
    house, lost = world.provider("house"), world.provider("lost")
    world.owner.execute(
        "UPDATE model_providers SET credentials = %s WHERE id = %s",
        (Vault(["3TzZfNh7zGhHVbAfOcLrHMZkRZt9IX4cPMoZRAyqkrA="]).seal({"api_key": KEY}), lost),
    )
    world.route(None, "answer", (lost, "large"), (house, "large"))
    completion = world.ask()
    assert [(one.provider, one.outcome) for one in completion.attempts] == [("lost", "key_unreadable"), ("house", "ok")]


def test_a_disabled_provider_and_a_model_that_it_no_longer_lists_are_passed_over(world: World) -> None:
    house, other = world.provider("house", models="large small"), world.provider("other", models="gone")
    world.route(None, "answer", (house, "large"), (other, "gone"))
    world.owner.execute("UPDATE model_providers SET state = 'disabled' WHERE id = %s", (house,))
    world.owner.execute("UPDATE model_providers SET models = '[]' WHERE id = %s", (other,))
    world.tell(None)
    assert world.fail() == [("house", "disabled"), ("other", "not_listed")]
    assert world.standin.attempts() == []


def test_a_company_s_provider_may_not_lead_into_our_network_and_the_installation_s_may(
    make_world: Callable[..., World],
) -> None:
    world = make_world()
    shut = world.settings.changed(EGRESS_ALLOW="")
    world.r.close()
    world.r = open_resources(shut, name="test")
    mine, house = world.provider("mine", world.ours), world.provider("house")
    world.route(world.ours, "answer", (mine, "large"), (house, "large"))
    for _ in range(6):  # and no breaker opens by it
        completion = world.ask()
        assert [(one.provider, one.outcome) for one in completion.attempts] == [
            ("mine", "address_refused"), ("house", "ok"),
        ]  # fmt: skip


def test_a_key_does_not_follow_a_redirect(world: World) -> None:
    heard: list[bytes] = []

    async def elsewhere_(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readuntil(b"\r\n\r\n"))
        writer.close()

    async def redirects(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        answer = f"HTTP/1.1 307 Temporary Redirect\r\nlocation: {target}\r\ncontent-length: 0\r\n\r\n"
        writer.write(answer.encode())
        await writer.drain()
        writer.close()

    async def open_(handler: Any) -> asyncio.Server:
        return await asyncio.start_server(handler, "127.0.0.1", 0)

    other = world.r.loop.run(open_(elsewhere_), timeout_s=5)
    target = f"http://127.0.0.1:{other.sockets[0].getsockname()[1]}/v1/chat/completions"
    first = world.r.loop.run(open_(redirects), timeout_s=5)
    url = f"http://127.0.0.1:{first.sockets[0].getsockname()[1]}/v1"
    world.route(None, "answer", (world.provider("house", base_url=url), "large"))
    assert world.fail() == [("house", "malformed")]
    assert heard == []


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        ({"kind": "form", "variant": "refusal"}, "refused"),
        ({"kind": "status", "status": 400, "code": "context_length_exceeded"}, "context_too_long"),
    ],
)
def test_what_is_about_the_prompt_goes_to_the_next_step_at_once_and_hurts_no_breaker(
    world: World, fault: dict[str, Any], outcome: str
) -> None:
    house = world.provider("house", models="large small")
    world.route(None, "answer", (house, "large"), (house, "small"))
    world.standin.fault("openai", model="large", count=None, **fault)
    for number in range(1, 7):  # one more than opens a breaker
        completion = world.ask()
        assert [one.outcome for one in completion.attempts] == [outcome, "ok"]
        assert len([one for one in world.standin.attempts() if one["model"] == "large"]) == number
    assert world.r.breakers.states()["house", "large"] == "closed"


def test_companies_breakers_stand_apart_and_are_counted_as_one(world: World) -> None:
    for company in (world.ours, world.foreign):
        world.route(company, "answer", (world.provider("mine", company), "large"))
    world.standin.fault("openai", "status", status=503, count=5)
    world.fail()
    world.fail()
    assert world.fail() == [("mine", "breaker_open")]
    assert world.ask(world.foreign).attempts[0].outcome == "ok"
    assert world.r.own_breakers.states() == {
        (f"{world.ours}.mine", "large"): "open", (f"{world.foreign}.mine", "large"): "closed",
    }  # fmt: skip


class Prices:
    def __init__(self, *known: str) -> None:
        self._known = known

    def price_of(self, company_id: int, provider: str, model: str) -> object | None:
        return model if model in self._known else None


def test_what_may_cost_an_unknown_price_is_not_asked(world: World) -> None:
    paid, free = world.provider("paid", models="large small", paid=True), world.provider("free")
    world.route(None, "answer", (paid, "large"), (paid, "small"), (free, "large"))
    world.r.routes.priced = Prices("small")
    assert [(one.model, one.outcome) for one in world.ask().attempts] == [("large", "price_unknown"), ("small", "ok")]
    world.r.routes.priced = Prices()
    attempts = world.ask().attempts
    assert [(one.provider, one.outcome) for one in attempts] == [
        ("paid", "price_unknown"), ("paid", "price_unknown"), ("free", "ok"),
    ]  # fmt: skip
    assert {one["model"] for one in world.standin.attempts()} == {"small", "large"}


def test_the_route_is_remembered_while_redis_is_away(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.route(None, "answer", (world.provider("house"), "large"))
    assert world.asked() == ["large"]
    monkeypatch.setattr(world.r.db, "transaction", lambda *_: pytest.fail("the database was asked"))
    world.cache.flushdb()
    assert world.asked() == ["large"]


def test_what_is_kept_for_providers_is_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world.r.routes._clients, "_most", 5)
    house = world.provider("house", models=" ".join(f"m{n}" for n in range(12)))
    for number in range(12):
        world.route(None, "answer", (house, f"m{number}"))
        assert world.asked() == [f"m{number}"]
    assert len(world.r.routes._clients) == 5
    assert len(world.r.routes._read) <= module.ENTRIES

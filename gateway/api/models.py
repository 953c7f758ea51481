"""Model providers and routes over HTTP: who answers for a company, tried by a real call. Keys are never shown."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar

from fastapi import APIRouter, Path, Query
from pydantic import Field

from gateway.api.agents import Admin, Agent, ModelsReader
from gateway.http.refused import Refused
from gateway.rest import cursors
from gateway.rest.endpoint import Endpoint
from gateway.rest.given import Given, Id, Page, text
from gateway.rest.representation import IfMatch
from shared.errors import NotFound, NothingDone, Permanent, SettingsError
from shared.llm.trial import Trial
from shared.model import Purpose
from shared.store.db.pool import Conn
from shared.store.db.vault import Vault
from shared.store.models import providers as store
from shared.store.models.providers import KINDS, Kind, Model, Provider, changed_topics
from shared.store.models.routes import STEPS_MAX
from tasks.models import providers, routing
from tasks.models.providers import MODEL_CHARS, Wanted
from tasks.models.routing import TOKENS_MAX, Resolved, StepWanted

T = TypeVar("T")

PAGE_MAX = 50
"""A provider has up to 200 models."""
TRIED_MAX = 5
"""Models of one request: each is a call of up to 20 s."""
TRIALS_AT_ONCE = 2
"""In one gateway."""

ROUTER = APIRouter(prefix="/api/v1/models", tags=["models"], route_class=Endpoint)
IN_USE: dict[int | str, dict[str, Any]] = {409: {"description": "It is like this already, or a route asks it."}}

PurposeText = Annotated[str, Path(max_length=40, description="What a model is called for, such as `answer`.")]
KindText = Literal["chat", "embedding", "rerank", "transcription"]
_trying = asyncio.Semaphore(TRIALS_AT_ONCE)


@dataclass(frozen=True, slots=True)
class ShownModel:
    name: str
    kind: str


@dataclass(frozen=True, slots=True)
class ShownProvider:
    id: int
    name: str
    installation: bool
    base_url: str | None
    has_key: bool
    key_hint: str | None
    models: list[ShownModel]
    paid: bool
    state: str


@dataclass(frozen=True, slots=True)
class Providers:
    providers: list[ShownProvider]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class ShownTrial:
    model: str
    kind: str
    outcome: str
    ok: bool
    ms: int
    status: int | None
    told: str
    tokens_in: int | None
    tokens_out: int | None


@dataclass(frozen=True, slots=True)
class Trials:
    trials: list[ShownTrial]


@dataclass(frozen=True, slots=True)
class ShownStep:
    provider: str
    model: str
    max_tokens: int | None
    barred: str | None


@dataclass(frozen=True, slots=True)
class ShownRoute:
    purpose: str
    origin: str
    steps: list[ShownStep]


@dataclass(frozen=True, slots=True)
class ShownRoutes:
    routes: list[ShownRoute]


class Listing(Page):
    limit: int = Field(PAGE_MAX, ge=1, le=PAGE_MAX)
    """How many at most."""


class GivenModel(Given):
    name: text(MODEL_CHARS)  # type: ignore[valid-type]
    """As the provider names it."""
    kind: KindText = "chat"
    """What it is for."""


BaseUrl = Annotated[str, Field(min_length=1, max_length=500, examples=["https://api.openai.com/v1"])]
ApiKey = Annotated[str, Field(max_length=4000)]


class NewProvider(Given):
    name: Annotated[str, Field(min_length=1, max_length=40, examples=["openai-eu"])]
    """Small letters, digits, - and _; the installation has no provider of this name."""
    base_url: BaseUrl
    """An address with OpenAI's API, with /v1, in the public network or where EGRESS_ALLOW says."""
    api_key: ApiKey = ""
    """Stored sealed, and never shown; empty: it asks for none."""
    models: list[GivenModel] = Field(min_length=1, max_length=200)
    """Those that are used."""
    paid: bool | None = None
    """Whether it may cost money, so that a model without a price is not asked; null: yes, unless its host is ours."""


class ChangedProvider(Given):
    base_url: BaseUrl | None = None
    """Another address. A key does not follow to another server: give it again."""
    api_key: ApiKey | None = None
    """Another key; empty: none any more."""
    models: list[GivenModel] | None = Field(None, max_length=200)
    """Instead of all that there are; one that a route asks has to stay (409)."""
    paid: bool | None = None
    """Whether it may cost money."""
    state: Literal["active", "disabled"] | None = None
    """A disabled one is not asked; its routes go on with their next step."""


class Trying(Given):
    models: list[Annotated[str, Field(max_length=MODEL_CHARS)]] = Field([], max_length=TRIED_MAX)
    """These; empty: its first five."""


class GivenStep(Given):
    provider: Annotated[str, Field(min_length=1, max_length=40)]
    """The name of the company's own provider, or of one of the installation's."""
    model: text(MODEL_CHARS)  # type: ignore[valid-type]
    """One of its models, of the kind that the purpose needs."""
    max_tokens: int | None = Field(None, ge=1, le=TOKENS_MAX)
    """The most that an answer may have; null: as usual."""


class GivenRoute(Given):
    steps: list[GivenStep] = Field(min_length=1, max_length=STEPS_MAX)
    """The first one is asked first, the next when it does not answer."""


# ---------------------------------------------------------------------- providers
@ROUTER.get("/providers", summary="List model providers")
async def list_providers(agent: ModelsReader, query: Annotated[Listing, Query()]) -> Providers:
    """The company's own and the installation's, by id. Of a key only the last four characters are shown, of the
    installation's nothing. Scope `admin` or `models`."""
    after_id = cursors.after_id(query.cursor)

    def work(conn: Conn, company_id: int) -> Providers:
        found = store.listed(conn, company_id, after_id=after_id, limit=query.limit)
        return Providers(list(map(_shown, found)), cursors.next_cursor(found, query.limit, "id"))

    return await agent.work(work)


@ROUTER.post("/providers", summary="Add a model provider", status_code=201, responses=IN_USE)
async def add_provider(agent: Admin, given: NewProvider) -> ShownProvider:
    """A provider of the company's own. Nothing is asked of it yet: try it."""
    config = agent.edge.settings
    with _Said():
        await providers.check_reachable(config, agent.company_id, providers.checked_url(given.base_url))
        new = providers.new(
            config, _vault(agent), agent.company_id, given.name, given.base_url, _models(given.models),
            api_key=given.api_key, paid=given.paid,
        )  # fmt: skip

    def work(conn: Conn, company_id: int) -> ShownProvider:
        store.add(conn, new)
        return _shown(providers.found(conn, company_id, given.name))

    return await _changed(agent, work)


@ROUTER.get("/providers/{provider:id}", summary="Show a model provider")
async def show_provider(agent: ModelsReader, provider: Id) -> ShownProvider:
    """One of the company's own or of the installation's. Scope `admin` or `models`."""
    return await agent.work(lambda conn, company_id: _shown(_found(conn, company_id, provider)))


@ROUTER.patch("/providers/{provider:id}", summary="Change a model provider", responses=IN_USE)
async def change_provider(agent: Admin, provider: Id, given: ChangedProvider, match: IfMatch) -> ShownProvider:
    """One of the company's own. It is asked like this from the next call on, by every process."""
    if given.base_url is not None:
        with _Said():
            url = providers.checked_url(given.base_url)
            await providers.check_reachable(agent.edge.settings, agent.company_id, url)
    wanted = Wanted(
        base_url=given.base_url, api_key=given.api_key, paid=given.paid, state=given.state,
        models=None if given.models is None else _models(given.models),
    )  # fmt: skip

    def work(conn: Conn, company_id: int) -> ShownProvider:
        before = providers.found(conn, company_id, _own(conn, company_id, provider).name, lock=True)
        match.check(lambda: _shown(before))
        return _shown(providers.change(conn, _vault(agent), company_id, before.name, wanted))

    return await _changed(agent, work)


@ROUTER.delete("/providers/{provider:id}", summary="Delete a model provider", responses=IN_USE)
async def delete_provider(agent: Admin, provider: Id) -> ShownProvider:
    """One of the company's own that no route asks any more, with its key. The answer is what it was."""

    def work(conn: Conn, company_id: int) -> ShownProvider:
        before = _own(conn, company_id, provider)
        providers.remove(conn, company_id, before.name)
        return _shown(before)

    return await _changed(agent, work)


@ROUTER.post("/providers/{provider:id}/test", summary="Try a model provider")
async def test_provider(agent: Admin, provider: Id, given: Trying) -> Trials:
    """A small real call to each model, one after the other, which the provider may charge for. `outcome` is `ok` or the
    word for what went wrong, `status` the HTTP status where it was not 200, and `told` what came."""

    def load(conn: Conn, company_id: int) -> tuple[Provider, list[Model]]:
        row = _own(conn, company_id, provider)
        known = {one.name: one for one in row.models}
        if unknown := [name for name in given.models if name not in known]:
            raise Refused(422, f"the provider has no model {unknown[0]!r}")
        return row, [known[name] for name in given.models] or list(row.models[:TRIED_MAX])

    row, models = await agent.work(load)
    if _trying.locked():
        raise Refused(429, "other providers are being tried: try again in some seconds", retry_after_s=5)
    async with _trying:
        trials = [await asyncio.to_thread(_tried, agent, row, one) for one in models]
    return Trials(trials)


def _tried(agent: Agent, row: Provider, model: Model) -> ShownTrial:
    try:
        trial = providers.try_out(agent.edge.settings, _vault(agent), row, model)
    except SettingsError:
        trial = Trial("key_unreadable", 0)
    usage = trial.usage
    return ShownTrial(
        model.name, model.kind, trial.outcome, trial.ok, trial.ms, trial.status, trial.told,
        None if usage is None else usage.tokens_in, None if usage is None else usage.tokens_out,
    )  # fmt: skip


# ---------------------------------------------------------------------- routes
@ROUTER.get("/routes", summary="List model routes")
async def list_routes(agent: ModelsReader) -> ShownRoutes:
    """What holds for each purpose, and its `origin`: `company`, `installation`, or `environment` where neither has a
    route and the models are those that the operator's settings name, which are not shown. Scope `admin` or `models`."""

    def work(conn: Conn, company_id: int) -> ShownRoutes:
        return ShownRoutes([_route(one) for one in routing.resolved(conn, agent.edge.settings, company_id)])

    return await agent.work(work)


@ROUTER.get("/routes/{purpose}", summary="Show a model route")
async def show_route(agent: ModelsReader, purpose: PurposeText) -> ShownRoute:
    """What holds for one purpose. Scope `admin` or `models`."""
    asked = _purpose(purpose)
    return await agent.work(lambda conn, company_id: _resolved(agent, conn, company_id, asked))


@ROUTER.put("/routes/{purpose}", summary="Set a model route")
async def set_route(agent: Admin, purpose: PurposeText, given: GivenRoute, match: IfMatch) -> ShownRoute:
    """The company's own route, in place of the installation's, from the next call on."""
    asked = _purpose(purpose)
    wanted = [StepWanted(one.provider, one.model, one.max_tokens) for one in given.steps]

    def work(conn: Conn, company_id: int) -> ShownRoute:
        match.check(lambda: _resolved(agent, conn, company_id, asked))
        routing.set_route(conn, company_id, asked, wanted)
        return _resolved(agent, conn, company_id, asked)

    return await _changed(agent, work)


@ROUTER.delete("/routes/{purpose}", summary="Take a model route away")
async def reset_route(agent: Admin, purpose: PurposeText) -> ShownRoute:
    """The company's own; the answer is what holds then. Twice is once."""
    asked = _purpose(purpose)

    def work(conn: Conn, company_id: int) -> ShownRoute:
        routing.reset_if_set(conn, company_id, asked)
        return _resolved(agent, conn, company_id, asked)

    return await _changed(agent, work)


# ---------------------------------------------------------------------- what they share
class _Said:
    """Translates what is wrong with a request."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, NotFound):
            raise Refused(404, "this company has no such provider") from None
        if isinstance(error, NothingDone):
            raise Refused(409, str(error)) from None
        if isinstance(error, Permanent) and not isinstance(error, SettingsError | Refused):
            raise Refused(422, str(error)) from None


async def _changed(agent: Agent, work: Callable[[Conn, int], T]) -> T:
    """Run `work` in a transaction of the company's, then tell all processes."""
    with _Said():
        found = await agent.work(work)
    await agent.edge.in_thread(lambda: [agent.edge.invalidations.tell(one) for one in changed_topics(agent.company_id)])
    return found


def _vault(agent: Agent) -> Vault:
    return Vault(agent.edge.settings.system.fernet_keys)


def _models(given: list[GivenModel]) -> list[Model]:
    kinds: dict[str, Kind] = {one: one for one in KINDS}
    with _Said():
        return [providers.checked_model(one.name, kinds[one.kind]) for one in given]


def _found(conn: Conn, company_id: int, provider_id: int) -> Provider:
    found = store.by_id(conn, company_id, provider_id)
    if found is None:
        raise Refused(404, "this company has no such provider")
    return found


def _own(conn: Conn, company_id: int, provider_id: int) -> Provider:
    found = _found(conn, company_id, provider_id)
    if found.company_id is None:
        raise Refused(403, "this provider is the installation's: only its operator changes or tries it")
    return found


def _shown(row: Provider) -> ShownProvider:
    """Where the installation's models run, and with which key, is its operator's."""
    own = row.company_id is not None
    return ShownProvider(
        row.id, row.name, not own, row.base_url if own else None, row.sealed is not None,
        row.key_hint or None if own else None, [ShownModel(one.name, one.kind) for one in row.models], row.paid,
        row.state,
    )  # fmt: skip


def _purpose(text: str) -> Purpose:
    try:
        return routing.purpose_of(text)
    except Permanent as e:
        raise Refused(404, str(e)) from None


def _resolved(agent: Agent, conn: Conn, company_id: int, purpose: Purpose) -> ShownRoute:
    [found] = [one for one in routing.resolved(conn, agent.edge.settings, company_id) if one.purpose == purpose]
    return _route(found)


def _route(found: Resolved) -> ShownRoute:
    if found.origin in ("environment", "none"):
        return ShownRoute(found.purpose, "environment", [])
    steps = [ShownStep(one.provider, one.model, one.max_tokens, one.barred) for one in found.steps]
    return ShownRoute(found.purpose, found.origin, steps)

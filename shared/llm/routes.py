"""Which models are asked for a company's purpose: its own route, else the installation's, else the environment's.

Both kinds of stored routes are cached for ten minutes in two levels and forgotten when they change
(shared/cache/invalidation.py). What is cached holds keys as the vault sealed them; they are opened for the providers
that this process asks, of which it keeps some hundreds.
"""

from __future__ import annotations

import base64
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Protocol

import httpx
import orjson
import structlog

from shared.cache.invalidation import Invalidations
from shared.cache.two_level import TwoLevel
from shared.clock import Clock, SystemClock
from shared.errors import SettingsError
from shared.llm import deadlines
from shared.llm.call import ModelCall, why_barred
from shared.llm.provider import Provider as Client
from shared.llm.rerank import Reranker, Rerankers
from shared.llm.router import Router, Step
from shared.model import Purpose
from shared.resilience.breaker import Breakers
from shared.resilience.loop import Loop
from shared.resilience.shared_breaker import SharedBreakers
from shared.settings import Settings
from shared.store.db.pool import Database
from shared.store.db.vault import Vault
from shared.store.models import providers
from shared.store.models import routes as store
from shared.store.models.providers import TOPIC, Provider, topic
from shared.store.models.routes import RouteStep

log = structlog.get_logger(__name__)

TTL_S = 600.0
ENTRIES = 2_000
"""Companies whose routes this process remembers."""
CLIENTS_MAX = 500
"""Models that this process remembers how to ask: the key's header, and what it learnt of their parameters."""
ROUTED_MAX = 20_000
"""With more companies that have routes of their own each company is looked up."""
EVERYBODY = f"{TOPIC}:all"
"""The topic of what concerns every company."""
OWN = "own"
"""What metrics count a company's own providers under: their names are the company's, and any number."""


class Priced(Protocol):
    """Knows what models cost."""

    def price_of(self, company_id: int, provider: str, model: str) -> object | None:
        """None: it is not known."""
        ...


@dataclass(frozen=True, slots=True)
class NamedStep:
    """One step of a stored route. owner_id: whose provider it is, None: the installation's. sealed: its key as the
    vault sealed it. barred: the word for why it cannot be asked."""

    provider_id: int
    provider: str
    owner_id: int | None
    base_url: str
    sealed: str | None = field(repr=False)
    paid: bool
    model: str
    max_tokens: int | None
    barred: str | None

    @property
    def service(self) -> str:
        """The name of its breaker. Names of providers have no dot, so a company's stay apart from all others."""
        return self.provider if self.owner_id is None else f"{self.owner_id}.{self.provider}"


_Routes = Mapping[str, tuple[NamedStep, ...]]


@dataclass(frozen=True, slots=True)
class _Everybody:
    """routed: the companies that have routes of their own, None: too many to name."""

    routes: _Routes
    routed: frozenset[int] | None


class _Kept:
    """The last used of what is made once and used again, by key; for any thread."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._found: OrderedDict[Any, Any] = OrderedDict()

    def __len__(self) -> int:
        return len(self._found)

    def get(self, key: Any, make: Callable[[], Any]) -> Any:
        with self._lock:
            if key in self._found:
                self._found.move_to_end(key)
                return self._found[key]
        made = make()
        with self._lock:
            made = self._found.setdefault(key, made)
            self._found.move_to_end(key)
            while len(self._found) > self._most:
                self._found.popitem(last=False)
        return made


class Routes:
    """The stored routes as this process sees them. For any thread but an event loop's: a company that was not seen for
    a while is looked up in Redis and PostgreSQL.

    http: for the installation's providers, where they may be on this machine. guarded: for companies' own, which reach
    only what Egress lets them. own_breakers: of companies' own. invalidations: heard from the first question on.
    priced: who knows prices; None: nobody is asked.
    """

    def __init__(
        self, settings: Settings, db: Database, cache: TwoLevel, vault: Callable[[], Vault], loop: Loop, *,
        http: httpx.AsyncClient, guarded: httpx.AsyncClient, breakers: Breakers | SharedBreakers,
        own_breakers: Breakers | SharedBreakers, invalidations: Invalidations, priced: Priced | None = None,
        clock: Clock | None = None,
    ) -> None:  # fmt: skip
        self._settings, self._db, self._cache, self._vault, self._loop = settings, db, cache, vault, loop
        self._http, self._guarded = http, guarded
        self._breakers, self._own_breakers = breakers, own_breakers
        self.priced = priced
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._read = _Kept(ENTRIES)
        self._clients = _Kept(CLIENTS_MAX)
        self._invalidations: Invalidations | None = invalidations

    # -------------------------------------------------------------- what is asked

    def router(self, call: ModelCall, default: Router | None) -> Router | None:
        """Return who answers a call. default: what the environment names. None: there is no model for it.

        Raises DatabaseUnavailable where nothing is remembered and the database is away."""
        company_id, purpose = call.company_id, call.purpose
        routed = self._steps(company_id, purpose)
        cheaper = self._steps(company_id, "cheaper") if purpose == "answer" else ()
        steps = routed or (() if default is None else default.steps)
        if cheaper:
            steps = _with_cheaper(routed or steps[:1], cheaper)
        judged = tuple(self._judged(company_id, step) for step in steps)
        if not judged:
            return None
        if default is not None and judged == default.steps and purpose == "answer":
            return default
        return Router(judged, self._breakers, deadlines=deadlines.of(self._settings, purpose), clock=self._clock,
                      purpose=purpose)  # fmt: skip

    def reranker(self, company_id: int, default: Reranker | None) -> Reranker | Rerankers | None:
        """Return what reorders a company's passages."""
        named = [step for step in self.named(company_id, "rerank") if self._barred(company_id, step) is None]
        found = [one for one in map(self._reranker, named) if one is not None]
        return Rerankers(found) if found else default

    def named(self, company_id: int, purpose: Purpose) -> tuple[NamedStep, ...]:
        """Return the steps of the stored route that holds for a company; empty: the environment's variables do."""
        self._follow()
        everybody = self._everybody(company_id)
        if everybody.routed is None or company_id in everybody.routed:
            own = self._own(company_id)
            if purpose in own:
                return own[purpose]
        return everybody.routes.get(purpose, ())

    def usable(self, company_id: int) -> tuple[NamedStep, ...]:
        """Return every chat model that a company may use by its name: of its own providers first, then of the
        installation's. Those that the environment names are not among them."""
        self._follow()

        def make() -> bytes:
            with self._db.transaction(company_id) as conn:
                return orjson.dumps(_written(_by_name(providers.listed(conn, company_id))))

        body = self._cache.get_or_make(f"model_names:{company_id}", make, topic=topic(company_id))
        found: _Routes = self._read.get(body, lambda: _routes_of(orjson.loads(body)))
        return found.get("answer", ())

    def direct(self, call: ModelCall, wanted: NamedStep | Step) -> Router:
        """Return who answers a call by this model and no other."""
        found = self._step(wanted, "full") if isinstance(wanted, NamedStep) else wanted
        step = self._judged(call.company_id, found)
        return Router((step,), self._breakers, deadlines=deadlines.of(self._settings, call.purpose), clock=self._clock,
                      purpose=call.purpose)  # fmt: skip

    # -------------------------------------------------------------- what is stored

    def _follow(self) -> None:
        """Hear of changes from now on; most processes of the fleet never ask for a route."""
        if self._invalidations is None:
            return
        with self._lock:
            heard, self._invalidations = self._invalidations, None
        if heard is not None:
            self._cache.follow(heard, TOPIC)

    def _everybody(self, company_id: int) -> _Everybody:
        def make() -> bytes:
            with self._db.transaction(company_id) as conn:
                found, routed = store.steps(conn, None), store.routed_companies(conn)
            return orjson.dumps({
                "routes": _written(found), "routed": routed if len(routed) <= ROUTED_MAX else None
            })  # fmt: skip

        body = self._cache.get_or_make("model_routes:all", make, topic=EVERYBODY)
        found: _Everybody = self._read.get(body, lambda: _everybody_of(orjson.loads(body)))
        return found

    def _own(self, company_id: int) -> _Routes:
        def make() -> bytes:
            with self._db.transaction(company_id) as conn:
                return orjson.dumps(_written(store.steps(conn, company_id)))

        key = f"model_routes:{company_id}"
        body = self._cache.get_or_make(key, make, topic=topic(company_id))
        found: _Routes = self._read.get(body, lambda: _routes_of(orjson.loads(body)))
        return found

    # -------------------------------------------------------------- how it is asked

    def _steps(self, company_id: int, purpose: Purpose) -> tuple[Step, ...]:
        return tuple(
            self._step(named, "cheaper" if number or purpose == "cheaper" else "full")
            for number, named in enumerate(self.named(company_id, purpose))
        )

    def _step(self, named: NamedStep, step: Any) -> Step:
        provider, barred = self._client(named)
        own = named.owner_id is not None
        return Step(
            provider, step, named.max_tokens, named.barred or barred, named.paid,
            breakers=self._own_breakers if own else None, service=named.service, label=OWN if own else None,
        )  # fmt: skip

    def _client(self, named: NamedStep) -> tuple[Client, str | None]:
        """(what asks it, why it cannot be asked)"""
        key = ("chat", named.provider_id, named.provider, named.base_url, named.sealed, named.model)
        made: tuple[Client, str | None] = self._clients.get(key, lambda: self._provider(named))
        return made

    def _provider(self, named: NamedStep) -> tuple[Client, str | None]:
        api_key, barred = self._api_key(named)
        provider = Client(
            self._http_of(named), name=named.provider, base_url=named.base_url, api_key=api_key, model=named.model,
            max_tokens=self._settings.llm.max_tokens, clock=self._clock,
        )  # fmt: skip
        return provider, barred

    def _reranker(self, named: NamedStep) -> Reranker | None:
        def make() -> Reranker | None:
            api_key, barred = self._api_key(named)
            if barred is not None:
                return None
            return Reranker(
                self._http_of(named), self._loop, base_url=named.base_url, api_key=api_key, model=named.model,
                breakers=self._breakers if named.owner_id is None else self._own_breakers, clock=self._clock,
                service=f"rerank:{named.service}", provider=named.provider, paid=named.paid,
            )  # fmt: skip

        key = ("rerank", named.provider_id, named.provider, named.base_url, named.sealed, named.model)
        found: Reranker | None = self._clients.get(key, make)
        return found

    def _http_of(self, named: NamedStep) -> httpx.AsyncClient:
        return self._http if named.owner_id is None else self._guarded

    def _api_key(self, named: NamedStep) -> tuple[str, str | None]:
        if named.sealed is None:
            return "", None
        try:
            return self._vault().open_credentials(base64.b64decode(named.sealed)).get("api_key", ""), None
        except SettingsError:
            log.error("model_provider_key_unreadable", provider=named.provider, company_id=named.owner_id)
            return "", "key_unreadable"

    # -------------------------------------------------------------- what it costs

    def _judged(self, company_id: int, step: Step) -> Step:
        if step.barred is not None or not self._is_unpriced(company_id, step.paid, step.provider.name,
                                                            step.provider.model):  # fmt: skip
            return step
        return replace(step, barred="price_unknown")

    def _barred(self, company_id: int, named: NamedStep) -> str | None:
        unpriced = self._is_unpriced(company_id, named.paid, named.provider, named.model)
        return named.barred or ("price_unknown" if unpriced else None)

    def _is_unpriced(self, company_id: int, paid: bool, provider: str, model: str) -> bool:
        """Whether it may cost money and nobody knows how much."""
        return paid and self.priced is not None and self.priced.price_of(company_id, provider, model) is None


def _with_cheaper(full: Sequence[Step], cheaper: Sequence[Step]) -> tuple[Step, ...]:
    """A route for answers whose cheaper steps have a route of their own."""
    asked = [(step.service or step.provider.name, step.provider.model) for step in full]
    others = [step for step in cheaper if (step.service or step.provider.name, step.provider.model) not in asked]
    return (*(replace(step, step="full") for step in full), *others)


def _by_name(found: Sequence[Provider]) -> list[RouteStep]:
    """Chat models as steps, a company's own first."""
    rows = [(one, model) for one in found for model in one.models if model.kind == "chat"]
    rows.sort(key=lambda row: row[0].company_id is None)
    return [
        RouteStep(
            one.company_id, "answer", number, one.id, one.name, one.company_id, one.base_url, one.sealed, one.paid,
            one.state, model.name, model.kind, None, one.updated_at or datetime.now(UTC),
        )
        for number, (one, model) in enumerate(rows)
    ]  # fmt: skip


def _written(steps: Sequence[RouteStep]) -> dict[str, list[list[Any]]]:
    found: dict[str, list[list[Any]]] = {}
    for step in steps:
        sealed = None if step.sealed is None else base64.b64encode(step.sealed).decode()
        found.setdefault(step.purpose, []).append([
            step.provider_id, step.provider, step.owner_id, step.base_url, sealed, step.paid, step.model,
            step.max_tokens, why_barred(step),
        ])  # fmt: skip
    return found


def _routes_of(stored: Mapping[str, Sequence[Sequence[Any]]]) -> _Routes:
    return {purpose: tuple(NamedStep(*step) for step in steps) for purpose, steps in stored.items()}


def _everybody_of(stored: Mapping[str, Any]) -> _Everybody:
    routed = stored["routed"]
    return _Everybody(_routes_of(stored["routes"]), None if routed is None else frozenset(routed))

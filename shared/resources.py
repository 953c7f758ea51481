"""What a process holds open, built in one place and closed in one order."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import httpx
import redis

from shared import channels as platforms_registry
from shared.cache.invalidation import Invalidations
from shared.cache.two_level import TwoLevel
from shared.channels.base import Platform
from shared.clock import Clock, SystemClock
from shared.knowledge import asking, embed, embedding_models, remembered
from shared.knowledge.asking import Question
from shared.knowledge.conversation import Said
from shared.knowledge.embed import Embedder
from shared.knowledge.embedding_models import EmbeddingModels, Understood
from shared.knowledge.gathered import GatheredEmbedder
from shared.knowledge.remembered import RememberingEmbedder, Results
from shared.knowledge.reranked import Reranker as Scorer
from shared.knowledge.search import questions_of
from shared.live.publisher import Publisher
from shared.llm import known_prices, rerank
from shared.llm import router as llm_router
from shared.llm import routes as llm_routes
from shared.llm.api import is_neutral
from shared.llm.call import ModelCall
from shared.llm.known_prices import KnownPrices
from shared.llm.routes import Routes
from shared.model import Passage
from shared.resilience import transport
from shared.resilience.egress import Egress
from shared.resilience.lease_records import LeaseRecords
from shared.resilience.limiter import Limiter
from shared.resilience.load_shedding import LoadShedding
from shared.resilience.loop import Loop
from shared.resilience.outside import Outside
from shared.resilience.refusals import Refusals
from shared.resilience.shared_breaker import ANSWER_WITHIN_S, SharedBreakers
from shared.settings import Settings
from shared.store.db import objects
from shared.store.db.objects import Objects
from shared.store.db.pool import Database
from shared.store.db.redis import connect, connect_async
from shared.store.db.vault import Vault
from shared.store.inbound.journal import Reader
from shared.store.knowledge.embedding_models import EmbeddingModel
from shared.store.tenants.limit_table import LimitTable

PLATFORM_CONNECTIONS = 100
KEEPALIVE_S = 5.0
"""Shorter than the servers' own: a request on a connection that the other side just closed has no known outcome."""
PROBE_MARGIN_S = 5.0
"""A breaker's trial call holds its place for the call's deadline and so much more."""


@dataclass(slots=True)
class Resources:
    """Everything a worker process works with. Build it with `open_resources`, never before a fork."""

    settings: Settings
    clock: Clock
    rng: random.Random
    db: Database
    journal: Reader
    cache: redis.Redis
    limiter: Limiter
    loop: Loop
    http: httpx.AsyncClient
    egress: Egress
    egress_ours: Egress
    egress_models: Egress
    objects: Objects
    llm_http: httpx.AsyncClient
    breakers: SharedBreakers
    own_breakers: SharedBreakers
    outside: Outside
    routes: Routes
    prices: KnownPrices
    router: llm_router.Router | None
    embedder: Embedder
    other_embedders: list[Embedder]
    embedding_models: EmbeddingModels
    reranker: rerank.Reranker | None
    platforms: dict[str, Platform]
    live: Publisher
    invalidations: Invalidations
    rate_limits: LimitTable
    refusals: Refusals
    vectors: TwoLevel
    results: Results
    load_shedding: LoadShedding
    lease_records: LeaseRecords = field(default_factory=LeaseRecords)
    stopping: threading.Event = field(default_factory=threading.Event)
    """Set once the process was asked to end: nothing waits for longer than its deadline from then on."""
    _vault: Vault | None = field(default=None)
    _closed: bool = field(default=False)

    @property
    def vault(self) -> Vault:
        """Raises SettingsError in a process that holds no ENCRYPTION_KEYS."""
        return self._vault or Vault(())

    def router_for(self, call: ModelCall) -> llm_router.Router | None:
        """Return who answers a call of a chat model: by the company's route, the installation's or the environment's.
        None: there is no model for it. Not from the event loop. Raises DatabaseUnavailable."""
        return self.routes.router(call, self.router)

    def reranker_for(self, company_id: int) -> Scorer | None:
        """Return what reorders a company's passages. Not from the event loop. Raises DatabaseUnavailable."""
        return self.routes.reranker(company_id, self.reranker)

    @property
    def embedders(self) -> dict[str, Embedder]:
        """By the name of their model, for what is indexed."""
        return {each.model: each for each in (*self.other_embedders, self.embedder)}

    def understand(
        self,
        questions: Sequence[str],
        *,
        before: Sequence[Said] = (),
        deadline_s: float | None = None,
        renew: bool = False,
        known: Sequence[EmbeddingModel] | None = None,
    ) -> Understood:
        """Embed questions with the active embedding model, or with another one if its embedder is away.

        Vectors are cached, because the same questions come again; renew: embed them all the same. known: the models, if
        the caller has just looked. Raises nothing for an embedder that is away. Call outside a transaction.
        """
        remembering = {
            model: RememberingEmbedder(each, self.vectors, renew=renew) for model, each in self.embedders.items()
        }
        within_s = self.settings.embeddings.deadline_s if deadline_s is None else deadline_s
        if known is None:
            known = self.embedding_models.every()
        return embedding_models.understood(
            known, remembering, questions, clock=self.clock, deadline_s=within_s, before=before
        )

    def ask(
        self,
        question: Question,
        understand: Callable[[Sequence[EmbeddingModel]], Understood] | None = None,
        known: Sequence[EmbeddingModel] | None = None,
    ) -> tuple[Understood, list[Passage]]:
        """`asking.ask` with what this process has. understand: instead of the usual way; gets the embedding models.
        known: these, if the caller has just looked."""
        if known is None:
            known = self.embedding_models.every()
        if understand is None:
            return asking.ask(
                self.db, question, self.results, embedding_models.active(known, self.embedders),
                lambda: self.understand(questions_of(question.lines), before=question.before, known=known),
            )  # fmt: skip
        return asking.ask(
            self.db, question, self.results, embedding_models.active(known, self.embedders), lambda: understand(known)
        )

    def close(self) -> None:
        """Close in the order in which things depend on each other. Twice is once."""
        if self._closed:
            return
        self._closed = True
        try:
            self.loop.run(self._close_clients(), timeout_s=2)
        except TimeoutError:
            pass  # sockets go with the process
        self.loop.stop()
        self.db.close()
        self.live.close()
        self.invalidations.close()
        self.refusals.close()
        self.cache.close()
        self.lease_records.close()

    async def _close_clients(self) -> None:
        await self.http.aclose()
        await self.egress.aclose()
        await self.egress_ours.aclose()
        await self.egress_models.aclose()
        await self.llm_http.aclose()
        await self.breakers.aclose()
        await self.own_breakers.aclose()
        await self.outside.aclose()


def _http(connections: int, within_s: float, *, connect_s: float) -> httpx.AsyncClient:
    """Return a client that keeps all of its connections. within_s: for each read or write."""
    return httpx.AsyncClient(
        verify=transport.tls(),
        mounts=transport.mounts(connections, KEEPALIVE_S),
        limits=httpx.Limits(
            max_connections=connections, max_keepalive_connections=connections, keepalive_expiry=KEEPALIVE_S
        ),
        timeout=httpx.Timeout(within_s, connect=connect_s, pool=2.0),
        cookies=transport.no_cookies(),
    )


def open_resources(settings: Settings, *, name: str, clock: Clock | None = None) -> Resources:
    """Open a worker's resources and check the database role. Raises SettingsError, DatabaseUnavailable."""
    clock = clock or SystemClock()
    stopping = threading.Event()
    db = Database(
        settings.need("DATABASE_URL"),
        max_size=settings.database.pool_max,
        timeout_s=settings.database.pool_timeout_s,
        connect_timeout_s=settings.database.connect_timeout_s,
        name=f"switchboard {name}",
    )
    db.open()
    db.check()
    cache = connect(settings.need("CACHE_URL"), socket_timeout_s=1.0)
    loop = Loop()
    loop.start()
    llm_http = _http(settings.llm.connections, settings.llm.call_deadline_s, connect_s=5.0)
    invalidations = Invalidations(cache)
    egress_models = Egress(
        settings.egress.openings, transport=transport.AiohttpTransport(settings.llm.connections, KEEPALIVE_S)
    )
    breakers, own_breakers = (_model_breakers(settings, clock, kind) for kind in (None, "company_model"))
    vault = Vault(settings.system.fernet_keys) if settings.system.fernet_keys else None
    prices = KnownPrices(
        db, TwoLevel(cache, clock, ttl_s=known_prices.TTL_S, entries=known_prices.ENTRIES), invalidations
    )
    routes = Routes(
        settings, db, TwoLevel(cache, clock, ttl_s=llm_routes.TTL_S, entries=llm_routes.ENTRIES),
        lambda: vault or Vault(()), loop, http=llm_http, guarded=egress_models.client("model"), breakers=breakers,
        own_breakers=own_breakers, invalidations=invalidations, priced=prices, clock=clock,
    )  # fmt: skip
    return Resources(
        settings=settings,
        clock=clock,
        rng=random.Random(),
        db=db,
        journal=Reader(connect(settings.need("JOURNAL_URL")), settings.journal.shards),
        cache=cache,
        limiter=Limiter(cache, clock),
        _vault=vault,
        loop=loop,
        http=_http(PLATFORM_CONNECTIONS, settings.delivery.send_deadline_s, connect_s=3.0),
        egress=Egress(settings.egress.openings),
        # for files of the platforms' APIs, which the settings name: bounded, and judged where they lead elsewhere
        egress_ours=Egress(settings.egress.openings, trusted=settings.channels.api_urls),
        egress_models=egress_models,
        objects=objects.from_settings(settings, stopping),
        llm_http=llm_http,
        breakers=breakers,
        own_breakers=own_breakers,
        routes=routes,
        prices=prices,
        outside=Outside(
            connect_async(settings.need("CACHE_URL"), socket_timeout_s=ANSWER_WITHIN_S),
            clock,
            send_deadline_s=settings.delivery.send_deadline_s,
            fetch_deadline_s=settings.media.deadline_s,
        ),
        router=llm_router.from_settings(settings, llm_http, breakers),
        embedder=_gathered(embed.from_settings(settings, llm_http, loop, breakers)),
        other_embedders=[_gathered(each) for each in embed.others_from_settings(settings, llm_http, loop, breakers)],
        embedding_models=EmbeddingModels(db, clock),
        reranker=rerank.from_settings(settings, llm_http, loop, breakers),
        platforms=platforms_registry.build(settings.channels, clock),
        live=Publisher(cache, clock),
        invalidations=invalidations,
        rate_limits=LimitTable(db, clock, invalidations),
        refusals=Refusals(cache, clock),
        vectors=TwoLevel(cache, clock, ttl_s=remembered.VECTORS_TTL_S, entries=remembered.VECTORS_ENTRIES),
        results=Results(TwoLevel(cache, clock, ttl_s=remembered.RESULTS_TTL_S, entries=remembered.RESULTS_ENTRIES)),
        load_shedding=LoadShedding(settings.processes.reply_threads, clock),
        stopping=stopping,
    )


def _model_breakers(settings: Settings, clock: Clock, kind: str | None) -> SharedBreakers:
    """kind: what metrics count them under; None: each under its own name."""
    return SharedBreakers(
        connect_async(settings.need("CACHE_URL"), socket_timeout_s=ANSWER_WITHIN_S),
        probe_ttl_s=settings.llm.call_deadline_s + PROBE_MARGIN_S,
        clock=clock,
        neutral=is_neutral,
        kind=kind,
    )


def _gathered(embedder: Embedder) -> Embedder:
    """What is computed here is gathered; an API is asked by each question for itself."""
    return GatheredEmbedder(embedder) if isinstance(embedder, embed.LOCAL) else embedder

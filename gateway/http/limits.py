"""Rate limits of whoever asks this gateway; counted in Redis for all of them, by each alone while it is away."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from starlette.requests import Request

from shared.cache.invalidation import Invalidations
from shared.clock import Clock
from shared.model import Rate
from shared.resilience.addresses import UNKNOWN as UNKNOWN
from shared.resilience.addresses import normal_address as normal_address
from shared.resilience.limiter import Held, Limiter
from shared.resilience.limits import AtOnce, Decision, Limit
from shared.resilience.refusals import Asker, Refusals
from shared.settings import PerMinute, Settings
from shared.store.tenants.limit_table import LimitTable
from shared.store.tenants.rate_limits import TOPIC, Purpose

THREADS = 2
REFUSED_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Ask:
    """Somebody who asks for something. company_id: whose limits hold. who: a contact's, agent's or key's id, or an
    address, which counts for all companies together. rate: what a setting says; None: what the table says. of: what is
    asked for, where a purpose has a count for each."""

    purpose: str
    asker: Asker
    company_id: int
    who: str
    rate: Rate | None = None
    of: str = ""

    def limits(self, table: LimitTable) -> tuple[Limit, ...]:
        """May ask the database."""
        if self.rate is not None:
            return (self.rate,)
        purpose: Purpose = self.purpose  # type: ignore[assignment]  # whoever gives no rate names one of the table
        whose = self.of if purpose in ("address", "address_signed_in") else str(self.company_id)
        return table.of(self.company_id, purpose).limits(f"{purpose}:{whose}:{self.who}")


def sessions_of(settings: Settings, company_id: int, address: str) -> tuple[Ask, ...]:
    return (
        _ask("widget_sessions", "stranger", company_id, address, settings.widget.sessions_limit),
        Ask("address", "stranger", company_id, address, of="conversations"),
    )


def messages_of(settings: Settings, company_id: int, channel: str, visitor: str, address: str) -> tuple[Ask, ...]:
    """An address is a whole office at times; a visitor is one person who types."""
    return (
        _ask("widget_messages", "contact", company_id, f"{channel}:{visitor}", settings.widget.messages_limit),
        _ask("widget_messages_from", "stranger", company_id, address, settings.widget.messages_address_limit),
        Ask("address", "stranger", company_id, address, of="messages"),
    )


def reads_of(settings: Settings, company_id: int, channel: str, visitor: str, address: str) -> tuple[Ask, ...]:
    return (
        _ask("widget_reads", "contact", company_id, f"{channel}:{visitor}", settings.widget.reads_limit),
        _ask("widget_reads_from", "stranger", company_id, address, settings.widget.reads_address_limit),
    )


def _ask(purpose: str, asker: Asker, company_id: int, who: str, limit: PerMinute) -> Ask:
    return Ask(purpose, asker, company_id, who, Rate(f"{purpose}:{who}", limit.count, 60.0, burst=limit.burst))


@dataclass(frozen=True, slots=True)
class _Refusal:
    """until_s: when asking again is worth it. changes: how often the limits had changed."""

    until_s: float
    changes: int
    decision: Decision
    spent: tuple[Ask, ...]


class Limits:
    """The fleet's limiter for an event loop: it asks Redis synchronously, so it works beside the loop. Who is not known
    yet is counted on a thread of its own, and who was told to wait is not asked about again until then."""

    def __init__(
        self, limiter: Limiter, clock: Clock, table: LimitTable, refusals: Refusals, invalidations: Invalidations
    ) -> None:
        self._limiter, self._clock, self._table, self._refusals = limiter, clock, table, refusals
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="limits")
        self._strangers = ThreadPoolExecutor(1, thread_name_prefix="limits of strangers")
        self._refused: OrderedDict[tuple[Ask, ...], _Refusal] = OrderedDict()
        self._changes = 0
        invalidations.on(TOPIC, self._changed)

    async def decide(self, asks: tuple[Ask, ...], *, known: bool = True) -> Decision:
        """Take one of every limit of these, or nothing."""
        refusal = self._refused.get(asks)
        if refusal is not None and refusal.changes == self._changes:
            left_s = refusal.until_s - self._clock.monotonic_s()
            if left_s > 0:
                self._count(refusal.spent, again=True)
                return _sooner(refusal.decision, left_s)
        threads, changes = self._threads if known else self._strangers, self._changes
        decision, spent = await asyncio.get_running_loop().run_in_executor(threads, self._decide, asks)
        if not decision.allowed:
            until_s = self._clock.monotonic_s() + decision.wait_s
            self._refused[asks] = _Refusal(until_s, changes, decision, spent)
            self._refused.move_to_end(asks)
            if len(self._refused) > REFUSED_MAX:
                self._refused.popitem(last=False)
        elif refusal is not None:
            self._refused.pop(asks, None)
        return decision

    async def hold(self, asks: tuple[Ask, ...]) -> Held:
        """The same with places, to be given back by `free` when the work is done, however it ends."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._hold, asks)

    async def free(self, held: Held) -> None:
        if held.places:
            await asyncio.get_running_loop().run_in_executor(self._threads, held.free)

    def close(self) -> None:
        for threads in (self._threads, self._strangers):
            threads.shutdown(wait=False, cancel_futures=True)

    def _changed(self, topic: str | None) -> None:
        """What was refused may be allowed now."""
        self._changes += 1

    def _decide(self, asks: tuple[Ask, ...]) -> tuple[Decision, tuple[Ask, ...]]:
        """The decision, and whose limits are used up."""
        limits = [limit for ask in asks for limit in ask.limits(self._table)]
        decision = self._limiter.decide([limit for limit in limits if not isinstance(limit, AtOnce)])
        return decision, self._told(asks, decision)

    def _hold(self, asks: tuple[Ask, ...]) -> Held:
        held = self._limiter.hold([limit for ask in asks for limit in ask.limits(self._table)])
        self._told(asks, held.decision)
        return held

    def _told(self, asks: tuple[Ask, ...], decision: Decision) -> tuple[Ask, ...]:
        if decision.allowed:
            for ask in asks:
                self._refusals.allowed(ask.purpose, ask.asker)
            return ()
        used_up = {one.limit.key for one in decision.standings if one.remaining == 0}
        spent = tuple(ask for ask in asks if any(limit.key in used_up for limit in ask.limits(self._table)))
        self._count(spent, again=False)
        return spent

    def _count(self, spent: tuple[Ask, ...], *, again: bool) -> None:
        for ask in spent:
            self._refusals.refused(ask.purpose, ask.asker, ask.company_id, ask.who, again=again)


def _sooner(decision: Decision, left_s: float) -> Decision:
    """The same a while later."""
    passed_s = decision.wait_s - left_s
    standings = tuple(replace(one, more_s=max(0.0, one.more_s - passed_s)) for one in decision.standings)
    return Decision(left_s, standings)


def address_of(request: Request, forwarded_hops: int) -> str:
    """Return the address that a request comes from. forwarded_hops: the number of our proxies before the gateway; each
    appends the address it saw to X-Forwarded-For, and what stands left of these anybody may have written."""
    return address_in(request.scope, forwarded_hops)


def address_in(scope: Any, forwarded_hops: int) -> str:
    """The same of an ASGI scope."""
    client = scope.get("client")
    said = client[0] if client else ""
    if forwarded_hops:
        seen = list(_forwarded(scope["headers"]))
        said = seen[-forwarded_hops] if len(seen) >= forwarded_hops else said
    return normal_address(said)


def _forwarded(headers: Iterable[tuple[bytes, bytes]]) -> Iterable[str]:
    """Every address of X-Forwarded-For: a proxy may add a line of its own instead of appending to the one there is."""
    for name, value in headers:
        if name == b"x-forwarded-for":
            yield from (part.strip() for part in value.decode("latin-1").split(",") if part.strip())

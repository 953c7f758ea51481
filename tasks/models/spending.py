"""Spending on models: what a request may cost is reserved before it is made, and settled with what it did cost.

For turns the settling stands in the transaction that stores the answer (tasks/answers); everything else goes through
`spent`, one context for one request.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol

import structlog

from shared import faults
from shared.clock import Clock
from shared.errors import DatabaseUnavailable, Permanent
from shared.llm import estimates, made_calls
from shared.llm.call import ModelCall
from shared.llm.router import Router, Step
from shared.model import ModelAttempt
from shared.money import Price
from shared.resilience.lease_records import ASKED, RESERVED, LeaseRecord, LeaseRecords
from shared.settings import Settings
from shared.store.db.pool import Database
from shared.store.models import budgets, usage
from shared.store.models.budgets import OverBudget, Reservation
from tasks.models import metrics

log = structlog.get_logger(__name__)

SETTLED_WITHIN_S = 60.0
"""Beyond the request's own deadline: who has not settled by then died, and is charged."""
OVER_BUDGET = ("budget_contact", "budget_company")
"""Why a step was not asked, and why a turn got passages instead."""
EXCEEDED = "Monthly cost limit exceeded"


class Priced(Protocol):
    """Knows what models cost."""

    def price_of(self, company_id: int, provider: str, model: str) -> Price | None: ...


class SpendingResources(Protocol):
    """What spending needs of what a process holds open."""

    @property
    def clock(self) -> Clock: ...

    @property
    def db(self) -> Database: ...

    @property
    def lease_records(self) -> LeaseRecords: ...

    @property
    def prices(self) -> Priced: ...

    @property
    def settings(self) -> Settings: ...


class CostLimitExceeded(Permanent):
    """A budget has no room for a request. reason: budget_contact or budget_company. retry_after_s: until it has, None:
    never, as it stands."""

    def __init__(self, over: OverBudget, now: datetime) -> None:
        super().__init__(f"budget_{over.scope}", f"{EXCEEDED}: {detail(over)}")
        self.over = over
        frees = over.frees_at
        self.retry_after_s = None if frees is None else max(1.0, (frees - now).total_seconds())


def detail(over: OverBudget) -> str:
    """A sentence with scope, limit, what is used and when it frees."""
    frees = "it does not fit at all" if over.frees_at is None else f"room again at {over.frees_at:%Y-%m-%d %H:%M} UTC"
    return (
        f"this {over.scope} may cost {over.limit_micros / 1_000_000:g} in 30 days, "
        f"{over.used_micros / 1_000_000:g} of it are used; {frees}"
    )


# ------------------------------------------------------------------ reserving
def reserve(r: SpendingResources, call: ModelCall, micros: int, *, within_s: float) -> Reservation | OverBudget:
    """Reserve for a request that ends within_s. Not in a transaction. Raises DatabaseUnavailable."""
    with r.db.connection() as conn:
        found = budgets.reserve(
            conn, call.company_id, call.contact_id, micros, within_s + SETTLED_WITHIN_S, purpose=call.purpose,
            contact_limit_micros=r.settings.llm.contact_budget_micros,
        )  # fmt: skip
    if isinstance(found, OverBudget):
        metrics.BUDGET_REQUESTS.inc(found.scope)
        return found
    r.lease_records.note([_record(found, RESERVED)])
    metrics.BUDGET_REQUESTS.inc("reserved")
    return found


def asking(r: SpendingResources, reservation: Reservation) -> None:
    """A model is asked from now on, so that the reservation is charged if this process dies."""
    r.lease_records.note([_record(reservation, ASKED)])
    r.lease_records.forget(_record(reservation, RESERVED))


def ended(r: SpendingResources, reservation: Reservation) -> None:
    """This process has nothing more to do with a reservation: it is settled, or left to be charged."""
    for state in (RESERVED, ASKED):
        r.lease_records.forget(_record(reservation, state))


def _record(reservation: Reservation, state: int) -> LeaseRecord:
    return LeaseRecord("budget", reservation.company_id, reservation.id, state)


# ------------------------------------------------------------------ routes
@dataclass(frozen=True, slots=True)
class Cleared:
    """A route with the steps barred for which there is no room, and what is reserved for the others; None: they are
    free. tokens_in: what the prompt has at most. over: what stands against the barred ones."""

    router: Router
    reservation: Reservation | None
    tokens_in: int
    over: OverBudget | None = None


def clear(
    r: SpendingResources, call: ModelCall, router: Router, messages: Sequence[Mapping[str, Any]], *, within_s: float,
    cheaper: bool = False,
) -> Cleared:  # fmt: skip
    """Reserve for the dearest step of a route that there is room for. cheaper: its cheaper steps alone are asked.

    Raises CostLimitExceeded if there is room for no step and none is free, DatabaseUnavailable.
    """
    tokens_in = estimates.tokens_at_most(dict(message) for message in messages)
    costs = {
        number: _cost_at_most(r, call, step, tokens_in)
        for number, step in enumerate(router.steps)
        if step.barred is None and (step.step == "cheaper" or not cheaper)
    }
    barred: dict[int, str] = {}
    over: OverBudget | None = None
    while True:
        micros = max((cost for number, cost in costs.items() if number not in barred), default=0)
        if not micros:
            if over is not None and len(barred) == len(costs):
                raise CostLimitExceeded(over, r.clock.now())
            return Cleared(router.barring(barred), None, tokens_in, over)
        found = reserve(r, call, micros, within_s=within_s)
        if isinstance(found, Reservation):
            faults.reach("spending.reserved")
            return Cleared(router.barring(barred), found, tokens_in, over)
        over = found
        word = f"budget_{over.scope}"
        barred |= {number: word for number, cost in costs.items() if cost >= micros or cost > over.left_micros}


def _cost_at_most(r: SpendingResources, call: ModelCall, step: Step, tokens_in: int) -> int:
    """0 for what has no price: a step that may cost money is barred without one."""
    price = r.prices.price_of(call.company_id, step.provider.name, step.provider.model)
    if price is None:
        return 0
    return estimates.cost_at_most(price, tokens_in, step.max_tokens or step.provider.max_tokens)


# ------------------------------------------------------------------ settling
def presume(calls: list[ModelAttempt], tokens_in: int) -> None:
    """A call that was cancelled before it said what it used has read the prompt: providers bill that."""
    for number, one in enumerate(calls):
        if one.outcome == "cancelled" and not one.tokens_in:
            calls[number] = replace(one, tokens_in=tokens_in, estimated=True)


def settle(
    r: SpendingResources, call: ModelCall, reservation: Reservation | None, calls: Sequence[ModelAttempt], *,
    epoch: int = 0,
) -> int | None:  # fmt: skip
    """Write calls to the ledger and settle what was reserved for them, in a transaction of their own. Returns what they
    cost as usage.add() does. Raises DatabaseUnavailable; the reservation is then charged when it expires."""
    with r.db.connection() as conn:
        cost_micros = usage.settle(
            conn, call.company_id, calls, contact_id=call.contact_id, turn_id=call.turn_id, epoch=epoch,
            reservation_id=None if reservation is None else reservation.id,
        )  # fmt: skip
    if reservation is not None:
        ended(r, reservation)
    return cost_micros


@contextmanager
def spent(r: SpendingResources, call: ModelCall, micros: int, *, within_s: float) -> Iterator[list[ModelAttempt]]:
    """One request outside of a turn's answer: reserved for before, and settled after with the calls that are noted
    meanwhile (shared/llm/made_calls.py) or added to the list. micros: what it may cost at most; 0: nothing is reserved.

    Raises CostLimitExceeded, with nothing reserved. If the database is away at the end, the request is charged when
    its reservation expires.
    """
    reservation: Reservation | None = None
    if micros:
        found = reserve(r, call, micros, within_s=within_s)
        if isinstance(found, OverBudget):
            raise CostLimitExceeded(found, r.clock.now())
        reservation = found
        asking(r, reservation)
    with made_calls.collected() as calls:
        try:
            yield calls
        finally:
            _settle_or_leave(r, call, reservation, calls)


def _settle_or_leave(
    r: SpendingResources, call: ModelCall, reservation: Reservation | None, calls: Sequence[ModelAttempt]
) -> None:
    if reservation is None and not calls:
        return
    try:
        settle(r, call, reservation, calls)
    except DatabaseUnavailable:
        log.warning("spending_not_settled", company_id=call.company_id, purpose=call.purpose)
        if reservation is not None:
            ended(r, reservation)  # it expires and is charged

"""Checks of the models that stored routes ask: each answers a real call, has a price where it may cost something, and
can be asked at all."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg

from shared.errors import SettingsError
from shared.llm.call import why_barred
from shared.store.db.pool import describe
from shared.store.db.vault import Vault
from shared.store.models import prices, providers, routes
from shared.store.models.providers import Model, Provider
from shared.store.models.routes import RouteStep
from tasks.models.providers import try_out
from workers.doctor.context import DoctorContext, Finding, fail, ok, warn
from workers.doctor.servers import MODEL_REFUSALS

CALLS_MAX = 20
"""Real calls of one run: each may cost something, and takes its time where nobody answers."""
BARRED = {
    "disabled": ("its provider is disabled", "model-provider change NAME --enable, or change the route"),
    "not_listed": ("its provider no longer lists it for this", "model-provider change NAME --add-model, or the route"),
}


def routed(visit: DoctorContext) -> Iterator[Finding]:
    """Check every step of every stored route."""
    conn = visit.database("owner")
    try:
        steps = routes.every(conn)
        known = {one.id: one for one in providers.every(conn)}
    except psycopg.Error as e:
        yield warn("model routes", f"could not be read: {describe(e)}", "./switchboard migrate")
        return
    asked: dict[tuple[int, str], RouteStep] = {}
    for step in steps:
        if (barred := why_barred(step)) is not None:
            found, do = BARRED[barred]
            yield warn("model routes", f"{_route(step)}: {step.provider}/{step.model} is passed over: {found}", do)
        else:
            asked.setdefault((step.provider_id, step.model), step)
    for step in asked.values():
        yield from _unpriced(conn, step)
    if len(asked) > CALLS_MAX:
        yield ok("model routes", f"{len(asked)} models are routed; the first {CALLS_MAX} are tried")
    for step in list(asked.values())[:CALLS_MAX]:
        yield _tried(visit, known[step.provider_id], step)


def _route(step: RouteStep) -> str:
    whose = "the installation's route" if step.company_id is None else f"company {step.company_id}'s route"
    return f"{whose} for {step.purpose}"


def _unpriced(conn: psycopg.Connection, step: RouteStep) -> Iterator[Finding]:
    if step.paid and prices.price_of(conn, step.company_id or 0, step.provider, step.model) is None:
        yield fail(
            "model routes", f"{step.provider}/{step.model} may cost money and has no price: it is not asked",
            f"./switchboard price set {step.model} IN OUT, or model-provider change {step.provider} --free",
        )  # fmt: skip


def _tried(visit: DoctorContext, provider: Provider, step: RouteStep) -> Finding:
    about = f"{provider.name}, {step.model}"
    assert step.kind is not None
    try:
        vault = Vault(visit.config.system.fernet_keys)
        trial = try_out(visit.config, vault, provider, Model(step.model, step.kind))
    except SettingsError:
        do = f"put its key back into ENCRYPTION_KEYS, or model-provider change {provider.name} --key-file FILE"
        return fail("model routes", f"{about}: its key cannot be opened", do)
    if trial.ok:
        return ok("model routes", f"{about} answers in {trial.ms} ms")
    why = MODEL_REFUSALS.get(trial.outcome, f"does not answer ({trial.outcome})")
    return fail("model routes", f"{about}: {why}", f"model-provider test {provider.name}; model-provider change")

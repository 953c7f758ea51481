"""Which models a company's program may name: purposes of its routes, and models of providers that it may use."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.openai.mistakes import no_such_model
from gateway.openai.opened import Opened
from shared.llm.call import KIND_OF, ModelCall
from shared.llm.router import Router
from shared.model import Purpose

PREFIX = "switchboard/"
PURPOSES: tuple[Purpose, ...] = tuple(purpose for purpose, kind in KIND_OF.items() if kind == "chat")
OWNER = "switchboard"


@dataclass(frozen=True, slots=True)
class Listed:
    """A model as /v1/models shows it."""

    id: str
    owned_by: str


def chat_router(opened: Opened, company_id: int, name: str) -> tuple[ModelCall, Router]:
    """Return who answers, and as what it is booked: a model that is named itself as an answer. May ask the database.
    Raises Mistake(404)."""
    purpose = next((one for one in PURPOSES if one == name.removeprefix(PREFIX)), None)
    call = ModelCall(company_id, None, purpose or "answer")
    if purpose is not None:
        found = opened.routes.router(call, opened.default)
        if found is None:
            raise no_such_model(name)
        return call, found
    for named in opened.routes.usable(company_id):
        if name in (named.model, f"{named.provider}/{named.model}"):
            return call, opened.routes.direct(call, named)
    for step in opened.default.steps if opened.default is not None else ():
        if name in (step.provider.model, f"{step.provider.name}/{step.provider.model}"):
            return call, opened.routes.direct(call, step)
    raise no_such_model(name)


def chat_models(opened: Opened, company_id: int) -> list[Listed]:
    """May ask the database."""
    default = () if opened.default is None else opened.default.steps
    found = [
        Listed(purpose, OWNER) for purpose in PURPOSES if default or opened.routes.named(company_id, purpose)
    ]  # fmt: skip
    found += [
        Listed(f"{one.provider}/{one.model}", one.provider)
        for one in opened.routes.usable(company_id) if one.barred is None
    ]  # fmt: skip
    found += [Listed(f"{one.provider.name}/{one.provider.model}", one.provider.name) for one in default]
    return found

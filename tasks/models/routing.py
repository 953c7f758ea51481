"""Setting and showing routes: which models are asked for a purpose, and where each step of it comes from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal, get_args

from shared.errors import NothingDone, Permanent
from shared.llm.call import KIND_OF, why_barred
from shared.llm.money import is_paid
from shared.model import Purpose
from shared.settings import Settings
from shared.store.db.pool import Conn
from shared.store.models import providers, routes
from shared.store.models.prices import price_of
from shared.store.models.providers import Kind
from shared.store.models.routes import STEPS_MAX, NewStep, RouteStep

Origin = Literal["company", "installation", "environment", "none"]
TOKENS_MAX = 200_000
PURPOSES: tuple[Purpose, ...] = get_args(Purpose)
ROUTABLE: tuple[Purpose, ...] = tuple(purpose for purpose in PURPOSES if purpose != "embedding")
NO_EMBEDDING = (
    "embedding has no route: vectors of two models are never compared, so the model is changed by `embedding-models"
    " create` and `embedding-models switch`"
)


@dataclass(frozen=True, slots=True)
class StepWanted:
    """A step by the names that people use. max_tokens: of an answer, None: LLM_MAX_TOKENS."""

    provider: str
    model: str
    max_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class StepShown:
    """owned: whose provider it is: the company's, the installation's, or what the environment names. barred: why it
    would not be asked, in a word, None: it is."""

    provider: str
    model: str
    max_tokens: int | None
    owned: Origin
    barred: str | None = None


@dataclass(frozen=True, slots=True)
class Resolved:
    """The route that holds for a purpose. origin: where it stands."""

    purpose: Purpose
    origin: Origin
    steps: tuple[StepShown, ...]


def purpose_of(text: str) -> Purpose:
    """Raises Permanent for a purpose that there is none of, or that has no route."""
    if text == "embedding":
        raise Permanent("purpose", NO_EMBEDDING)
    for purpose in ROUTABLE:
        if purpose == text:
            return purpose
    raise Permanent("purpose", f"{text!r} is no purpose: there are {', '.join(ROUTABLE)}")


def step_of(text: str) -> StepWanted:
    """Read `PROVIDER/MODEL` or `PROVIDER/MODEL@TOKENS`. Raises Permanent."""
    provider, slash, model = text.strip().partition("/")
    name, _, tokens = model.rpartition("@")
    if name and tokens.isascii() and tokens.isdigit() and len(tokens) < 9:
        return StepWanted(provider, name, int(tokens))
    if not (slash and provider and model):
        raise Permanent("step", f"{text!r} should be PROVIDER/MODEL, or PROVIDER/MODEL@TOKENS with the most tokens")
    return StepWanted(provider, model)


def set_route(conn: Conn, company_id: int | None, purpose: Purpose, wanted: Sequence[StepWanted]) -> bool:
    """Make these the steps of a company's route, or without a company of the installation's; in a transaction. Returns
    False if they were already. Raises Permanent, which names the step and what to change."""
    if purpose not in ROUTABLE:
        raise Permanent("purpose", NO_EMBEDDING)
    if not 0 < len(wanted) <= STEPS_MAX:
        raise Permanent("step", f"a route has 1 to {STEPS_MAX} steps; `model-route reset` takes a route away")
    steps = [_checked(conn, company_id, purpose, number, one) for number, one in enumerate(wanted, 1)]
    if len({(step.provider_id, step.model) for step in steps}) < len(steps):
        raise Permanent("step", "a model is named twice: a second call of it would end as the first one did")
    return routes.replace_steps(conn, company_id, purpose, steps)


def _checked(conn: Conn, company_id: int | None, purpose: Purpose, number: int, wanted: StepWanted) -> NewStep:
    provider = providers.visible(conn, company_id, wanted.provider)
    where = f"step {number}"
    if provider is None:
        raise Permanent("step", f"{where}: there is no provider {wanted.provider!r}; `model-provider list` shows them")
    kind, needed = provider.kind_of(wanted.model), KIND_OF[purpose]
    if kind is None:
        known = ", ".join(one.name for one in provider.models if one.kind == needed) or "none of this kind"
        raise Permanent("step", f"{where}: {wanted.provider} has no model {wanted.model!r}: it has {known}")
    if kind != needed:
        raise Permanent("step", f"{where}: {wanted.model} is a model for {kind}, and {purpose} needs one for {needed}")
    if wanted.max_tokens is not None and not 0 < wanted.max_tokens <= TOKENS_MAX:
        raise Permanent("step", f"{where}: an answer has 1 to {TOKENS_MAX} tokens")
    return NewStep(provider.id, wanted.model, wanted.max_tokens)


def reset(conn: Conn, company_id: int | None, purpose: Purpose) -> None:
    """Take a route away; in a transaction. Raises NothingDone if there is none."""
    if not reset_if_set(conn, company_id, purpose):
        whose = "the company" if company_id is not None else "the installation"
        raise NothingDone("model_route", f"{whose} has no route of its own for {purpose}")


def reset_if_set(conn: Conn, company_id: int | None, purpose: Purpose) -> bool:
    """The same; False if there is none."""
    return routes.replace_steps(conn, company_id, purpose, [])


def resolved(conn: Conn, config: Settings, company_id: int | None) -> list[Resolved]:
    """Return what holds for each purpose: the company's route, else the installation's, else the environment's."""
    own = _by_purpose([] if company_id is None else routes.steps(conn, company_id))
    house = _by_purpose(routes.steps(conn, None))
    show, of_environment = partial(_shown, conn, company_id), partial(_shown_of_environment, conn, company_id)
    return [
        _resolved(config, purpose, own.get(purpose, []), house.get(purpose, []), show, of_environment)
        for purpose in ROUTABLE
    ]


def _by_purpose(steps: Sequence[RouteStep]) -> dict[str, list[RouteStep]]:
    found: dict[str, list[RouteStep]] = {}
    for step in steps:
        found.setdefault(step.purpose, []).append(step)
    return found


def _resolved(
    config: Settings, purpose: Purpose, own: list[RouteStep], house: list[RouteStep],
    show: Callable[[RouteStep], StepShown], of_environment: Callable[[tuple[str, str, str]], StepShown],
) -> Resolved:  # fmt: skip
    if own:
        return Resolved(purpose, "company", tuple(map(show, own)))
    if house:
        return Resolved(purpose, "installation", tuple(map(show, house)))
    steps = tuple(of_environment(one) for one in _of_environment(config, KIND_OF[purpose]))
    if purpose == "cheaper":
        steps = steps[1:]  # the first one is for whole answers
    return Resolved(purpose, "environment" if steps else "none", steps)


def _of_environment(config: Settings, kind: Kind) -> list[tuple[str, str, str]]:
    """(provider, model, address) of each that the settings name."""
    if kind == "chat":
        return [(one.label, one.model, one.base_url) for one in config.llm.providers]
    if kind == "rerank" and config.rerank.base_url is not None and config.rerank.model is not None:
        return [("RERANK_BASE_URL", config.rerank.model, config.rerank.base_url)]
    return []


def _shown_of_environment(conn: Conn, company_id: int | None, named: tuple[str, str, str]) -> StepShown:
    provider, model, base_url = named
    unpriced = provider != "RERANK_BASE_URL" and is_paid(base_url) and not _has_price(conn, company_id, provider, model)
    return StepShown(provider, model, None, "environment", "price_unknown" if unpriced else None)


def _has_price(conn: Conn, company_id: int | None, provider: str, model: str) -> bool:
    return price_of(conn, company_id or 0, provider, model) is not None


def _shown(conn: Conn, company_id: int | None, step: RouteStep) -> StepShown:
    owned: Origin = "installation" if step.owner_id is None else "company"
    barred = why_barred(step)
    if barred is None and step.paid and not _has_price(conn, company_id, step.provider, step.model):
        barred = "price_unknown"  # as the router finds when it is to ask
    return StepShown(step.provider, step.model, step.max_tokens, owned, barred)

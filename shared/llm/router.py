"""Asks the models of a route in their order, each behind its breaker, within one deadline."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from random import Random
from typing import Any, Protocol

import httpx
import structlog

from shared.clock import Clock, SystemClock
from shared.errors import ModelUnavailable, Permanent
from shared.llm import deadlines, metrics
from shared.llm.api import ABOUT_THE_CALL, CallFailed, is_neutral
from shared.llm.deadlines import USUAL, Deadlines
from shared.llm.provider import Meter, Provider
from shared.model import Completion, FallbackStep, ModelAttempt, Purpose, Usage
from shared.resilience import retries
from shared.resilience.breaker import BreakerOpen, Breakers
from shared.resilience.shared_breaker import SharedBreakers
from shared.settings import Settings

log = structlog.get_logger(__name__)

ATTEMPTS_MAX = 3
"""Calls to one provider for one answer."""
BACKOFF_BASE_S = 0.5
BACKOFF_CAP_S = 4.0
PATIENCE_S = 2.0
"""A provider that asks for a longer wait is passed over while there is another one to ask."""
WORTHWHILE_S = 1.0
"""With less than so much time left no further call is begun."""


class Listener(Protocol):
    """Receives an answer while it is being generated. Called on the event loop's thread; must not block or raise."""

    def piece(self, text: str) -> None: ...

    def restart(self) -> None:
        """Discard what came so far: another attempt begins."""
        ...


class NoModelAnswered(ModelUnavailable):
    """Every provider failed or was skipped. attempts: what was tried, in order, for the receipt."""

    def __init__(self, message: str, attempts: tuple[ModelAttempt, ...], retry_after_s: float | None) -> None:
        super().__init__(message, retry_after_s=retry_after_s)
        self.attempts = attempts


@dataclass(frozen=True, slots=True)
class Step:
    """One model of a route. step: which fallback step its answers are. max_tokens: of an answer, None: as the provider
    usually is asked. barred: the word for why it is not asked, None: it is. paid: it may cost money. breakers, service:
    where its breaker stands and under which name, None: with the router's others, under the provider's. label: what
    metrics count it under, None: its own names."""

    provider: Provider
    step: FallbackStep = "full"
    max_tokens: int | None = None
    barred: str | None = None
    paid: bool = False
    breakers: Breakers | SharedBreakers | None = None
    service: str | None = None
    label: str | None = None


def in_order(providers: Sequence[Provider]) -> tuple[Step, ...]:
    """Answers of the first one are `full`, those of the others `cheaper`."""
    return tuple(Step(provider, "cheaper" if number else "full") for number, provider in enumerate(providers))


class Router:
    """steps: the first that answers wins; providers alone are taken as in_order() has them. breakers: shared by all
    routers of a process, and with SharedBreakers by the fleet; made with neutral=api.is_neutral. deadlines: of one
    call. purpose: what the ledger has its calls under."""

    def __init__(
        self,
        steps: Sequence[Provider] | Sequence[Step],
        breakers: Breakers | SharedBreakers | None = None,
        *,
        deadlines: Deadlines = USUAL,
        clock: Clock | None = None,
        rng: Random | None = None,
        purpose: Purpose = "answer",
    ) -> None:
        if not steps:
            raise ValueError("a router needs a provider")
        given = [step for step in steps if isinstance(step, Step)]
        self.steps = tuple(given) or in_order([each for each in steps if isinstance(each, Provider)])
        self._clock = clock or SystemClock()
        self._breakers = breakers or Breakers(clock=self._clock, neutral=is_neutral)
        self._deadlines = deadlines
        self._rng = rng or Random()
        self._purpose = purpose

    @property
    def has_cheaper(self) -> bool:
        return any(step.step == "cheaper" and step.barred is None for step in self.steps)

    async def complete(
        self, messages: Sequence[dict[str, Any]], deadline_s: float, listener: Listener | None = None, *,
        cheaper: bool = False,
    ) -> Completion:  # fmt: skip
        """Return an answer within deadline_s, retries and fallbacks included, with all attempts.

        listener: gets the answer as it is generated, from the beginning with each attempt. cheaper: ask the cheaper
        steps alone. Raises NoModelAnswered for any failure, because the caller's next fallback step is the same.
        """
        ends_at_s = self._clock.monotonic_s() + deadline_s
        attempts: list[ModelAttempt] = []
        room = _Room()
        waits: list[float] = []
        began_s = time.monotonic()
        steps = [step for step in self.steps if step.step == "cheaper" or not cheaper]
        for number, step in enumerate(steps):
            record = partial(_record, attempts, step, self._purpose, began_s)
            if step.barred is not None:
                record(time.monotonic(), step.barred, Usage())
                continue
            if self._left_s(ends_at_s) < (WORTHWHILE_S if attempts else 1e-3):
                break
            try:
                last = all(later.barred for later in steps[number + 1 :])
                patience_s = math.inf if last else PATIENCE_S
                completion = await self._ask(step, messages, ends_at_s, record, patience_s, listener, room)
            except (ModelUnavailable, Permanent) as error:
                if isinstance(error, ModelUnavailable) and error.retry_after_s is not None:
                    waits.append(error.retry_after_s)
                if room.full:
                    break
                continue
            return replace(completion, attempts=tuple(attempts), step=step.step)
        outcomes = ", ".join(attempt.outcome for attempt in attempts)
        raise NoModelAnswered(f"no model answered ({outcomes})", tuple(attempts), min(waits, default=None))

    async def _ask(
        self,
        step: Step,
        messages: Sequence[dict[str, Any]],
        ends_at_s: float,
        record: Record,
        patience_s: float,
        listener: Listener | None,
        room: _Room,
    ) -> Completion:
        """Call one model. Retries are outside and the breaker inside, so that it sees each attempt and may refuse
        it."""
        policy = retries.Policy(ATTEMPTS_MAX, BACKOFF_BASE_S, BACKOFF_CAP_S, WORTHWHILE_S, patience_s)
        retrying = retries.retrying(policy, ends_at_s, clock=self._clock, rng=self._rng, at_once=_is_about_the_call)
        return await retrying(self._attempt, step, messages, ends_at_s, record, listener, room)

    async def _attempt(
        self,
        step: Step,
        messages: Sequence[dict[str, Any]],
        ends_at_s: float,
        record: Record,
        listener: Listener | None,
        room: _Room,
    ) -> Completion:
        began_s, meter, provider = time.monotonic(), Meter(), step.provider
        deadline_s = max(0.0, min(self._deadlines.total_s, self._left_s(ends_at_s)))
        outcome = "cancelled"
        try:
            breakers = step.breakers or self._breakers
            async with breakers.of(step.service or provider.name, provider.model).guarding():
                if listener is not None:
                    listener.restart()
                on_text = listener.piece if listener is not None else None
                completion = await provider.complete(
                    messages, deadline_s, on_text, deadlines=self._deadlines, max_tokens=step.max_tokens,
                    more_room=room.more, meter=meter,
                )  # fmt: skip
            outcome = "ok"
            return completion
        except BreakerOpen:
            outcome = "breaker_open"
            raise
        except CallFailed as error:
            outcome = error.outcome
            if outcome == "truncated":
                room.full = room.more
                room.more = True
                error.retry = not room.full
            raise
        except Permanent as error:
            outcome = error.reason
            raise
        finally:
            record(began_s, outcome, meter.usage)

    def _left_s(self, ends_at_s: float) -> float:
        return ends_at_s - self._clock.monotonic_s()


def _is_about_the_call(error: BaseException) -> bool:
    """Whether the provider is well, so that there is nothing to wait for."""
    return isinstance(error, CallFailed) and error.outcome in ABOUT_THE_CALL


Record = Callable[[float, str, Usage], None]
"""Writes an attempt down: when it began (monotonic), how it went, what it used."""


@dataclass(slots=True)
class _Room:
    """more: the next calls for this answer get more room, because it was cut off at the limit. full: it was cut off
    with more room as well, so that asking once more, also somebody else, would cost as much for nothing."""

    more: bool = False
    full: bool = False


def _record(
    attempts: list[ModelAttempt], step: Step, purpose: Purpose, asked_s: float, began_s: float, outcome: str,
    usage: Usage,
) -> None:  # fmt: skip
    attempt = ModelAttempt(
        provider=step.provider.name,
        model=step.provider.model,
        outcome=outcome,
        duration_ms=round((time.monotonic() - began_s) * 1000),
        tokens_in=usage.tokens_in,
        tokens_out=usage.tokens_out,
        step=step.step,
        offset_ms=round((began_s - asked_s) * 1000),
        estimated=usage.estimated,
        cached_in=usage.cached_in,
        reasoning_out=usage.reasoning_out,
        purpose=purpose,
        paid=step.paid,
    )
    attempts.append(attempt)
    _count(attempt, step.label or attempt.provider, step.label or attempt.model)
    if outcome != "ok":
        log.info("model_call_failed", provider=attempt.provider, model=attempt.model, outcome=outcome)


def _count(attempt: ModelAttempt, provider: str, model: str) -> None:
    metrics.MODEL_ATTEMPTS.inc(provider, model, attempt.outcome)
    metrics.MODEL_ATTEMPT.observe(attempt.duration_ms / 1000, provider, model)
    metrics.TOKENS.inc(provider, model, "in", by=attempt.tokens_in)
    metrics.TOKENS.inc(provider, model, "out", by=attempt.tokens_out)


def from_settings(
    settings: Settings, http: httpx.AsyncClient, breakers: Breakers | SharedBreakers | None = None
) -> Router | None:
    """Make the router of this process; None if no model is configured, so that passages are quoted instead."""
    providers = [
        Provider(
            http,
            name=configured.label,
            base_url=configured.base_url,
            api_key=configured.api_key.get_secret_value(),
            model=configured.model,
            max_tokens=settings.llm.max_tokens,
        )
        for configured in settings.llm.providers
    ]
    return Router(providers, breakers, deadlines=deadlines.of(settings, "answer")) if providers else None

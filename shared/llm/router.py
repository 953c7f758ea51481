"""Asks the models of a route in their order, each behind its breaker, within one deadline."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from copy import copy
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
from shared.llm.money import is_paid
from shared.llm.provider import Meter, Provider
from shared.llm.wishes import USUAL as NO_WISHES
from shared.llm.wishes import ToolPiece, Wishes
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

    def barring(self, words: Mapping[int, str]) -> Router:
        """The same without these steps: the number of each and the word for why it is not asked."""
        if not words:
            return self
        return self.with_steps(
            tuple(
                replace(step, barred=words[number]) if number in words else step
                for number, step in enumerate(self.steps)
            )
        )

    def with_steps(self, steps: tuple[Step, ...]) -> Router:
        """The same with these steps."""
        other = copy(self)
        other.steps = steps
        return other

    async def complete(
        self, messages: Sequence[dict[str, Any]], deadline_s: float, listener: Listener | None = None, *,
        cheaper: bool = False, attempts: list[ModelAttempt] | None = None, tools: Sequence[dict[str, Any]] = (),
        wishes: Wishes = NO_WISHES,
    ) -> Completion:  # fmt: skip
        """Return an answer within deadline_s, retries and fallbacks included, with all attempts.

        listener: gets the answer as it is generated, from the beginning with each attempt. cheaper: ask the cheaper
        steps alone. attempts: hears of each as it ends, also of one that is cancelled. tools: what the model may ask
        for. Raises NoModelAnswered for any failure, because the caller's next fallback step is the same.
        """
        ends_at_s = self._clock.monotonic_s() + deadline_s
        attempts = [] if attempts is None else attempts
        asked = _Asked(messages, tools, wishes, listener)
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
                completion = await self._ask(step, asked, ends_at_s, record, patience_s)
            except (ModelUnavailable, Permanent) as error:
                if isinstance(error, ModelUnavailable) and error.retry_after_s is not None:
                    waits.append(error.retry_after_s)
                if asked.full or asked.told:
                    break
                continue
            return replace(completion, attempts=tuple(attempts), step=step.step)
        outcomes = ", ".join(attempt.outcome for attempt in attempts)
        raise NoModelAnswered(f"no model answered ({outcomes})", tuple(attempts), min(waits, default=None))

    async def _ask(
        self, step: Step, asked: _Asked, ends_at_s: float, record: Record, patience_s: float
    ) -> Completion:  # fmt: skip
        """Call one model. Retries are outside and the breaker inside, so that it sees each attempt and may refuse
        it."""
        policy = retries.Policy(ATTEMPTS_MAX, BACKOFF_BASE_S, BACKOFF_CAP_S, WORTHWHILE_S, patience_s)
        retrying = retries.retrying(policy, ends_at_s, clock=self._clock, rng=self._rng, at_once=_is_about_the_call)
        return await retrying(self._attempt, step, asked, ends_at_s, record)

    async def _attempt(self, step: Step, asked: _Asked, ends_at_s: float, record: Record) -> Completion:
        began_s, meter, provider = time.monotonic(), Meter(), step.provider
        deadline_s = max(0.0, min(self._deadlines.total_s, self._left_s(ends_at_s)))
        outcome = "cancelled"
        try:
            breakers = step.breakers or self._breakers
            async with breakers.of(step.service or provider.name, provider.model).guarding():
                asked.begin(provider)
                completion = await provider.complete(
                    asked.messages, deadline_s, asked.on_text, deadlines=self._deadlines,
                    max_tokens=asked.wishes.max_tokens or step.max_tokens, more_room=asked.more, meter=meter,
                    tools=asked.tools, wishes=asked.heard_wishes,
                )  # fmt: skip
            outcome = "ok"
            return completion
        except BreakerOpen:
            outcome = "breaker_open"
            raise
        except CallFailed as error:
            outcome = error.outcome
            if outcome == "truncated":
                asked.full = asked.more
                asked.more = True
                error.retry = not asked.full
            error.retry = error.retry and not asked.told
            raise
        except Permanent as error:
            outcome = error.reason
            raise
        except ModelUnavailable:
            outcome = "unavailable"
            raise
        except Exception as error:
            # Something that a server should not be able to bring about: the next one is asked all the same.
            outcome = "malformed"
            log.warning("model_call_broke", provider=provider.name, model=provider.model, exc_info=error)
            raise CallFailed("malformed", retry=False) from error
        finally:
            record(began_s, outcome, meter.usage)

    def _left_s(self, ends_at_s: float) -> float:
        return ends_at_s - self._clock.monotonic_s()


def _is_about_the_call(error: BaseException) -> bool:
    """Whether the provider is well, so that there is nothing to wait for."""
    return isinstance(error, CallFailed) and error.outcome in ABOUT_THE_CALL


Record = Callable[[float, str, Usage], None]
"""Writes an attempt down: when it began (monotonic), how it went, what it used."""


class _Asked:
    """One request, whoever is asked. more: the next calls get more room, because an answer was cut off at the limit.
    full: it was cut off with more room as well, so that asking once more, also somebody else, would cost as much for
    nothing. told: a piece was told that cannot be taken back."""

    def __init__(
        self, messages: Sequence[dict[str, Any]], tools: Sequence[dict[str, Any]], wishes: Wishes,
        listener: Listener | None,
    ) -> None:  # fmt: skip
        self.messages, self.tools, self.wishes = messages, tools, wishes
        self.more = self.full = self.told = False
        self._listener = listener
        self.on_text = None if listener is None else self._piece
        self.heard_wishes = wishes if wishes.on_tool is None else replace(wishes, on_tool=self._tool)

    def begin(self, provider: Provider) -> None:
        if self._listener is not None:
            self._listener.restart()
        if self.wishes.on_step is not None:
            self.wishes.on_step(provider.name, provider.model)

    def _piece(self, text: str) -> None:
        assert self._listener is not None
        self.told = self.wishes.once
        self._listener.piece(text)

    def _tool(self, piece: ToolPiece) -> None:
        assert self.wishes.on_tool is not None
        self.told = self.wishes.once
        self.wishes.on_tool(piece)


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
    steps = [
        Step(
            Provider(
                http,
                name=configured.label,
                base_url=configured.base_url,
                api_key=configured.api_key.get_secret_value(),
                model=configured.model,
                max_tokens=settings.llm.max_tokens,
            ),
            "cheaper" if number else "full",
            paid=is_paid(configured.base_url),
        )
        for number, configured in enumerate(settings.llm.providers)
    ]
    return Router(steps, breakers, deadlines=deadlines.of(settings, "answer")) if steps else None

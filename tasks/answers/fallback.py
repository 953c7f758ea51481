"""Fallback steps: which were tried for an answer, and why each was left."""

from __future__ import annotations

from collections.abc import Sequence

from shared.model import FallbackStep, ModelAttempt, Tried


def by_models(
    attempts: Sequence[ModelAttempt], end: FallbackStep, left: str, *, passed_over: str | None = None
) -> tuple[Tried, ...]:
    """The models' steps in order, each left for its last attempt's outcome, down to the step that held.

    left: why the models were left where their attempts do not say so: the answer of one was not taken, or none was
    asked. passed_over: why the first one was not asked although a later one was.
    """
    outcomes: dict[FallbackStep, str] = {"full": passed_over} if passed_over else {}
    outcomes |= {attempt.step: attempt.outcome for attempt in attempts}
    outcomes = outcomes or {"full": left}
    steps = [Tried(step, left if outcome == "ok" else outcome) for step, outcome in outcomes.items() if step != end]
    return (*steps, Tried(end))


def without_models(left: str, end: FallbackStep) -> tuple[Tried, ...]:
    """No model and no passage could help, for one reason."""
    return (Tried("full", left), Tried("passages", left), Tried(end))

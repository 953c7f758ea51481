"""What a receipt says about the steps that were tried."""

from __future__ import annotations

import pytest

from shared.model import FallbackStep, ModelAttempt, Tried
from tasks.answers import fallback


def _asked(*went: tuple[FallbackStep, str]) -> list[ModelAttempt]:
    return [ModelAttempt("p", "m", outcome, 1, step=step) for step, outcome in went]


CASES: dict[str, tuple[list[ModelAttempt], FallbackStep, str, list[Tried]]] = {
    "the first model answers": (_asked(("full", "ok")), "full", "model", [Tried("full")]),
    "at its second attempt": (_asked(("full", "timeout"), ("full", "ok")), "full", "model", [Tried("full")]),
    "a later one answers": (
        _asked(("full", "http_5xx"), ("full", "breaker_open"), ("cheaper", "ok")),
        "cheaper", "model", [Tried("full", "breaker_open"), Tried("cheaper")],
    ),
    "the second of the later ones answers": (
        _asked(("full", "timeout"), ("cheaper", "empty"), ("cheaper", "ok")),
        "cheaper", "model", [Tried("full", "timeout"), Tried("cheaper")],
    ),
    "none answers": (
        _asked(("full", "timeout"), ("cheaper", "llm_quota")),
        "passages", "model_unavailable", [Tried("full", "timeout"), Tried("cheaper", "llm_quota"), Tried("passages")],
    ),
    "the answer is not grounded": (
        _asked(("full", "timeout"), ("cheaper", "ok")),
        "handover", "uncited", [Tried("full", "timeout"), Tried("cheaper", "uncited"), Tried("handover")],
    ),
    "no model is asked": ([], "passages", "budget", [Tried("full", "budget"), Tried("passages")]),
}  # fmt: skip


@pytest.mark.parametrize(("attempts", "end", "left", "told"), CASES.values(), ids=CASES)
def test_each_step_is_told_with_why_it_was_left(
    attempts: list[ModelAttempt], end: FallbackStep, left: str, told: list[Tried]
) -> None:
    assert list(fallback.by_models(attempts, end, left)) == told


def test_a_first_model_that_was_passed_over_says_why() -> None:
    attempts = _asked(("cheaper", "ok"))
    assert fallback.by_models(attempts, "cheaper", "model", passed_over="budget") == (
        Tried("full", "budget"), Tried("cheaper"),
    )  # fmt: skip


def test_one_reason_may_leave_models_and_passages() -> None:
    assert fallback.without_models("nothing_relevant", "unknown") == (
        Tried("full", "nothing_relevant"), Tried("passages", "nothing_relevant"), Tried("unknown"),
    )  # fmt: skip

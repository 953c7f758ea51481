"""Collects what a piece of work has models do beside its answer (embedding a question, ranking passages), so that it
can be stored in the transaction that stores its result."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from shared.errors import DatabaseUnavailable, Permanent
from shared.llm import metrics, tokens
from shared.llm.api import CallFailed
from shared.model import ModelAttempt, Purpose
from shared.resilience.breaker import BreakerOpen
from shared.store.db.pool import Database
from shared.store.models import usage

_collecting: ContextVar[list[ModelAttempt] | None] = ContextVar("made_calls", default=None)


@contextmanager
def collected() -> Iterator[list[ModelAttempt]]:
    """Calls that are made on this thread until the end, in their order; whoever stores them takes them with taken()."""
    calls: list[ModelAttempt] = []
    token = _collecting.set(calls)
    try:
        yield calls
    finally:
        _collecting.reset(token)


@contextmanager
def recorded(db: Database, company_id: int) -> Iterator[None]:
    """Write the calls that are made on this thread until the end to the ledger, in a transaction of their own: for work
    that has none to store them with. They are counted as lost if the database is away."""
    with collected() as calls:
        try:
            yield
        finally:
            if calls:
                _record(db, company_id, calls)


def _record(db: Database, company_id: int, calls: Sequence[ModelAttempt]) -> None:
    try:
        with db.transaction(company_id) as conn:
            usage.add(conn, company_id, calls)
    except DatabaseUnavailable:
        metrics.UNRECORDED.inc(by=len(calls))


def taken(calls: list[ModelAttempt]) -> tuple[ModelAttempt, ...]:
    """Return the calls, and leave none to be stored again."""
    found = tuple(calls)
    calls.clear()
    return found


@dataclass(slots=True)
class Read:
    """How many tokens a provider says that a call read; 0 while it does not say."""

    tokens: int = 0


@contextmanager
def measured(
    made: list[ModelAttempt], purpose: Purpose, provider: str, model: str, paid: bool, texts: Sequence[str]
) -> Iterator[Read]:
    """Append a call to `made` when it ends, however that is. texts: what it reads, to tell the tokens from where the
    provider does not say them."""
    began_s, outcome, read = time.monotonic(), "cancelled", Read()
    try:
        yield read
        outcome = "ok"
    except BreakerOpen:
        outcome = "breaker_open"
        raise
    except CallFailed as error:
        outcome = error.outcome
        raise
    except Permanent as error:
        outcome = error.reason
        raise
    finally:
        guessed = tokens.guessed(texts) if outcome in ("ok", "malformed") else 0
        ms = round((time.monotonic() - began_s) * 1000)
        made.append(
            ModelAttempt(
                provider, model, outcome, ms, read.tokens or guessed, estimated=not read.tokens, purpose=purpose,
                paid=paid,
            )
        )  # fmt: skip


def note(attempt: ModelAttempt) -> None:
    """Tell of a call. One that nobody collects belongs to no company (trying a model out, say) and is counted alone."""
    metrics.MODEL_BESIDE.inc(attempt.purpose, attempt.outcome)
    calls = _collecting.get()
    if calls is not None:
        calls.append(attempt)

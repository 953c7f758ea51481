"""Collects what a piece of work has models do beside its answer (embedding a question, ranking passages), so that it
can be stored in the transaction that stores its result."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

from shared.errors import DatabaseUnavailable
from shared.llm import metrics
from shared.model import ModelAttempt
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


def note(attempt: ModelAttempt) -> None:
    """Tell of a call. One that nobody collects belongs to no company (trying a model out, say) and is counted alone."""
    metrics.MODEL_BESIDE.inc(attempt.purpose, attempt.outcome)
    calls = _collecting.get()
    if calls is not None:
        calls.append(attempt)

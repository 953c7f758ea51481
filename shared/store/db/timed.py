"""Measures how long statements take, by the name in their `/* module.function */`, as the waiting process sees it."""

from __future__ import annotations

from time import perf_counter
from typing import Any

import psycopg
from psycopg import pq, sql

from shared.store.db import metrics

UNNAMED = "unnamed"
COMMIT = "commit"


class Connection(psycopg.Connection[Any]):
    """Times commits, which wait for the disk, as well as statements. Commits by `transaction()` are not timed: psycopg
    does not call commit() for them."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.cursor_factory = Cursor

    def commit(self) -> None:
        if self.pgconn.transaction_status == pq.TransactionStatus.IDLE:
            return
        began = perf_counter()
        try:
            super().commit()
        finally:
            metrics.SQL.observe(perf_counter() - began, COMMIT)


class Cursor(psycopg.Cursor[Any]):
    __slots__ = ()

    def execute(self, query: Any, *args: Any, **kwargs: Any) -> Any:
        began = perf_counter()
        try:
            return super().execute(query, *args, **kwargs)
        except psycopg.Error as e:
            metrics.SQL_FAILED.inc(name_of(query), e.sqlstate or "")
            raise
        finally:
            metrics.SQL.observe(perf_counter() - began, name_of(query))


def name_of(query: Any) -> str:
    """Return `module.function` of a statement that begins with `/* module.function */`, white space aside; never any
    other part of its text."""
    text = query if type(query) is str else _text(query)
    if text[:1].isspace():  # a literal of several lines
        text = text[:120].lstrip()
    end = text.find(" */", 3, 64)
    return text[3:end] if end > 0 and text[:3] == "/* " else UNNAMED


def _text(query: Any) -> str:
    """Return at least the first 80 characters of a statement, without an object composed into it."""
    if isinstance(query, sql.Composed):
        query = next(iter(query), "")
    if isinstance(query, sql.SQL):
        return query.as_string(None)
    return query[:80].decode("ascii", "replace") if isinstance(query, bytes) else str(query)

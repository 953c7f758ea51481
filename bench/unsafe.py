"""`python -m bench.unsafe NAME`: a worker of ours without ledger and leases, to measure what those cost.

It is the same code with some functions replaced in this process alone: no row for an event and none for its raw body,
no progress and no lock of a shard; turns and parts are taken by reading them, and remembered here instead of being
leased in their rows; nothing is renewed; a send is not written down before it leaves, nor as an attempt. A crash or a
second process would lose and double messages, so there is no switch for this in the product.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import psycopg

from shared.resilience.lease_records import LeaseRecords
from shared.store.answers import turns
from shared.store.delivery import outbound
from shared.store.inbound import ledger
from tasks.answers.leases import Leases
from workers import main as workers_main

FUNCTIONS = """
CREATE FUNCTION bench_due_turns(lim int, taken bigint[]) RETURNS TABLE (company_id bigint, id bigint, epoch int)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT t.company_id, t.id, t.epoch FROM turns t WHERE t.state IN ('waiting', 'answering')
    AND t.due_at <= clock_timestamp() AND NOT t.id * 1000 + t.epoch = ANY (taken)
    ORDER BY t.company_id, t.due_at LIMIT lim
$$;
CREATE FUNCTION bench_due_parts(lim int, taken bigint[]) RETURNS TABLE (company_id bigint, id bigint, epoch int)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT o.company_id, o.id, o.epoch FROM outbound o WHERE o.state = 'queued' AND o.state IN ('queued', 'sending')
    AND o.due_at <= clock_timestamp() AND NOT o.id * 1000 + o.epoch = ANY (taken)
    ORDER BY o.company_id, o.due_at LIMIT lim
$$;
GRANT EXECUTE ON FUNCTION bench_due_turns, bench_due_parts TO switchboard_app;
"""
"""To be made by the owner before such a worker is started."""

REWRITTEN: dict[str, tuple[tuple[str, str], ...]] = {
    "turn_contexts.load": (("t.state = 'answering'", "t.state IN ('waiting', 'answering')"),),
    "replies.make": (("AND state = 'answering'", "AND state IN ('waiting', 'answering')"),),
    "turns.finish": (("AND state = 'answering'", "AND state IN ('waiting', 'answering')"),),
    "send_results.record": (
        ("AND attempts = %(attempt)s", ""),
        ("(state IN ('sending', 'unknown_outcome')", "(state IN ('queued', 'sending', 'unknown_outcome')"),
        ("AND day >= %(since)s)", "AND day >= %(since)s AND false)"),
    ),
}
UNDER_WAY_MAX = 256
"""More than a process has under way: what it has done is not due any more, and need not be named."""
_NAME = re.compile(r"/\* (\S+) \*/")


class Taken:
    """What this process has taken, in the order of taking; rows that are done are not due any more, and ones
    that are put back have another epoch."""

    def __init__(self) -> None:
        self.ids: list[int] = []

    def of(self, rows: Sequence[tuple[Any, ...]]) -> Sequence[tuple[Any, ...]]:
        self.ids = [*self.ids[-UNDER_WAY_MAX:], *(int(row[1]) * 1000 + int(row[2]) for row in rows)]
        return rows


TURNS, PARTS = Taken(), Taken()


def _claim_turns(conn: Any, after_company: int, *, limit: int, **_: Any) -> list[turns.Claim]:
    rows = conn.execute("SELECT * FROM bench_due_turns(%s, %s)", (limit, TURNS.ids), prepare=True).fetchall()
    return [turns.Claim(*row) for row in TURNS.of(rows)]


def _claim_parts(conn: Any, after_company: int, *, limit: int, **_: Any) -> list[outbound.Claim]:
    rows = conn.execute("SELECT * FROM bench_due_parts(%s, %s)", (limit, PARTS.ids), prepare=True).fetchall()
    return [outbound.Claim(*row) for row in PARTS.of(rows)]


def _begin_sends(
    conn: Any, claims: Sequence[outbound.Claim], *, record_deadline_s: float
) -> dict[outbound.Claim, outbound.Attempt]:
    return dict.fromkeys(claims, outbound.Attempt(1, datetime.now(UTC)))


def _nothing(*_: Any, **__: Any) -> None:
    """What is not done."""


def _rewriting(execute: Callable[..., Any]) -> Callable[..., Any]:
    known: dict[Any, Any] = {}

    def rewrite(query: Any) -> Any:
        name = _NAME.search(query) if isinstance(query, str) else None
        changes = REWRITTEN.get(name[1] if name else "", ())
        if changes:  # in one line, however the module breaks it
            query = " ".join(query.split()).replace("( ", "(").replace(" )", ")")
        for old, new in changes:
            if old not in query:
                raise RuntimeError(f"{name and name[1]} says no {old!r} any more: mend bench/unsafe.py")
            query = query.replace(old, new)
        return query

    def run(self: Any, query: Any, *values: Any, **more: Any) -> Any:
        if query not in known:
            known[query] = rewrite(query)
        return execute(self, known[query], *values, **more)

    return run


def without_safety() -> None:
    """Replace it in this process."""
    replaced: dict[Any, dict[str, Any]] = {
        ledger: {
            "known": lambda *_: set(), "add_events": _nothing, "add_raw": _nothing, "add_progress": _nothing,
            "try_lock_shards": lambda _, streams: list(streams),
        },
        turns: {"claim_several": _claim_turns},
        outbound: {"claim_several": _claim_parts, "begin_sends": _begin_sends},
        Leases: {"renew": _nothing},
        LeaseRecords: {"note": _nothing, "forget": _nothing},
    }  # fmt: skip
    for owner, functions in replaced.items():
        for name, function in functions.items():
            if not hasattr(owner, name):
                raise RuntimeError(f"{owner} has no {name} any more: mend bench/unsafe.py")
            setattr(owner, name, function)
    psycopg.Cursor.execute = _rewriting(psycopg.Cursor.execute)  # type: ignore[method-assign]


if __name__ == "__main__":
    without_safety()
    sys.exit(workers_main.main())

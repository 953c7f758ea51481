"""Budgets in money: what models may cost a company, and each of its contacts, in the last 30 days.

A request is reserved for before it is made and settled after it; what is never settled is charged. All sums are in
millionths of the currency of the prices, and days are UTC.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from psycopg.rows import class_row

from shared.store.db.pool import Conn, columns

WINDOW_DAYS = 30
"""As in the function budget_days_of."""
Scope = Literal["company", "contact"]


@dataclass(frozen=True, slots=True)
class Reservation:
    """What a request under way is expected to cost at most. contact_id 0: it is for no contact."""

    company_id: int
    id: int
    contact_id: int
    micros: int


@dataclass(frozen=True, slots=True)
class OverBudget:
    """A budget that has no room for a request. used_micros: spent and reserved. frees_at: when it has room if nothing
    else is spent until then; None: never, because the limit is below what this request may cost."""

    scope: Scope
    limit_micros: int
    used_micros: int
    frees_at: datetime | None

    @property
    def left_micros(self) -> int:
        return max(0, self.limit_micros - self.used_micros)


@dataclass(frozen=True, slots=True)
class _Reserved:
    id: int | None
    scope: Scope
    bound: int
    used: int
    frees_at: datetime | None


RESERVE = """
    /* budgets.reserve */
    SELECT id, scope, bound, used, frees_at
    FROM reserve_budget(%s, %s, %s, %s, %s, %s)
"""


def reserve(
    conn: Conn, company_id: int, contact_id: int | None, micros: int, ttl_s: float, *, purpose: str = "answer",
    contact_limit_micros: int | None = None,
) -> Reservation | OverBudget:  # fmt: skip
    """Reserve for one request, or say which budget has no room for it.

    ttl_s: after so long it is charged as if it had cost `micros`; more than the request may take. contact_limit_micros:
    of contacts for whom no other limit is set; None: none. conn: in autocommit; the reservation is committed before
    this returns. A budget's limit is never passed by reservations, however many processes make them at once.
    """
    values = (company_id, contact_id or 0, micros, purpose, ttl_s, contact_limit_micros)
    found = conn.cursor(row_factory=class_row(_Reserved)).execute(RESERVE, values, prepare=True).fetchone()
    assert found is not None
    if found.id is not None:
        return Reservation(company_id, found.id, contact_id or 0, micros)
    return OverBudget(found.scope, found.bound, found.used, found.frees_at)


END_UNASKED = """
    /* budgets.end_unasked */
    DELETE FROM budget_reservations r
    USING (
        SELECT o.company_id, o.id
        FROM budget_reservations o
        JOIN unnest(%s::bigint[], %s::bigint[]) AS k (company_id, id) ON k.company_id = o.company_id AND k.id = o.id
        WHERE o.charged_at IS NULL
        FOR UPDATE OF o SKIP LOCKED
    ) k
    WHERE r.company_id = k.company_id
      AND r.id = k.id
"""
END_ASKED = """
    /* budgets.end_asked */
    UPDATE budget_reservations r
    SET expires_at = least(r.expires_at, clock_timestamp())
    FROM (
        SELECT o.company_id, o.id
        FROM budget_reservations o
        JOIN unnest(%s::bigint[], %s::bigint[]) AS k (company_id, id) ON k.company_id = o.company_id AND k.id = o.id
        WHERE o.charged_at IS NULL
        FOR UPDATE OF o SKIP LOCKED
    ) k
    WHERE r.company_id = k.company_id
      AND r.id = k.id
"""


def end(conn: Conn, held: Sequence[tuple[int, int, bool]]) -> int:
    """End a dead process' reservations, (company, id, whether a model may have been asked): what was not asked is free
    again, the rest expires now and is charged. Returns how many. It waits for nobody; one that is locked expires later.
    In a transaction of their companies."""
    ended = 0
    for statement, asked in ((END_UNASKED, False), (END_ASKED, True)):
        ids = [(company_id, id_) for company_id, id_, was_asked in held if was_asked is asked]
        if ids:
            ended += conn.execute(statement, columns(ids)).rowcount
    return ended


# ------------------------------------------------------------------ what there is
@dataclass(frozen=True, slots=True)
class Budget:
    """A company's or a contact's budget as it stands. contact_id 0: the company's. limit_micros: None: none. own: the
    limit was set for it. spent_micros: in the last 30 days, since reset_at where it was reset; reserved_micros: for
    requests under way. frees_at: when something of it is free again, None if it is not used up."""

    company_id: int
    contact_id: int
    limit_micros: int | None
    own: bool
    spent_micros: int
    reserved_micros: int
    reset_at: datetime | None
    frees_at: datetime | None


STATE = """
    /* budgets.state */
    SELECT k.company_id, k.contact_id, l.limit_micros, l.own, s.spent AS spent_micros, s.reserved AS reserved_micros,
        r.reset_at, s.frees_at
    FROM (SELECT %(company)s::bigint AS company_id, %(contact)s::bigint AS contact_id) k
    CROSS JOIN LATERAL (
        SELECT f.limit_micros, f.own
        FROM (
            SELECT b.scope, b.limit_micros, b.scope <> 'contacts' AS own
            FROM budgets b
            WHERE b.company_id = k.company_id
              AND CASE
                  WHEN k.contact_id = 0 THEN b.scope = 'company'
                  ELSE b.scope = 'contacts' OR (b.scope = 'contact' AND b.contact_id = k.contact_id)
              END
            UNION ALL
            SELECT 'default', CASE WHEN k.contact_id > 0 THEN %(default)s::bigint END, false
        ) f
        ORDER BY array_position(ARRAY['company', 'contact', 'contacts', 'default'], f.scope)
        LIMIT 1
    ) l
    CROSS JOIN LATERAL budget_state(k.company_id, k.contact_id, l.limit_micros, 1) s
    LEFT JOIN budget_resets r ON r.company_id = k.company_id AND r.contact_id = k.contact_id
"""


def state(conn: Conn, company_id: int, contact_id: int = 0, *, contact_limit_micros: int | None = None) -> Budget:
    """Return a company's budget, or with contact_id a contact's. In a transaction of the company, or as the owner."""
    values = {"company": company_id, "contact": contact_id, "default": contact_limit_micros}
    found = conn.cursor(row_factory=class_row(Budget)).execute(STATE, values).fetchone()
    assert found is not None
    return found


def limit_of_each(conn: Conn, company_id: int, *, contact_limit_micros: int | None = None) -> int | None:
    """Return what each contact of a company has that has no limit of its own; None: no limit."""
    found = [one.limit_micros for one in limits(conn, company_id, most=2) if one.scope == "contacts"]
    return found[0] if found else contact_limit_micros


def has_contact(conn: Conn, company_id: int, contact_id: int) -> bool:
    """Whether there is such a contact of the company."""
    row = conn.execute(
        """
        /* budgets.has_contact */
        SELECT 1
        FROM contacts
        WHERE company_id = %s
          AND id = %s
        """,
        (company_id, contact_id),
    ).fetchone()
    return row is not None


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit that somebody has set. scope: `company`: the company's; `contacts`: of each of its contacts; `contact`:
    of one. limit_micros: None: no limit."""

    company_id: int
    scope: str
    contact_id: int
    limit_micros: int | None


def limits(conn: Conn, company_id: int | None = None, *, after: int = 0, most: int = 200) -> list[Limit]:
    """List the limits that were set, of one company or of all; of single contacts those behind `after`, `most` at
    most. In a transaction of the company, or as the owner."""
    return (
        conn.cursor(row_factory=class_row(Limit))
        .execute(
            """
        /* budgets.limits */
        SELECT company_id, scope, contact_id, limit_micros
        FROM budgets
        WHERE (%(company)s::bigint IS NULL OR company_id = %(company)s)
          AND (scope <> 'contact' OR contact_id > %(after)s)
        ORDER BY company_id, contact_id, scope
        LIMIT %(most)s
        """,
            {"company": company_id, "after": after, "most": most},
        )
        .fetchall()
    )


# ------------------------------------------------------------------ setting them
def set_limit(conn: Conn, limit: Limit) -> bool:
    """Set a limit; returns False if it is that already. What is spent and reserved stays. In a transaction of the
    company, or as the owner."""
    cursor = conn.execute(
        """
        /* budgets.set_limit */
        INSERT INTO budgets AS b (company_id, scope, contact_id, limit_micros)
        VALUES (%s, %s, %s, %s)
        ON CONFLICT (company_id, scope, contact_id) DO UPDATE
        SET limit_micros = excluded.limit_micros, updated_at = now()
        WHERE b.limit_micros IS DISTINCT FROM excluded.limit_micros
        """,
        (limit.company_id, limit.scope, limit.contact_id, limit.limit_micros),
    )
    return cursor.rowcount == 1


def unset_limit(conn: Conn, company_id: int, scope: str, contact_id: int = 0) -> bool:
    """Delete a limit, so that the default holds again; returns False if there is none."""
    cursor = conn.execute(
        """
        /* budgets.unset_limit */
        DELETE FROM budgets
        WHERE company_id = %s
          AND scope = %s
          AND contact_id = %s
        """,
        (company_id, scope, contact_id),
    )
    return cursor.rowcount == 1


RESET = """
    /* budgets.reset */
    INSERT INTO budget_resets AS r (company_id, contact_id, day, micros)
    SELECT %(company)s, %(contact)s, t.day, coalesce(
        CASE
            WHEN %(contact)s > 0 THEN (
                SELECT c.cost_micros
                FROM contact_days c
                WHERE c.company_id = %(company)s
                  AND c.contact_id = %(contact)s
                  AND c.day = t.day
            )
            ELSE (
                SELECT u.cost_micros
                FROM usage_daily u
                WHERE u.company_id = %(company)s
                  AND u.day = t.day
            )
        END,
        0
    )
    FROM (SELECT (now() AT TIME ZONE 'UTC')::date AS day) t
    ON CONFLICT (company_id, contact_id) DO UPDATE
    SET day = excluded.day, micros = excluded.micros, reset_at = now()
"""


def reset(conn: Conn, company_id: int, contact_id: int = 0) -> None:
    """Let what was spent so far count no more. The ledger keeps it, and what is reserved goes on counting."""
    conn.execute(RESET, {"company": company_id, "contact": contact_id})

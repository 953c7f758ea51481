"""Compares what counts against budgets with the ledger, and keeps the tables small. For the owner role.

A contact's days stand in contact_days and a company's in usage_daily; the ledger is llm_calls. They are written in one
transaction, so any difference is a fault of ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from psycopg.rows import class_row, scalar_row

from shared.store.db.pool import Conn
from shared.store.models.budgets import WINDOW_DAYS


@dataclass(frozen=True, slots=True)
class Drift:
    """A day whose sum is not the ledger's. contact_id 0: the company's."""

    company_id: int
    contact_id: int
    day: date
    counted_micros: int
    ledger_micros: int


# Days that retention has taken from the ledger, of all or of this company alone, say nothing.
DRIFTED = """
    /* budget_check.drifted */
    WITH kept AS (
        SELECT greatest(
            (now() AT TIME ZONE 'UTC')::date - %(days)s::int + 1,
            (now() AT TIME ZONE 'UTC')::date - coalesce(
                (
                    SELECT o.days
                    FROM retention_overrides o
                    WHERE o.subject = p.subject
                      AND o.company_id = %(company)s
                ),
                p.days
            )
        ) AS since
        FROM retention_policies p
        WHERE p.subject = 'llm_calls'
    ),
    calls AS MATERIALIZED (
        SELECT coalesce(c.contact_id, 0) AS contact_id, c.day, sum(c.cost_micros) AS micros
        FROM llm_calls c
        WHERE c.company_id = %(company)s
          AND c.day >= (SELECT since FROM kept)
        GROUP BY 1, 2
    ),
    ledger AS (
        SELECT contact_id, day, micros
        FROM calls
        WHERE contact_id > 0
        UNION ALL
        SELECT 0, day, sum(micros)
        FROM calls
        GROUP BY day
    ),
    counted AS (
        SELECT d.contact_id, d.day, d.cost_micros AS micros
        FROM contact_days d
        WHERE d.company_id = %(company)s
        UNION ALL
        SELECT 0, u.day, u.cost_micros
        FROM usage_daily u
        WHERE u.company_id = %(company)s
    )
    SELECT %(company)s::bigint AS company_id, contact_id, day, coalesce(n.micros, 0)::bigint AS counted_micros,
        coalesce(l.micros, 0)::bigint AS ledger_micros
    FROM (
        SELECT *
        FROM counted
        WHERE day >= greatest((SELECT since FROM kept), (SELECT min(day) FROM calls))
    ) n
    FULL JOIN ledger l USING (contact_id, day)
    WHERE coalesce(n.micros, 0) <> coalesce(l.micros, 0)
    ORDER BY contact_id, day
"""


def drifted(conn: Conn, company_id: int) -> list[Drift]:
    """Return a company's and its contacts' days that count and whose sums are not the ledger's."""
    values = {"company": company_id, "days": WINDOW_DAYS}
    return conn.cursor(row_factory=class_row(Drift)).execute(DRIFTED, values).fetchall()


HOLD_CONTACT_DAY = """
    /* budget_check.hold_contact_day */
    INSERT INTO contact_days AS d (company_id, contact_id, day)
    VALUES (%(company)s, %(contact)s, %(day)s)
    ON CONFLICT (company_id, contact_id, day) DO UPDATE
    SET cost_micros = d.cost_micros
"""
RECOUNT_CONTACT_DAY = """
    /* budget_check.recount_contact_day */
    UPDATE contact_days
    SET cost_micros = (
        SELECT coalesce(sum(c.cost_micros), 0)
        FROM llm_calls c
        WHERE c.company_id = %(company)s
          AND c.contact_id = %(contact)s
          AND c.day = %(day)s
    )
    WHERE company_id = %(company)s
      AND contact_id = %(contact)s
      AND day = %(day)s
"""
HOLD_COMPANY_DAY = """
    /* budget_check.hold_company_day */
    INSERT INTO usage_daily AS u (company_id, day)
    VALUES (%(company)s, %(day)s)
    ON CONFLICT (company_id, day) DO UPDATE
    SET cost_micros = u.cost_micros
"""
RECOUNT_COMPANY_DAY = """
    /* budget_check.recount_company_day */
    UPDATE usage_daily
    SET cost_micros = (
        SELECT coalesce(sum(c.cost_micros), 0)
        FROM llm_calls c
        WHERE c.company_id = %(company)s
          AND c.day = %(day)s
    )
    WHERE company_id = %(company)s
      AND day = %(day)s
"""


def recount(conn: Conn, drift: Drift) -> None:
    """Set a day's sum to the ledger's. The row is held first: whoever is writing then adds its share afterwards. In a
    transaction of its own."""
    values = {"company": drift.company_id, "contact": drift.contact_id, "day": drift.day}
    of_contact, of_company = (HOLD_CONTACT_DAY, RECOUNT_CONTACT_DAY), (HOLD_COMPANY_DAY, RECOUNT_COMPANY_DAY)
    for statement in of_contact if drift.contact_id else of_company:
        conn.execute(statement, values)


def charge_expired(conn: Conn, company_id: int) -> bool:
    """Charge one of the company's reservations that nobody has settled in time, as if it had cost what was reserved;
    False: there is none. In a transaction of its own."""
    query = "/* budget_check.charge_expired */ SELECT charge_expired_reservation(%s)"
    return bool(conn.cursor(row_factory=scalar_row).execute(query, (company_id,)).fetchone())


KEPT_DAYS = 90
"""As the ledger is: longer than they count, for a clock that jumps ahead and back."""
DELETE_OLD = """
    /* budget_check.delete_old */
    DELETE FROM contact_days
    WHERE company_id = %s
      AND day < (now() AT TIME ZONE 'UTC')::date - %s::int
"""
DELETE_CHARGED = """
    /* budget_check.delete_charged */
    DELETE FROM budget_reservations
    WHERE company_id = %s
      AND charged_at < clock_timestamp() - interval '1 day'
"""


def delete_old(conn: Conn, company_id: int) -> int:
    """Delete days of contacts that count no more, and charged reservations that nobody settled late; returns how
    many rows."""
    days = conn.execute(DELETE_OLD, (company_id, KEPT_DAYS)).rowcount
    return days + conn.execute(DELETE_CHARGED, (company_id,)).rowcount

"""Counts costly work by day (UTC) against limits of a company and of a contact."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from psycopg.rows import class_row

from shared.store.db.pool import Conn

MEDIA_FETCHES, IMPORTS, SITES = "media_fetches", "imports", "sites"
IMAGES, MEMORY_EXTRACTIONS = "images", "memory_extractions"
"""Nothing asks for these two yet: whoever builds pictures made for customers, or memories drawn from conversations,
takes one before each call of a model (`tasks.tenants.allowance`)."""


@dataclass(frozen=True, slots=True)
class Spent:
    """A daily limit that was reached. bound: the limit; used: how much of it is used."""

    kind: str
    scope: Literal["company", "contact"]
    bound: int
    used: int


def take(
    conn: Conn, company_id: int, kind: str, day: date, *, contact_id: int | None = None, many: int = 1
) -> Spent | None:
    """Take so many of this day's, the company's and the contact's or neither; None: taken. In a short transaction of
    the company's: until its end nobody else of the company takes of this kind.

    Raises psycopg.errors.UndefinedObject for a kind that there is none of."""
    row = conn.execute(
        "/* limits.take */ SELECT take_daily(%s, %s, %s, %s, %s)", (company_id, contact_id, kind, many, day)
    ).fetchone()
    against = row[0] if row else None
    if not isinstance(against, dict):
        return None
    return Spent(kind, against["scope"], int(against["bound"]), int(against["used"]))


# ------------------------------------------------------------------ for operators, as the owner
@dataclass(frozen=True, slots=True)
class Bounds:
    """Limits of a kind of work. None: no limit. company_id: None for the default."""

    kind: str
    company_id: int | None
    per_company: int | None
    per_contact: int | None
    updated_at: datetime


def all_bounds(conn: Conn) -> list[Bounds]:
    """List the defaults, each followed by companies' own limits."""
    with conn.cursor(row_factory=class_row(Bounds)) as cursor:
        return cursor.execute(
            """
            /* limits.all_bounds */
            SELECT kind, NULL::bigint AS company_id, per_company, per_contact, updated_at
            FROM daily_limits
            UNION ALL
            SELECT kind, company_id, per_company, per_contact, updated_at
            FROM daily_limit_overrides
            ORDER BY 1, 2 NULLS FIRST
            """
        ).fetchall()


DEFAULTS: dict[str, tuple[int | None, int | None]] = {
    "media_fetches": (20_000, 300), "imports": (20_000, None), "sites": (50, None), "images": (3, None),
    "memory_extractions": (100, None),
}  # fmt: skip
"""Kind → (for a company, for a contact), as the migrations set them."""


def bounds_of(conn: Conn, kind: str, company_id: int | None) -> Bounds | None:
    """Return the limits that hold for a company, its own or the default; None: there is no such kind."""
    found = [b for b in all_bounds(conn) if b.kind == kind and b.company_id in (None, company_id)]
    return found[-1] if found else None


def set_bounds(
    conn: Conn, kind: str, company_id: int | None, *, per_company: int | None, per_contact: int | None
) -> None:
    """Set a company's own limits, or with company_id None the default. The kind must exist."""
    values = {"kind": kind, "company": company_id, "per_company": per_company, "per_contact": per_contact}
    if company_id is None:
        conn.execute(
            """
            /* limits.set_bounds */
            UPDATE daily_limits
            SET per_company = %(per_company)s, per_contact = %(per_contact)s, updated_at = now()
            WHERE kind = %(kind)s
            """,
            values,
        )
        return
    conn.execute(
        """
        /* limits.set_bounds */
        INSERT INTO daily_limit_overrides (company_id, kind, per_company, per_contact)
        VALUES (%(company)s, %(kind)s, %(per_company)s, %(per_contact)s)
        ON CONFLICT (company_id, kind) DO UPDATE
        SET per_company = excluded.per_company,
            per_contact = excluded.per_contact,
            updated_at = now()
        """,
        values,
    )


def unset_bounds(conn: Conn, kind: str, company_id: int) -> bool:
    """Delete a company's own limits, so that the default holds again. Returns False if it had none."""
    return (
        conn.execute(
            "/* limits.unset_bounds */ DELETE FROM daily_limit_overrides WHERE company_id = %s AND kind = %s",
            (company_id, kind),
        ).rowcount
        == 1
    )


def used(conn: Conn, day: date) -> dict[tuple[str, int], int]:
    """Return what was used on this day, by (kind, company)."""
    rows = conn.execute(
        """
        /* limits.used */
        SELECT kind, company_id, used
        FROM daily_uses
        WHERE day = %s
          AND contact_id = 0
          AND used > 0
        """,
        (day,),
    ).fetchall()
    return {(str(kind), int(str(company))): int(str(n)) for kind, company, n in rows}

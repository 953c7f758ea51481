"""How long logs are kept, and their days that are over: dropped whole, or but for what must stay. For the owner role.

A log is a table partitioned by day. A day that is over and holds rows of a company with a longer term, or of a request
that waits for a person, is replaced by a partition with those rows alone (`…_kept`), so that they are still found
through the table itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from psycopg import sql
from psycopg.rows import class_row

from shared.store.db.pool import Conn

DATED_ROWS = {
    "job_runs": "started_at", "table_sizes": "day", "balance_checks": "taken_at", "daily_uses": "day",
    "model_prices": "valid_until", "model_price_overrides": "valid_until",
    "usage_models": "day", "reports": "period", "api_keys": "revoked_at",
}  # fmt: skip
"""Logs of few rows, by the column that says when: not partitioned. Of API keys those that were revoked."""

# One request may hold events of several companies: it is one's only if all are.
_RAW = """(
    EXISTS (
        SELECT 1
        FROM webhook_events e
        WHERE e.day = r.day
          AND e.stream = r.stream
          AND e.entry_id = r.entry_id
          AND e.outcome = 'dead_letter'
    )
    OR (SELECT coalesce(bool_and(coalesce(e.company_id = ANY (%(companies)s::bigint[]), false)), false)
        FROM webhook_events e
        WHERE e.day = r.day
          AND e.stream = r.stream
          AND e.entry_id = r.entry_id
          AND e.ordinal >= 0)
)"""
_OF_COMPANIES = "coalesce(r.company_id = ANY (%(companies)s::bigint[]), false)"
_KEPT = {
    # dead letters are customers' words that no table has yet
    "webhook_raw": _RAW,
    "webhook_events": f"(r.outcome = 'dead_letter' OR {_OF_COMPANIES})",
    "delivery_attempts": _OF_COMPANIES,
    "llm_calls": _OF_COMPANIES,
}
"""Which rows `r` of a day that is over stay, where these companies have longer terms."""
_OWN = {
    **dict.fromkeys(("delivery_attempts", "llm_calls"), _OF_COMPANIES),
    "webhook_events": f"(r.outcome <> 'dead_letter' AND {_OF_COMPANIES})",
    "webhook_raw": _RAW.replace("EXISTS", "NOT EXISTS", 1).replace(" OR (SELECT", " AND (SELECT", 1),
}
"""Which rows `r` are these companies' alone, for a shorter term."""


@dataclass(frozen=True, slots=True)
class Override:
    """A company's own term for a log. purged_before: up to which day it has been carried out."""

    company_id: int
    subject: str
    days: int
    purged_before: date | None = None


@dataclass(frozen=True, slots=True)
class Day:
    """A partition. kept: it holds only what outlived its day."""

    parent: str
    name: str
    day: date
    kept: bool


def policies(conn: Conn) -> dict[str, int]:
    """Return how many days each log is kept."""
    rows = conn.execute("""
        /* retention.policies */
        SELECT subject, days
        FROM retention_policies
        ORDER BY 1
    """).fetchall()
    return {str(subject): int(str(days)) for subject, days in rows}


DEFAULT_DAYS = {
    "webhook_raw": 7, "webhook_events": 90, "delivery_attempts": 90, "llm_calls": 90, "balance_checks": 90,
    "job_runs": 400, "table_sizes": 800, "daily_uses": 90, "model_prices": 800, "model_price_overrides": 800,
    "usage_models": 800, "reports": 800, "api_keys": 800,
}  # fmt: skip
"""As the migrations set them."""


def overrides(conn: Conn) -> list[Override]:
    """List companies' own terms."""
    with conn.cursor(row_factory=class_row(Override)) as cursor:
        return cursor.execute(
            """
            /* retention.overrides */
            SELECT company_id, subject, days, purged_before
            FROM retention_overrides
            ORDER BY subject, company_id
            """
        ).fetchall()


def set_days(conn: Conn, subject: str, days: int) -> bool:
    """Set how many days a log is kept. Returns False if there is no such log."""
    cursor = conn.execute(
        """
        /* retention.set_days */
        UPDATE retention_policies
        SET days = %s, updated_at = now()
        WHERE subject = %s
        """,
        (days, subject),
    )
    return cursor.rowcount == 1


def set_override(conn: Conn, company_id: int, subject: str, days: int) -> None:
    """Set a company's own term, which holds from the next run on. A shorter one is carried out from the beginning
    again."""
    conn.execute(
        """
        /* retention.set_override */
        INSERT INTO retention_overrides (company_id, subject, days)
        VALUES (%s, %s, %s)
        ON CONFLICT (company_id, subject) DO UPDATE
        SET days = excluded.days, purged_before = NULL, updated_at = now()
        """,
        (company_id, subject, days),
    )


def unset_override(conn: Conn, company_id: int, subject: str) -> bool:
    """Delete a company's own term, so that its rows follow the default again. Returns False if it had none."""
    cursor = conn.execute(
        "/* retention.unset_override */ DELETE FROM retention_overrides WHERE company_id = %s AND subject = %s",
        (company_id, subject),
    )
    return cursor.rowcount == 1


def mark_purged(conn: Conn, override: Override, before: date) -> None:
    """Note up to which day a company's own term has been carried out."""
    conn.execute(
        """
        /* retention.mark_purged */
        UPDATE retention_overrides
        SET purged_before = %s
        WHERE company_id = %s
          AND subject = %s
          AND days = %s
        """,
        (before, override.company_id, override.subject, override.days),
    )


def days_before(conn: Conn, parent: str, before: date) -> list[Day]:
    """List partitions of days before this one, oldest first."""
    rows = conn.execute(
        """
        /* retention.days_before */
        SELECT c.relname::text, substring(c.relname FROM %s), c.relname LIKE '%%\\_kept'
        FROM pg_inherits i
        JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = %s::regclass
          AND c.relname ~ %s
          AND substring(c.relname FROM %s) < %s
        ORDER BY 2
        """,
        (_DIGITS, parent, rf"^{parent}_\d{{8}}(_kept)?$", _DIGITS, f"{before:%Y%m%d}"),
    ).fetchall()
    return [
        Day(parent, str(name), datetime.strptime(str(day), "%Y%m%d").date(), bool(kept))  # noqa: DTZ007  a day
        for name, day, kept in rows
    ]


_DIGITS = r"_(\d{8})(?:_kept)?$"


def weigh(conn: Conn, name: str) -> tuple[int, int]:
    """Return (rows, bytes) of a table with its indexes. Rows as of the last ANALYZE, counted if there was none."""
    row = conn.execute(
        """
        /* retention.weigh */
        SELECT reltuples::bigint, pg_total_relation_size(oid)
        FROM pg_class
        WHERE oid = to_regclass(%s)
        """,
        (name,),
    ).fetchone()
    assert row is not None
    rows, size = int(str(row[0])), int(str(row[1]))
    if rows < 0:
        counted = conn.execute(sql.SQL("/* retention.weigh */ SELECT count(*) FROM {}").format(sql.Identifier(name)))
        rows = int(str(counted.fetchall()[0][0]))
    return rows, size


def has_kept(conn: Conn, day: Day, companies: Sequence[int]) -> bool:
    """Say whether a row of the day must stay. Without longer terms this reads one index entry, whatever the day
    holds."""
    if not companies:
        if day.parent not in ("webhook_raw", "webhook_events"):
            return False
        row = conn.execute(
            """
            /* retention.has_kept */
            SELECT EXISTS (SELECT 1 FROM webhook_events WHERE day = %s AND outcome = 'dead_letter')
            """,
            (day.day,),
        ).fetchone()
        return bool(row and row[0])
    query = sql.SQL("/* retention.has_kept */ SELECT EXISTS (SELECT 1 FROM {} r WHERE {})").format(
        sql.Identifier(day.name), sql.SQL(_KEPT[day.parent])
    )
    row = conn.execute(query, {"companies": list(companies)}).fetchone()
    return bool(row and row[0])


def drop(conn: Conn, day: Day) -> None:
    """Drop the whole day at once. Waits for readers of the table, within the caller's lock_timeout."""
    conn.execute(sql.SQL("/* retention.drop */ DROP TABLE {}").format(sql.Identifier(day.name)))


def reduce(conn: Conn, day: Day, companies: Sequence[int]) -> int:
    """Replace a day's partition by one with what stays of it; returns how many rows. In the caller's transaction.

    The copy holds nobody up: only the exchange at its end takes the table for itself, for milliseconds.
    """
    kept = sql.Identifier(f"{day.parent}_{day.day:%Y%m%d}_kept")
    names = {
        "parent": sql.Identifier(day.parent),
        "day": sql.Identifier(day.name),
        "kept": kept,
        "kept_name": sql.Literal(f"{day.parent}_{day.day:%Y%m%d}_kept"),
        "parent_name": sql.Literal(day.parent),
        "first": sql.Literal(day.day),
        "rows": sql.SQL(_KEPT[day.parent]),
    }

    def run(statement: str, values: dict[str, list[int]] | None = None) -> int:
        return conn.execute(sql.SQL("/* retention.reduce */ " + statement).format(**names), values).rowcount

    run("LOCK TABLE {day} IN SHARE MODE")  # a person who redrives or discards one of its rows waits
    run("CREATE TABLE {kept} (LIKE {parent} INCLUDING DEFAULTS INCLUDING CONSTRAINTS)")
    run("SELECT switchboard_tune_partition({kept_name}::regclass, {parent_name}::regclass)")
    stay = run("INSERT INTO {kept} SELECT * FROM {day} r WHERE {rows}", {"companies": list(companies)})
    run("DROP TABLE {day}")
    run("ALTER TABLE {parent} ATTACH PARTITION {kept} FOR VALUES FROM ({first}) TO ({first}::date + 1)")
    run("ALTER TABLE {kept} ENABLE ROW LEVEL SECURITY")
    run("REVOKE ALL ON {kept} FROM switchboard_app")
    run("ANALYZE {kept}")  # what it weighs is shown and asked from then on
    return stay


def delete_expired(conn: Conn, parent: str, name: str, before: date, companies: Sequence[int], *, limit: int) -> int:
    """Delete rows of this partition whose day is before, except those that must stay; at most so many. Returns how
    many."""
    return _delete(conn, name, f"r.day < %(before)s AND NOT {_KEPT[parent]}", companies, before, limit)


def delete_own(conn: Conn, parent: str, name: str, before: date, company_id: int, *, limit: int) -> int:
    """Delete rows of this partition whose day is before and that are this company's alone; at most so many. Returns how
    many."""
    return _delete(conn, name, f"r.day < %(before)s AND {_OWN[parent]}", [company_id], before, limit)


def delete_dated(conn: Conn, subject: str, before: date, *, limit: int) -> int:
    """Delete old rows of a log that is not partitioned; at most so many. Returns how many."""
    return _delete(conn, subject, f"r.{DATED_ROWS[subject]} < %(before)s", [], before, limit)


def count_dated(conn: Conn, subject: str, before: date) -> int:
    """Say how many rows `delete_dated` would delete in all."""
    query = sql.SQL("""
        /* retention.count_dated */
        SELECT count(*)
        FROM {}
        WHERE {} < %s
    """).format(sql.Identifier(subject), sql.Identifier(DATED_ROWS[subject]))
    return int(str(conn.execute(query, (before,)).fetchall()[0][0]))


def count_own(conn: Conn, parent: str, name: str, before: date, company_id: int) -> int:
    """Say how many rows `delete_own` would delete in all."""
    query = sql.SQL("""
        /* retention.count_own */
        SELECT count(*)
        FROM {} r
        WHERE r.day < %(before)s
          AND {}
    """).format(sql.Identifier(name), sql.SQL(_OWN[parent]))
    return int(str(conn.execute(query, {"before": before, "companies": [company_id]}).fetchall()[0][0]))


def count_expired(conn: Conn, parent: str, name: str, before: date, companies: Sequence[int]) -> int:
    """Say how many rows `delete_expired` would delete in all."""
    query = sql.SQL(
        """
        /* retention.count_expired */
        SELECT count(*)
        FROM {} r
        WHERE r.day < %(before)s
          AND NOT {}
        """
    ).format(sql.Identifier(name), sql.SQL(_KEPT[parent]))
    return int(str(conn.execute(query, {"before": before, "companies": list(companies)}).fetchall()[0][0]))


def is_empty(conn: Conn, name: str) -> bool:
    query = sql.SQL("/* retention.is_empty */ SELECT NOT EXISTS (SELECT 1 FROM {})").format(sql.Identifier(name))
    return bool(conn.execute(query).fetchall()[0][0])


DELETE = """
    /* retention.delete */
    DELETE FROM {table}
    WHERE ctid = ANY (
        ARRAY(
            SELECT r.ctid
            FROM {table} r
            WHERE {condition}
            LIMIT %(limit)s
        )
    )
"""


def _delete(conn: Conn, name: str, condition: str, companies: Sequence[int], before: date, limit: int) -> int:
    query = sql.SQL(DELETE).format(table=sql.Identifier(name), condition=sql.SQL(condition))
    return conn.execute(query, {"companies": list(companies), "before": before, "limit": limit}).rowcount

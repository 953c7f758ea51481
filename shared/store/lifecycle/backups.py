"""Says what a backup must hold, and stores which backups there are. For the owner role unless a function says
otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString

from psycopg import sql
from psycopg.rows import class_row, scalar_row

from shared.store.db.pool import Conn
from shared.store.inbox import company_totals

Facts = dict[str, Any]
"""What is counted on both sides, as JSON takes it."""


REQUESTS = """
    /* backups.facts */
    SELECT jsonb_build_object('requests', coalesce(sum(requests), 0), 'redrives', coalesce(sum(redrives), 0))
    FROM journal_progress
"""
TOTALS = """
    /* backups.facts */
    SELECT jsonb_build_object(
        'customer_messages', coalesce(sum(customer_messages), 0),
        'unread', coalesce(sum(unread), 0)
    )
    FROM company_totals
"""
# A conversation knows its last message's seq.
TORN_CONVERSATIONS = """
    /* backups.facts */
    SELECT to_jsonb(count(*))
    FROM conversations c
    WHERE message_count > archived_seq
      AND NOT EXISTS (
          SELECT 1
          FROM messages m
          WHERE m.company_id = c.company_id
            AND m.conversation_id = c.id
            AND m.seq = c.message_count
      )
"""


def facts(conn: Conn) -> Facts:
    """Describe the database as this transaction sees it: rows of every table, checksums of the migrations, and sums
    that must hold between tables. A restored copy has the same."""
    checksums = conn.execute("/* backups.facts */ SELECT name, checksum FROM schema_migrations").fetchall()
    states = conn.execute("/* backups.facts */ SELECT what, name, n FROM ops_counts()").fetchall()
    return {
        "migrations": {str(name): str(checksum) for name, checksum in checksums},
        "rows": {name: _count(conn, name) for name in _tables(conn)},
        "states": {f"{what} {name}": int(str(n)) for what, name, n in states},
        "journal": _one(conn, REQUESTS),
        "totals": _one(conn, TOTALS),
        "drifted_totals": company_totals.drifted_totals(conn),
        "torn_conversations": _one(conn, TORN_CONVERSATIONS),
    }


def differences(wanted: Facts, found: Facts) -> list[str]:
    """Describe how a copy differs from what was wanted; empty if it does not."""
    told = []
    for what in wanted.keys() | found.keys():
        one, other = wanted.get(what), found.get(what)
        if isinstance(one, dict) and isinstance(other, dict):
            told += [f"{what} {key}: {one.get(key)} in the backup, {other.get(key)} restored"
                     for key in one.keys() | other.keys() if one.get(key) != other.get(key)]  # fmt: skip
        elif one != other:
            told.append(f"{what}: {one} in the backup, {other} restored")
    return sorted(told)


def _tables(conn: Conn) -> list[str]:
    """List the tables; a partitioned one once."""
    with conn.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute(
            """
            /* backups.tables */
            SELECT relname::text
            FROM pg_class
            WHERE relnamespace = 'public'::regnamespace
              AND relkind IN ('r', 'p')
              AND NOT relispartition
            ORDER BY 1
            """
        ).fetchall()


def _count(conn: Conn, table: str) -> int:
    query = sql.SQL("/* backups.count */ SELECT count(*) FROM {}").format(sql.Identifier(table))
    return int(str(conn.execute(query).fetchall()[0][0]))


def _one(conn: Conn, query: LiteralString) -> Any:
    return conn.execute(query).fetchall()[0][0]


ROLES = """
    /* backups.roles */
    WITH acl AS (
        SELECT relowner AS owner, relacl AS acl
        FROM pg_class
        WHERE relnamespace = 'public'::regnamespace
        UNION ALL
        SELECT proowner, proacl
        FROM pg_proc
        WHERE pronamespace = 'public'::regnamespace
        UNION ALL
        SELECT defaclrole, defaclacl
        FROM pg_default_acl
        UNION ALL
        SELECT nspowner, nspacl
        FROM pg_namespace
        WHERE nspname = 'public'
    )
    SELECT rolname::text
    FROM pg_roles
    WHERE rolname !~ '^pg_'
      AND oid IN (
          SELECT owner
          FROM acl
          UNION
          SELECT a.grantee
          FROM acl, aclexplode(acl.acl) a
      )
    ORDER BY 1
"""


def roles(conn: Conn) -> list[str]:
    """List the roles that the schema names as owners and grantees: they must exist where it is restored."""
    with conn.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute(ROLES).fetchall()


# ------------------------------------------------------------------ the rows
@dataclass(frozen=True, slots=True)
class Kept:
    """A backup that is kept. bytes: on its disk. proof: how restoring it ended; None: nobody has tried it yet."""

    name: str
    made_at: datetime
    seconds: float
    bytes: int
    rows: int
    proved_at: datetime | None = None
    proof: str | None = None


def sync(conn: Conn, kept: Sequence[Kept]) -> None:
    """The rows of these backups and no others; what is known of their proofs stays. A row that was not there, as after
    a restore, takes the proof that was kept beside the backup."""
    with conn.transaction():
        conn.execute("/* backups.sync */ DELETE FROM backups WHERE name <> ALL (%s)", ([one.name for one in kept],))
        for one in kept:
            conn.execute(
                """
                /* backups.sync */
                INSERT INTO backups (name, made_at, seconds, bytes, rows, proved_at, proof)
                VALUES (%s, %s, %s, %s, %s, %s, %s)
                ON CONFLICT (name) DO NOTHING
                """,
                (one.name, one.made_at, one.seconds, one.bytes, one.rows, one.proved_at, one.proof),
            )


def note_proof(conn: Conn, name: str, proof: str) -> None:
    conn.execute(
        """
        /* backups.note_proof */
        UPDATE backups
        SET proof = %s, proved_at = clock_timestamp()
        WHERE name = %s
        """,
        (proof, name),
    )


def all_kept(conn: Conn) -> list[Kept]:
    """List the backups, newest first. As either role."""
    with conn.cursor(row_factory=class_row(Kept)) as cursor:
        return cursor.execute(
            """
            /* backups.all_kept */
            SELECT name, made_at, seconds, bytes, rows, proved_at, proof
            FROM backups
            ORDER BY made_at DESC
            """
        ).fetchall()


@dataclass(frozen=True, slots=True)
class State:
    """How backups stand. proof: of the newest backup that was tried. restorable_at: when the newest one was made that
    was seen to restore. born_at: since when jobs run."""

    kept: int
    bytes: int
    newest: str | None
    made_at: datetime | None
    proof: str | None
    restorable_at: datetime | None
    born_at: datetime | None


STATE = """
    /* backups.state */
    SELECT
        count(*) AS kept,
        coalesce(sum(bytes), 0)::bigint AS bytes,
        max(name) AS newest,
        max(made_at) AS made_at,
        (
            SELECT proof
            FROM backups
            WHERE proof IS NOT NULL
            ORDER BY proved_at DESC
            LIMIT 1
        ) AS proof,
        max(made_at) FILTER (WHERE proof = 'restored') AS restorable_at,
        (
            SELECT started_at
            FROM job_runs
            ORDER BY id
            LIMIT 1
        ) AS born_at
    FROM backups
"""


def state(conn: Conn) -> State:
    """Return how backups stand. Works for both roles."""
    with conn.cursor(row_factory=class_row(State)) as cursor:
        row = cursor.execute(STATE).fetchone()
    assert row is not None
    return row


# ------------------------------------------------------------------ after restoring
HOLD_PARTS = """
    /* backups.hold_open_work */
    UPDATE outbound
    SET state = 'unknown_outcome', meaning = 'restored', unknown_since = clock_timestamp(), epoch = epoch + 1
    WHERE state IN ('queued', 'sending')
"""
HAND_OVER_CONVERSATIONS = """
    /* backups.hold_open_work */
    UPDATE conversations c
    SET bot_enabled = false, status = 'handed_over', bot_off_reason = 'restored', bot_off_at = NULL
    WHERE EXISTS (
        SELECT 1
        FROM turns t
        WHERE t.company_id = c.company_id
          AND t.conversation_id = c.id
          AND t.state IN ('waiting', 'answering')
    )
"""
CANCEL_TURNS = """
    /* backups.hold_open_work */
    UPDATE turns
    SET state = 'cancelled', epoch = epoch + 1, error = 'restored', finished_at = clock_timestamp()
    WHERE state IN ('waiting', 'answering')
"""


def hold_open_work(conn: Conn) -> dict[str, int]:
    """Stop what was under way when the backup was made, because it may have been answered and sent since. Parts get an
    unknown outcome, for a person to settle; turns end, and their conversations are a person's. Returns how many. In the
    caller's transaction."""
    return {
        "parts": conn.execute(HOLD_PARTS).rowcount,
        "conversations": conn.execute(HAND_OVER_CONVERSATIONS).rowcount,
        "turns": conn.execute(CANCEL_TURNS).rowcount,
    }


def erased_since(conn: Conn, since: datetime) -> list[tuple[int, int]]:
    """List contacts, as (company, contact), that were erased after this."""
    rows = conn.execute(
        """
        /* backups.erased_since */
        SELECT company_id, substring(subject FROM '^contact ([0-9]+)$')::bigint
        FROM deletion_receipts
        WHERE kind = 'contact'
          AND last_at >= %s
        ORDER BY 1, 2
        """,
        (since,),
    ).fetchall()
    return [(int(str(company)), int(str(contact))) for company, contact in rows if contact is not None]

"""Moves messages into the archive, with all that belongs to them. For the owner role.

Each function is a few set-based statements of the caller's one transaction, which holds the conversations' locks: so
wherever it ends, every row is in exactly one place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg import sql
from psycopg.rows import tuple_row

from shared import faults
from shared.store.db.pool import Conn
from shared.store.inbox.archived import SEGMENT_MESSAGES


@dataclass(frozen=True, slots=True)
class Stretch:
    """Messages of a conversation, locked: from_seq < seq <= cut. whole: no more of it is old enough."""

    conversation_id: int
    last_message_at: datetime
    from_seq: int
    cut: int
    whole: bool


@dataclass(slots=True)
class Moved:
    """Result of a move. rows: of all kinds. bytes_before: of the rows, as BYTES measures them; bytes_after: of the
    segments."""

    messages: int = 0
    rows: int = 0
    bytes_before: int = 0
    bytes_after: int = 0


@dataclass(frozen=True, slots=True)
class Kind:
    """A table whose rows go with messages. choose: which rows `r` of stretches `p` (id, from_seq, cut) go, and the seq
    they belong to. order: of the rows in a segment."""

    name: str
    choose: str
    seq: str
    order: str = "id"


KINDS = (
    # Before their messages, whose seqs they ask for, and receipts before their turns. Turns whose answer stays, stay.
    Kind(
        "outbound",
        """
        USING p, messages m
        WHERE m.company_id = %(company)s
          AND m.conversation_id = p.id
          AND m.seq <= p.cut
          AND m.role <> 'customer'
          AND r.company_id = %(company)s
          AND r.message_id = m.id
        """,
        "m.seq",
    ),
    Kind(
        "receipts",
        """
        USING p, turns t
        WHERE t.company_id = %(company)s
          AND t.conversation_id = p.id
          AND t.last_seq <= p.cut
          AND r.company_id = %(company)s
          AND r.turn_id = t.id
          AND NOT EXISTS (
              SELECT 1
              FROM messages m
              WHERE m.company_id = %(company)s
                AND m.id = r.message_id
                AND m.seq > p.cut
          )
        """,
        "t.last_seq",
        "turn_id",
    ),
    Kind(
        "turns",
        """
        USING p
        WHERE r.company_id = %(company)s
          AND r.conversation_id = p.id
          AND r.last_seq <= p.cut
          AND NOT EXISTS (SELECT 1 FROM receipts x WHERE x.company_id = %(company)s AND x.turn_id = r.id)
        """,
        "r.last_seq",
    ),
    Kind(
        "messages",
        """
        USING p
        WHERE r.company_id = %(company)s
          AND r.conversation_id = p.id
          AND r.seq <= p.cut
        """,
        "r.seq",
        "seq",
    ),
)
"""In the order in which they leave; they come back in the reverse one. All that belongs to a message stands here."""

OLD = """
    FROM conversations c
    WHERE c.company_id = %(company)s
      AND c.last_message_at < %(before)s
      AND c.message_count - %(keep)s > c.archived_seq
      AND NOT EXISTS (
          SELECT 1
          FROM turns t
          WHERE t.company_id = c.company_id
            AND t.conversation_id = c.id
            AND t.state IN ('waiting', 'answering')
      )
      AND NOT EXISTS (
          SELECT 1
          FROM outbound o
          WHERE o.company_id = c.company_id
            AND o.conversation_id = c.id
            AND o.state IN ('queued', 'sending', 'unknown_outcome')
      )
"""
"""Quiet conversations with more than stays, in which nothing is under way."""


EMPTY_BYTES = "(SELECT octet_length(row_to_json(json_populate_record(NULL::{table}, '{{}}'))::text))"
"""Length of what every row of a table has as JSON: its columns' names."""
BYTES = "octet_length(row_to_json(g.row)::text) - " + EMPTY_BYTES
"""Length of a row `g.row` as JSON without its columns' names: about what it takes in its table, and the same whatever
plan carries it."""


PICK = (
    """
    /* archive.pick */
    SELECT c.id, c.last_message_at, c.archived_seq, c.message_count - %(keep)s
    """
    + OLD
    + """
      AND (c.last_message_at, c.id) >= (%(at)s::timestamptz, %(id)s::bigint)
    ORDER BY c.last_message_at, c.id
    LIMIT %(limit)s
    FOR UPDATE OF c SKIP LOCKED
    """
)


def pick(
    conn: Conn, company_id: int, *, before: datetime, keep: int, limit: int, after: tuple[datetime, int] | None,
    conversations: int = 100,
) -> list[Stretch]:  # fmt: skip
    """Lock the quietest conversations of a company and choose what to move of each, about `limit` messages together.

    Conversations that are locked at the moment are skipped. after: (last_message_at, id) to begin at.
    """
    rows = conn.cursor(row_factory=tuple_row).execute(
        PICK,
        {
            "company": company_id, "before": before, "keep": keep, "limit": conversations,
            "at": after[0] if after else "-infinity", "id": after[1] if after else 0,
        },
    ).fetchall()  # fmt: skip
    found: list[Stretch] = []
    for id_, at, from_seq, old in rows:
        if limit <= 0:
            break
        cut = min(old, from_seq + limit)
        found.append(Stretch(id_, at, from_seq, cut, cut == old))
        limit -= cut - from_seq
    return found


MOVE_NAMES = """
    /* archive.move */
    UPDATE media d
    SET name = m.attachments -> d.ordinal ->> 'name'
    FROM unnest(%(ids)s::bigint[], %(cuts)s::bigint[]) AS p (id, cut), messages m
    WHERE m.company_id = %(company)s
      AND m.conversation_id = p.id
      AND m.seq <= p.cut
      AND m.attachments IS NOT NULL
      AND d.company_id = %(company)s
      AND d.message_id = m.id
"""


def move(conn: Conn, company_id: int, stretches: Sequence[Stretch], run_id: int) -> Moved:
    """Move these messages and what belongs to them. In the caller's transaction, after `pick`."""
    if not stretches:
        return Moved()
    plan_small_sets(conn)
    values = {
        "company": company_id,
        "run": run_id,
        "ids": [s.conversation_id for s in stretches],
        "froms": [s.from_seq for s in stretches],
        "cuts": [s.cut for s in stretches],
        "segment": SEGMENT_MESSAGES,
    }
    conn.execute(MOVE_NAMES, values)
    moved = Moved()
    for kind in KINDS:
        row = conn.execute(_move_kind(kind), values).fetchone()
        assert row is not None
        rows, before = (int(str(n)) for n in row)
        moved.rows, moved.bytes_before = moved.rows + rows, moved.bytes_before + before
        moved.messages = rows  # the last kind
        faults.reach(f"archive.{kind.name}")
    conn.execute(
        """
        /* archive.move */
        UPDATE conversations c
        SET archived_seq = p.cut
        FROM unnest(%(ids)s::bigint[], %(cuts)s::bigint[]) AS p (id, cut)
        WHERE c.company_id = %(company)s
          AND c.id = p.id
        """,
        values,
    )
    faults.reach("archive.conversations")
    row = conn.execute(
        # behind the insert: what RETURNING would tell is not compressed yet
        """
        /* archive.move */
        SELECT coalesce(sum(pg_column_size(s.body)), 0)
        FROM unnest(%(ids)s::bigint[], %(froms)s::bigint[]) AS p (id, from_seq)
        JOIN archive_segments s ON s.company_id = %(company)s
          AND s.conversation_id = p.id
          AND s.first_seq > p.from_seq
        """,
        values,
    ).fetchone()
    assert row is not None
    moved.bytes_after = int(str(row[0]))
    conn.execute(
        """
        /* archive.move */
        UPDATE archive_runs
        SET messages = messages + %s,
            rows = rows + %s,
            bytes_before = bytes_before + %s,
            bytes_after = bytes_after + %s
        WHERE id = %s
        """,
        (moved.messages, moved.rows, moved.bytes_before, moved.bytes_after, run_id),
    )
    faults.reach("archive.before_commit")
    return moved


def plan_small_sets(conn: Conn) -> None:
    """Have the planner use indexes: the sets are small, and because nothing is known of their size it might read a
    table of ten million rows, which takes minutes."""
    conn.execute("/* archive.plan */ SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off")


MOVE_KIND = """
    /* archive.move */
    WITH p AS (
        SELECT *
        FROM unnest(%(ids)s::bigint[], %(froms)s::bigint[], %(cuts)s::bigint[]) AS p (id, from_seq, cut)
    ), gone AS (
        DELETE FROM {table} r
        {choose}
        RETURNING
            r AS row, r.{order} AS place, r.created_at, {keyed} p.id AS conversation_id, p.from_seq, p.cut,
            greatest({seq}, p.from_seq + 1) AS seq
    ), {keys} stretches AS MATERIALIZED (
        SELECT
            g.conversation_id, g.from_seq, g.cut, n, min(g.created_at) AS from_at, max(g.created_at) AS to_at,
            count(*) AS rows, json_agg(g.row ORDER BY g.place) AS body
        FROM gone g
        CROSS JOIN LATERAL (SELECT (g.seq - g.from_seq - 1) / %(segment)s) AS s (n)
        GROUP BY g.conversation_id, g.from_seq, g.cut, n
    ), made AS (
        INSERT INTO archive_segments (
            company_id, conversation_id, kind, first_seq, last_seq, run_id, from_at, to_at, rows, hot_bytes, body
        )
        SELECT
            %(company)s,
            s.conversation_id,
            {kind},
            s.from_seq + s.n * %(segment)s + 1,
            least(s.from_seq + (s.n + 1) * %(segment)s, s.cut),
            %(run)s,
            s.from_at,
            s.to_at,
            s.rows,
            octet_length(s.body::text) - {brackets} - (s.rows - 1) * {comma} - s.rows * {empty_bytes},
            s.body
        FROM stretches s
        RETURNING rows, hot_bytes
    )
    SELECT coalesce(sum(rows), 0), coalesce(sum(hot_bytes), 0)
    FROM made
"""
MOVE_KEYS = """
    keys AS (
        INSERT INTO archived_keys (company_id, channel_id, key_hash, message_id)
        SELECT %(company)s, g.channel_id, dedupe_key_hash(g.dedupe_key), g.id
        FROM gone g
        WHERE g.dedupe_key IS NOT NULL
    ),
"""


def _move_kind(kind: Kind) -> sql.Composed:
    """Build the statement that moves rows of one kind out of their table, into one segment for every SEGMENT_MESSAGES
    of a stretch; with messages their keys as well.

    Rows become JSON while they are gathered, which costs a sixth less than one by one before.
    """
    with_keys, table = kind.name == "messages", sql.Identifier(kind.name)
    return sql.SQL(MOVE_KIND).format(
        table=table,
        choose=sql.SQL(kind.choose),
        order=sql.Identifier(kind.order),
        seq=sql.SQL(kind.seq),
        keyed=sql.SQL("r.channel_id, r.dedupe_key, r.id," if with_keys else ""),
        keys=sql.SQL(MOVE_KEYS if with_keys else ""),
        kind=sql.Literal(kind.name),
        brackets=sql.Literal(len("[]")),
        comma=sql.Literal(len(", \n ")),
        empty_bytes=sql.SQL(EMPTY_BYTES).format(table=table),
    )

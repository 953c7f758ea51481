"""Moving messages into the archive and back, with all that belongs to them. For the owner role.

Each function is a few set-based statements of the caller's one transaction, which holds the conversations' locks: so
wherever it ends, every row is in exactly one place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg import sql

from shared import faults
from shared.store.archived import SEGMENT_MESSAGES
from shared.store.pool import Conn


@dataclass(frozen=True, slots=True)
class Stretch:
    """Messages of a conversation, locked: from_seq < seq <= cut. whole: nothing more of it is old enough."""

    conversation_id: int
    last_message_at: datetime
    from_seq: int
    cut: int
    whole: bool


@dataclass(slots=True)
class Moved:
    """rows: of all kinds. bytes: of the rows written out, about what they take in their tables and the same wherever
    a plan carries them; and of the segments."""

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
        "USING p, messages m WHERE m.company_id = %(company)s AND m.conversation_id = p.id AND m.seq <= p.cut"
        " AND m.role <> 'customer' AND r.company_id = %(company)s AND r.message_id = m.id",
        "m.seq",
    ),
    Kind(
        "receipts",
        "USING p, turns t WHERE t.company_id = %(company)s AND t.conversation_id = p.id AND t.last_seq <= p.cut"
        " AND r.company_id = %(company)s AND r.turn_id = t.id AND NOT EXISTS (SELECT 1 FROM messages m"
        "   WHERE m.company_id = %(company)s AND m.id = r.message_id AND m.seq > p.cut)",
        "t.last_seq",
        "turn_id",
    ),
    Kind(
        "turns",
        "USING p WHERE r.company_id = %(company)s AND r.conversation_id = p.id AND r.last_seq <= p.cut"
        " AND NOT EXISTS (SELECT 1 FROM receipts x WHERE x.company_id = %(company)s AND x.turn_id = r.id)",
        "r.last_seq",
    ),
    Kind(
        "messages",
        "USING p WHERE r.company_id = %(company)s AND r.conversation_id = p.id AND r.seq <= p.cut",
        "r.seq",
        "seq",
    ),
)
"""In the order in which they leave; they come back in the reverse one. All that belongs to a message stands here."""

_OLD = (
    " FROM conversations c WHERE c.company_id = %(company)s AND c.last_message_at < %(before)s"
    " AND c.message_count - %(keep)s > c.archived_seq"
    " AND NOT EXISTS (SELECT 1 FROM turns t WHERE t.company_id = c.company_id AND t.conversation_id = c.id"
    "   AND t.state IN ('waiting', 'answering'))"
    " AND NOT EXISTS (SELECT 1 FROM outbound o WHERE o.company_id = c.company_id AND o.conversation_id = c.id"
    "   AND o.state IN ('queued', 'sending', 'uncertain'))"
)
"""Quiet conversations with more than stays, in which nothing is under way."""


def pick(
    conn: Conn, company_id: int, *, before: datetime, keep: int, limit: int, after: tuple[datetime, int] | None,
    conversations: int = 100,
) -> list[Stretch]:  # fmt: skip
    """Lock the quietest conversations of a company and say what of each goes, together about `limit` messages.
    Whoever holds one of them just now has it spared. after: (last_message_at, id) to begin at."""
    rows = conn.execute(
        "/* archive.pick */ SELECT c.id, c.last_message_at, c.archived_seq, c.message_count - %(keep)s" + _OLD +
        " AND (c.last_message_at, c.id) >= (%(at)s::timestamptz, %(id)s::bigint)"
        " ORDER BY c.last_message_at, c.id LIMIT %(limit)s FOR UPDATE OF c SKIP LOCKED",
        {
            "company": company_id, "before": before, "keep": keep, "limit": conversations,
            "at": after[0] if after else "-infinity", "id": after[1] if after else 0,
        },
    ).fetchall()  # fmt: skip
    found: list[Stretch] = []
    for id_, at, from_seq, old in rows:
        if limit <= 0:
            break
        first, last = int(str(from_seq)), int(str(old))
        cut = min(last, first + limit)
        found.append(Stretch(int(str(id_)), at, first, cut, cut == last))  # type: ignore[arg-type]
        limit -= cut - first
    return found


def move(conn: Conn, company_id: int, stretches: Sequence[Stretch], run_id: int) -> Moved:
    """Move these stretches' messages and what belongs to them. In the caller's transaction, behind `pick`."""
    if not stretches:
        return Moved()
    _plan_small_sets(conn)
    values = {
        "company": company_id,
        "run": run_id,
        "ids": [s.conversation_id for s in stretches],
        "froms": [s.from_seq for s in stretches],
        "cuts": [s.cut for s in stretches],
        "segment": SEGMENT_MESSAGES,
    }
    conn.execute(
        "/* archive.move */ UPDATE media d SET name = m.attachments -> d.ordinal ->> 'name'"
        " FROM unnest(%(ids)s::bigint[], %(cuts)s::bigint[]) AS p (id, cut), messages m"
        " WHERE m.company_id = %(company)s AND m.conversation_id = p.id AND m.seq <= p.cut"
        " AND m.attachments IS NOT NULL AND d.company_id = %(company)s AND d.message_id = m.id",
        values,
    )
    moved = Moved()
    for kind in KINDS:
        row = conn.execute(_move_kind(kind), values).fetchone()
        assert row is not None
        rows, before = (int(str(n)) for n in row)
        moved.rows, moved.bytes_before = moved.rows + rows, moved.bytes_before + before
        moved.messages = rows  # the last kind
        faults.reach(f"archive.{kind.name}")
    conn.execute(
        "/* archive.move */ UPDATE conversations c SET archived_seq = p.cut"
        " FROM unnest(%(ids)s::bigint[], %(cuts)s::bigint[]) AS p (id, cut)"
        " WHERE c.company_id = %(company)s AND c.id = p.id",
        values,
    )
    faults.reach("archive.conversations")
    row = conn.execute(
        # behind the insert: what RETURNING would tell is not compressed yet
        "/* archive.move */ SELECT coalesce(sum(pg_column_size(s.body)), 0)"
        " FROM unnest(%(ids)s::bigint[], %(froms)s::bigint[]) AS p (id, from_seq) JOIN archive_segments s"
        " ON s.company_id = %(company)s AND s.conversation_id = p.id AND s.first_seq > p.from_seq",
        values,
    ).fetchone()
    assert row is not None
    moved.bytes_after = int(str(row[0]))
    conn.execute(
        "/* archive.move */ UPDATE archive_runs SET messages = messages + %s, rows = rows + %s,"
        " bytes_before = bytes_before + %s, bytes_after = bytes_after + %s WHERE id = %s",
        (moved.messages, moved.rows, moved.bytes_before, moved.bytes_after, run_id),
    )
    faults.reach("archive.before_commit")
    return moved


def _plan_small_sets(conn: Conn) -> None:
    """The sets are small and every look-up has its index; a plan that reads a table of ten million rows because
    nothing is known of the sets would be a mistake of minutes."""
    conn.execute("/* archive.plan */ SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off")


def _move_kind(kind: Kind) -> sql.Composed:
    """Rows out of their table, into a segment a stretch of SEGMENT_MESSAGES; with messages their keys as well."""
    keys, keyed = "", ""
    if kind.name == "messages":
        keyed = " r.channel_id, r.dedupe_key, r.id,"
        keys = (
            "keys AS (INSERT INTO archived_keys (company_id, channel_id, key_hash, message_id)"
            " SELECT %(company)s, g.channel_id, dedupe_key_hash(g.dedupe_key), g.id FROM gone g"
            " WHERE g.dedupe_key IS NOT NULL), "
        )
    statement = (
        "/* archive.move */ WITH p AS (SELECT * FROM unnest(%(ids)s::bigint[], %(froms)s::bigint[], %(cuts)s::bigint[])"
        "   AS p (id, from_seq, cut)),"
        " gone AS (DELETE FROM {table} r " + kind.choose + " RETURNING to_jsonb(r) AS row,"
        "   octet_length(r::text) AS size, r.{order} AS place,"
        "   r.created_at," + keyed + " p.id AS conversation_id, p.from_seq, p.cut,"
        "   greatest(" + kind.seq + ", p.from_seq + 1) AS seq), " + keys +
        "made AS (INSERT INTO archive_segments (company_id, conversation_id, kind, first_seq, last_seq, run_id,"
        "   from_at, to_at, rows, hot_bytes, body)"
        " SELECT %(company)s, g.conversation_id, {kind}, g.from_seq + n * %(segment)s + 1,"
        "   least(g.from_seq + (n + 1) * %(segment)s, g.cut), %(run)s, min(g.created_at), max(g.created_at),"
        "   count(*), sum(g.size), jsonb_agg(g.row ORDER BY g.place)"
        " FROM gone g CROSS JOIN LATERAL (SELECT (g.seq - g.from_seq - 1) / %(segment)s) AS s (n)"
        " GROUP BY g.conversation_id, g.from_seq, g.cut, n RETURNING rows, hot_bytes)"
        " SELECT coalesce(sum(rows), 0), coalesce(sum(hot_bytes), 0) FROM made"
    )  # fmt: skip
    return sql.SQL(statement).format(
        table=sql.Identifier(kind.name), kind=sql.Literal(kind.name), order=sql.Identifier(kind.order)
    )


# ------------------------------------------------------------------ runs
def begin_run(conn: Conn) -> int:
    row = conn.execute("/* archive.begin_run */ INSERT INTO archive_runs DEFAULT VALUES RETURNING id").fetchone()
    assert row is not None
    return int(str(row[0]))


def end_run(conn: Conn, run_id: int) -> None:
    conn.execute(
        "/* archive.end_run */ UPDATE archive_runs SET finished_at = clock_timestamp() WHERE id = %s", (run_id,)
    )


@dataclass(frozen=True, slots=True)
class Term:
    """A company's terms. None: the default; archives are kept for ever."""

    company_id: int
    after_days: int | None
    delete_after_days: int | None


def terms_after(conn: Conn, company_id: int, *, only: int | None = None) -> Term | None:
    """The next company."""
    row = conn.execute(
        "/* archive.terms_after */ SELECT id, archive_after_days, archive_delete_after_days FROM companies"
        " WHERE id > %s AND (%s::bigint IS NULL OR id = %s) ORDER BY id LIMIT 1",
        (company_id, only, only),
    ).fetchone()
    return Term(*row) if row else None  # type: ignore[arg-type]


def set_terms(conn: Conn, company_id: int, *, after_days: int | None, delete_after_days: int | None) -> None:
    conn.execute(
        "/* archive.set_terms */ UPDATE companies SET archive_after_days = %s, archive_delete_after_days = %s"
        " WHERE id = %s",
        (after_days, delete_after_days, company_id),
    )


def foretell(conn: Conn, company_id: int, *, before: datetime, keep: int) -> dict[str, tuple[int, int]]:
    """What `pick` and `move` would move of a company: kind → (rows, bytes of them written out), exactly."""
    _plan_small_sets(conn)
    found = {}
    for kind in KINDS:
        query = sql.SQL(
            "/* archive.foretell */ WITH p AS MATERIALIZED (SELECT c.id, c.archived_seq AS from_seq,"
            " c.message_count - %(keep)s AS cut" + _OLD + "),"
            " chosen AS (SELECT octet_length(r::text) AS size FROM {table} r" + _as_join(kind) + ")"
            " SELECT count(*), coalesce(sum(size), 0) FROM chosen"
        ).format(table=sql.Identifier(kind.name))  # fmt: skip
        row = conn.execute(query, {"company": company_id, "before": before, "keep": keep}).fetchone()
        assert row is not None
        found[kind.name] = (int(str(row[0])), int(str(row[1])))
    return found


def _as_join(kind: Kind) -> str:
    """The choice of a DELETE's USING as a SELECT's. A turn whose receipt goes along counts; only one that stays keeps
    its turn, and while nothing has been deleted it is told by its message."""
    if kind.name == "turns":
        return (
            ", p WHERE r.company_id = %(company)s AND r.conversation_id = p.id AND r.last_seq <= p.cut"
            " AND NOT EXISTS (SELECT 1 FROM receipts x JOIN messages m ON m.company_id = x.company_id"
            "   AND m.id = x.message_id WHERE x.company_id = %(company)s AND x.turn_id = r.id AND m.seq > p.cut)"
        )
    return kind.choose.replace("USING p", ", p", 1)


# ------------------------------------------------------------------ back
@dataclass(frozen=True, slots=True)
class Place:
    """A conversation with archived messages that are to come back from first_seq on."""

    company_id: int
    conversation_id: int
    first_seq: int


def places(
    conn: Conn, *, run_id: int | None = None, company_id: int | None = None, conversation_id: int | None = None,
    limit: int = 100,
) -> list[Place]:  # fmt: skip
    """Conversations with segments of this run, company or conversation: None is any. With a run's segments come those
    behind them, because what is archived is always a conversation's beginning."""
    rows = conn.execute(
        "/* archive.places */ SELECT company_id, conversation_id, min(first_seq) FROM archive_segments"
        " WHERE kind = 'messages' AND (%(run)s::bigint IS NULL OR run_id = %(run)s)"
        " AND (%(company)s::bigint IS NULL OR company_id = %(company)s)"
        " AND (%(conversation)s::bigint IS NULL OR conversation_id = %(conversation)s)"
        " GROUP BY 1, 2 ORDER BY 1, 2 LIMIT %(limit)s",
        {"run": run_id, "company": company_id, "conversation": conversation_id, "limit": limit},
    ).fetchall()
    return [Place(*row) for row in rows]  # type: ignore[arg-type]


def restore_newest(conn: Conn, place: Place) -> int:
    """Bring the newest archived stretch of a conversation back; returns its messages, 0 when none is left from
    first_seq on. In the caller's transaction."""
    at = (place.company_id, place.conversation_id)
    conn.execute("/* archive.restore */ SELECT 1 FROM conversations WHERE company_id = %s AND id = %s FOR UPDATE", at)
    newest = conn.execute(
        "/* archive.restore */ SELECT last_seq, first_seq, run_id FROM archive_segments WHERE company_id = %s"
        " AND conversation_id = %s AND kind = 'messages' AND first_seq >= %s ORDER BY last_seq DESC LIMIT 1",
        (*at, place.first_seq),
    ).fetchone()
    if newest is None:
        return 0
    last_seq, first_seq, run_id = (int(str(n)) for n in newest)
    back = 0
    for kind in reversed(KINDS):
        rows = _restore_kind(conn, kind.name, (*at, kind.name, last_seq))
        back = rows if kind.name == "messages" else back
        faults.reach(f"archive.restore_{kind.name}")
    conn.execute(
        "/* archive.restore */ UPDATE conversations SET archived_seq = %s WHERE company_id = %s AND id = %s",
        (first_seq - 1, *at),
    )
    conn.execute("/* archive.restore */ UPDATE archive_runs SET restored = restored + %s WHERE id = %s", (back, run_id))
    return back


def _restore_kind(conn: Conn, table: str, segment: tuple[int, int, str, int]) -> int:
    """A segment's rows back into their table. Columns that the table has got since take their defaults, columns that
    it has lost are left out."""
    where = " company_id = %s AND conversation_id = %s AND kind = %s AND last_seq = %s"
    names = [
        str(name)
        for (name,) in conn.execute(
            sql.SQL(
                "/* archive.restore */ SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = {}::regclass"
                " AND a.attnum > 0 AND NOT a.attisdropped AND EXISTS (SELECT 1 FROM archive_segments WHERE" + where +
                " AND body->0 ? a.attname) ORDER BY a.attnum"
            ).format(sql.Literal(table)), segment,
        ).fetchall()
    ]  # fmt: skip
    if not names:
        return 0
    columns = sql.SQL(", ").join(map(sql.Identifier, names))
    if table == "messages":
        conn.execute(
            "/* archive.restore */ DELETE FROM archived_keys k USING (SELECT m.channel_id, m.dedupe_key"
            "   FROM archive_segments s, jsonb_populate_recordset(NULL::messages, s.body) m WHERE s.company_id = %s"
            "   AND s.conversation_id = %s AND s.kind = %s AND s.last_seq = %s AND m.dedupe_key IS NOT NULL) gone"
            " WHERE k.company_id = %s AND k.channel_id = gone.channel_id"
            " AND k.key_hash = dedupe_key_hash(gone.dedupe_key)",
            (*segment, segment[0]),
        )
    return conn.execute(
        sql.SQL(
            "/* archive.restore */ WITH gone AS (DELETE FROM archive_segments WHERE" + where + " RETURNING body)"
            " INSERT INTO {table} ({columns}) OVERRIDING SYSTEM VALUE SELECT {columns} FROM gone,"
            " jsonb_populate_recordset(NULL::{table}, gone.body)"
        ).format(table=sql.Identifier(table), columns=columns), segment,
    ).rowcount  # fmt: skip


@dataclass(frozen=True, slots=True)
class Statistics:
    company_id: int
    conversations: int
    messages: int
    rows: int
    segments: int
    hot_bytes: int
    bytes: int
    oldest_at: datetime
    newest_at: datetime


def statistics(conn: Conn) -> list[Statistics]:
    """What is archived, company by company."""
    rows = conn.execute(
        "/* archive.statistics */ SELECT company_id, conversations, messages, rows, segments, hot_bytes, bytes,"
        " oldest_at, newest_at FROM archive_statistics ORDER BY 1"
    ).fetchall()
    return [Statistics(*row) for row in rows]  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Run:
    id: int
    started_at: datetime
    finished_at: datetime | None
    messages: int
    rows: int
    bytes_before: int
    bytes_after: int
    restored: int


def runs(conn: Conn, *, limit: int = 24) -> list[Run]:
    """Newest first."""
    rows = conn.execute(
        "/* archive.runs */ SELECT id, started_at, finished_at, messages, rows, bytes_before, bytes_after, restored"
        " FROM archive_runs ORDER BY id DESC LIMIT %s",
        (limit,),
    ).fetchall()
    return [Run(*row) for row in rows]  # type: ignore[arg-type]

"""Finds indexes that have grown far beyond what they hold, and builds them again beside their readers and writers. For
the owner role."""

from __future__ import annotations

from dataclasses import dataclass

from psycopg import sql
from psycopg.rows import class_row, scalar_row

from shared.store.db.pool import Conn

SIZE_MIN_BYTES = 50 * 1024 * 1024
BLOAT_MIN_SHARE = 0.3
"""A B-tree that grew by itself is a tenth empty, and one with random keys up to a third."""
GIN_BLOAT_MIN_SHARE = 0.5
"""A GIN index that grew by itself is up to a third emptier than one that was built at once."""
MEMORY_MAX_MB = 1024


@dataclass(frozen=True, slots=True)
class WornIndex:
    """An index of the schema public. size: bytes. bloat: estimated share of them that a new one would not have. dead:
    share of its table's rows that are deleted and still there."""

    name: str
    size: int
    bloat: float
    dead: float


WORN = """
    /* indexes.worn */
    WITH large AS MATERIALIZED (
        SELECT
            i.indexrelid,
            i.indrelid,
            i.indkey,
            c.relname,
            t.relname AS table_name,
            am.amname,
            CASE WHEN am.amname = 'gin' THEN t.reltuples ELSE c.reltuples END AS reltuples,
            pg_relation_size(c.oid) AS size,
            coalesce((SELECT substr(o, 3)::int FROM unnest(c.reloptions) o WHERE o LIKE 'm=%%'), 16) AS links,
            coalesce(s.n_dead_tup / nullif(s.n_live_tup + s.n_dead_tup, 0)::float8, 0) AS dead
        FROM pg_index i
        JOIN pg_class c ON c.oid = i.indexrelid
        JOIN pg_class t ON t.oid = i.indrelid
        JOIN pg_am am ON am.oid = c.relam
        LEFT JOIN pg_stat_all_tables s ON s.relid = i.indrelid
        WHERE c.relnamespace = 'public'::regnamespace
          AND c.relkind = 'i'
          AND am.amname IN ('btree', 'hnsw', 'gin')
          AND i.indisvalid
          AND NOT i.indisexclusion
          AND least(c.reltuples, t.reltuples) >= 0
          AND pg_relation_size(c.oid) >= %(size_min)s
    ),
    entries AS (
        SELECT
            l.indexrelid,
            sum((1 - s.null_frac) * s.avg_width) AS width,
            count(*) = count(s.avg_width) AS known,
            max(a.atttypmod) AS dimension
        FROM large l
        JOIN pg_attribute a ON a.attrelid = l.indexrelid
        LEFT JOIN pg_attribute ta ON ta.attrelid = l.indrelid
          AND ta.attnum = l.indkey[a.attnum - 1]
          AND ta.attnum <> 0
        LEFT JOIN pg_stats s ON s.schemaname = 'public'
          AND s.tablename = CASE WHEN ta.attnum IS NULL THEN l.relname ELSE l.table_name END
          AND s.attname = coalesce(ta.attname, a.attname)
          AND NOT s.inherited
        GROUP BY 1
    ),
    leanest AS (
        SELECT name, min(bytes::float8 / rows) AS entry
        FROM table_sizes
        WHERE name LIKE 'index %%'
          AND rows > 0
        GROUP BY 1
    ),
    estimated AS (
        SELECT
            l.*,
            CASE
                WHEN l.amname = 'gin' THEN n.entry
                WHEN l.amname = 'hnsw' THEN
                    -- An element (76 bytes, its vector), its links on the lowest layer (6 bytes each) and two line
                    -- pointers, of which as many as fit stand in a page.
                    8192 / greatest(1, floor(8160 / (84 + 2 * e.dimension + 16 + 12 * l.links)))
                WHEN e.known THEN
                    -- A line pointer, a header and the columns, aligned; nine tenths of a page are filled.
                    (12 + 8 * ceil(e.width / 8)) / 0.9 * 8192 / 8150
            END AS entry,
            CASE WHEN l.amname = 'gin' THEN %(gin_bloat_min)s ELSE %(bloat_min)s END AS allowed
        FROM large l
        JOIN entries e USING (indexrelid)
        LEFT JOIN leanest n ON n.name = 'index ' || l.relname
    )
    SELECT relname::text AS name, size, greatest(0, 1 - (reltuples * entry + 16384) / size)::float8 AS bloat, dead
    FROM estimated
    WHERE NOT relname = ANY (%(but)s)
      AND (1 - (reltuples * entry + 16384) / size > allowed OR amname = 'hnsw' AND dead > allowed)
    ORDER BY size * greatest(1 - (reltuples * entry) / size, dead) DESC, 1
"""


def worn(conn: Conn, *, but: list[str] | None = None, size_min: int = SIZE_MIN_BYTES) -> list[WornIndex]:
    """List the indexes that are to be rebuilt, those first that waste most: B-trees and vector indexes of at least
    size_min bytes of which more than BLOAT_MIN_SHARE is estimated to be empty, vector indexes with as many deleted
    rows, and GIN indexes of which GIN_BLOAT_MIN_SHARE is empty. but: names to leave out.

    The estimate goes by what ANALYZE and VACUUM have seen. An index whose columns have no statistics is left out, and
    one with many equal keys, which a B-tree stores once, looks fuller than it is. How full a GIN index is no statistics
    tell: it is compared with what it took a row when it was leanest, by the sizes of each day (vitals.keep_sizes).
    """
    shares = {"bloat_min": BLOAT_MIN_SHARE, "gin_bloat_min": GIN_BLOAT_MIN_SHARE}
    values = {"but": but or [], "size_min": size_min, **shares}
    with conn.cursor(row_factory=class_row(WornIndex)) as cursor:
        return cursor.execute(WORN, values).fetchall()


LEFTOVERS = """
    /* indexes.leftovers */
    SELECT c.relname::text
    FROM pg_index i
    JOIN pg_class c ON c.oid = i.indexrelid
    WHERE c.relnamespace = 'public'::regnamespace
      AND c.relkind = 'i'
      AND NOT i.indisvalid
      AND c.relname ~ '_cc(new|old)[0-9]*$'
      AND NOT EXISTS (
          SELECT 1
          FROM pg_stat_progress_create_index p
          WHERE p.relid = i.indrelid
      )
    ORDER BY 1
"""


def leftovers(conn: Conn) -> list[str]:
    """List what rebuilds that were killed have left behind: half an index, or the old one. Each is written to with its
    table and read by nobody."""
    with conn.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute(LEFTOVERS).fetchall()


BOUND = """
    /* indexes.bound */
    SELECT
        set_config('lock_timeout', %s, false),
        set_config('statement_timeout', %s, false),
        set_config('maintenance_work_mem', %s, false)
"""


def bound(conn: Conn, *, wait_s: float, within_s: float, size: int = 0) -> None:
    """Set the session's limits for a rebuild: a wait for older transactions, the time of it all, and the memory that a
    graph of so many bytes needs at once."""
    memory_mb = min(MEMORY_MAX_MB, max(64, size * 5 // 4 // 1_000_000))
    conn.execute(BOUND, (str(round(1000 * wait_s)), str(round(1000 * within_s)), f"{memory_mb}MB"))


# What it takes a row is learnt anew: were it compared with leaner days for ever, it would be rebuilt each week.
FORGET_SIZES = """
    /* indexes.forget_sizes */
    DELETE FROM table_sizes
    WHERE name = 'index ' || %s
"""


def rebuild(conn: Conn, name: str) -> int:
    """Build an index again beside its readers and writers. In autocommit. Returns how many bytes it became smaller.

    Raises psycopg's LockNotAvailable or QueryCanceled at the session's limits; what is left then is among leftovers().
    """
    before = _size(conn, name)
    conn.execute(sql.SQL("/* indexes.rebuild */ REINDEX INDEX CONCURRENTLY {}").format(sql.Identifier("public", name)))
    conn.execute(FORGET_SIZES, (name,))
    return before - _size(conn, name)


def _size(conn: Conn, name: str) -> int:
    row = conn.execute(
        "/* indexes.size */ SELECT coalesce(pg_relation_size(to_regclass(format('public.%%I', %s::text))), 0)", (name,)
    ).fetchone()
    assert row is not None
    return int(str(row[0]))


def drop(conn: Conn, name: str) -> None:
    """Drop an index without blocking others. In autocommit."""
    conn.execute(
        sql.SQL("/* indexes.drop */ DROP INDEX CONCURRENTLY IF EXISTS {}").format(sql.Identifier("public", name))
    )

"""Finds, builds and drops the vector indexes (graphs) of large companies. As the owner."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg
from psycopg import sql
from psycopg.rows import class_row, scalar_row

from shared.store.db.pool import Conn

GRAPH_FROM, GRAPH_UNTIL = 5_000, 2_500
"""Chunks: from so many on a company gets a graph (an exact search of 5,000 takes as long as the graph), and below the
second loses it."""
LINKED_FROM = 50_000
"""Chunks: from so many on a graph has more links, looked for longer, and takes twice as long to make. Half a list finds
as much then: in a large company subjects lie apart, and with few links the way to the right one is missed."""
LINKS, LINKS_LARGE = 16, 24
FOUND_WHILE_LINKING = {LINKS: 64, LINKS_LARGE: 160}
"""pgvector's m and, by it, ef_construction; 16 and 64 are its own."""
MEMORY_MIN_MB, MEMORY_MAX_MB = 64, 1024
"""Of a build; a server that says by effective_cache_size that it has more gives it a quarter of that."""
BYTES_A_PLACE = 230
"""Of a vector's place in a graph that is being built, beside the vector and its links (pgvector 0.8)."""
BYTES_A_LINK = 16
NEW, OLD = "_new", "_old"
"""Suffixes of the name of a graph that is made while another one is searched, and of one that has been replaced."""
TWO_FROM = 100_000
"""Chunks: from so many on two processes build; below it takes less than half a minute."""


@dataclass(frozen=True, slots=True)
class Graph:
    """One of a company in a space. table: the partition that holds the company. chunks: about how many it is of.
    state: absent; building, by whoever; broken, left by who was ended; thin, of a company that has become so large that
    its graph should have more links."""

    company_id: int
    space_id: int
    dimension: int
    chunks: int
    table: str
    state: str

    @property
    def name(self) -> str:
        return f"embeddings_graph_{self.space_id}_{self.company_id}"

    @property
    def links(self) -> int:
        return LINKS_LARGE if self.chunks >= LINKED_FROM else LINKS


MISSING = """
    /* graphs.missing */
    SELECT
        k.company_id,
        s.id AS space_id,
        s.dimension,
        k.chunks,
        one."table",
        CASE
            WHEN p.pid IS NOT NULL THEN 'building'
            WHEN i.indexrelid IS NULL THEN 'absent'
            WHEN i.indisvalid THEN 'thin'
            ELSE 'broken'
        END AS state
    FROM (SELECT company_id, sum(chunks)::bigint AS chunks FROM knowledge_stats GROUP BY 1) k
    JOIN embedding_spaces s ON s.dimension IS NOT NULL
      AND s.state <> 'dropping'
    CROSS JOIN LATERAL (
        SELECT e.tableoid::regclass::text AS "table"
        FROM embeddings e
        WHERE e.company_id = k.company_id
          AND e.space_id = s.id
        LIMIT 1
    ) one
    LEFT JOIN pg_index i ON i.indexrelid = to_regclass(
        format('public.embeddings_graph_%%s_%%s', s.id, k.company_id)
    )
    LEFT JOIN pg_class g ON g.oid = i.indexrelid
    LEFT JOIN pg_stat_progress_create_index p ON p.index_relid IN (
        i.indexrelid,
        to_regclass(format('public.embeddings_graph_%%s_%%s_new', s.id, k.company_id))
    )
    WHERE k.chunks >= %s
      AND (i.indisvalid IS NOT TRUE OR k.chunks >= %s AND NOT coalesce(g.reloptions @> ARRAY[%s], false))
    ORDER BY k.chunks DESC, k.company_id, s.id
"""


def missing(conn: Conn) -> list[Graph]:
    """Those that should be there and are not whole, or have too few links; the largest first, of companies that have a
    vector in the space."""
    with conn.cursor(row_factory=class_row(Graph)) as cursor:
        return cursor.execute(MISSING, (GRAPH_FROM, LINKED_FROM, f"m={LINKS_LARGE}")).fetchall()


NEEDLESS = """
    /* graphs.needless */
    SELECT c.relname::text
    FROM pg_class c
    WHERE c.relkind = 'i'
      AND c.relnamespace = 'public'::regnamespace
      AND c.relname ~ '^embeddings_graph_[0-9]+_[0-9]+(_new|_old)?$'
      AND (
          coalesce(
              (
                  SELECT sum(k.chunks)
                  FROM knowledge_stats k, embedding_spaces s
                  WHERE k.company_id = split_part(c.relname, '_', 4)::bigint
                    AND s.id = split_part(c.relname, '_', 3)::bigint
                    AND s.state <> 'dropping'
              ),
              0
          ) < %s
          OR c.relname ~ %s
      )
    ORDER BY 1
"""


def needless(conn: Conn) -> list[str]:
    """List graphs of companies that have become small, of companies or spaces that are gone, and those that were
    replaced."""
    with conn.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute(NEEDLESS, (GRAPH_UNTIL, f"{OLD}$")).fetchall()


def of_space(conn: Conn, space_id: int) -> list[str]:
    """List the names of all companies' graphs in a space."""
    with conn.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute(
            """
            /* graphs.of_space */
            SELECT c.relname::text
            FROM pg_class c
            WHERE c.relkind = 'i'
              AND c.relnamespace = 'public'::regnamespace
              AND c.relname ~ %s
            ORDER BY 1
            """,
            (f"^embeddings_graph_{int(space_id)}_[0-9]+(_new|_old)?$",),
        ).fetchall()


def make(conn: Conn, graph: Graph, *, wait_s: float = 60.0) -> None:
    """Build it while the company is read and written, beside one that it replaces; outside transactions, in autocommit.

    With the memory that it needs, or it takes several times as long. Two processes share that memory through /dev/shm:
    where that is too small (containers have 64 MB) one builds alone. wait_s: for the transactions that began before.
    Raises psycopg's LockNotAvailable when they took longer; what was begun is done anew then.
    """
    new, two = graph.name + NEW, graph.chunks >= TWO_FROM
    _bound(conn, graph, workers=1 if two else 0, wait_s=wait_s)
    if not _whole(conn, new):  # whoever built it was ended before it could take its place
        drop(conn, new)
        try:
            _build(conn, graph, new)
        except psycopg.errors.DiskFull:
            if not two:
                raise
            drop(conn, new)
            _bound(conn, graph, workers=0, wait_s=wait_s)
            _build(conn, graph, new)
    _replace(conn, graph)


def _replace(conn: Conn, graph: Graph) -> None:
    """By name in one transaction, so that there is always one to search; then the old one goes, and what was found of
    how well it finds."""
    rename = sql.SQL("/* graphs.replace */ ALTER INDEX IF EXISTS {} RENAME TO {}")
    drop(conn, graph.name + OLD)
    with conn.transaction():
        for before, after in ((graph.name, graph.name + OLD), (graph.name + NEW, graph.name)):
            conn.execute(rename.format(sql.Identifier(before), sql.Identifier(after)))
        conn.execute("/* graphs.replace */ DELETE FROM recall_audits WHERE company_id = %s", (graph.company_id,))
    drop(conn, graph.name + OLD)


def _whole(conn: Conn, name: str) -> bool:
    found = conn.execute(
        """
        /* graphs.whole */
        SELECT indisvalid
        FROM pg_index
        WHERE indexrelid = to_regclass(%s)
        """,
        (f"public.{name}",),
    ).fetchone()
    return found is not None and bool(found[0])


BOUND = """
    /* graphs.bound */
    SELECT
        set_config(
            'maintenance_work_mem',
            least(
                greatest(%s, %s),
                greatest(%s, pg_size_bytes(current_setting('effective_cache_size')) / 4 / 1048576)
            ) || 'MB',
            false
        ),
        set_config('max_parallel_maintenance_workers', %s, false),
        set_config('lock_timeout', %s, false),
        set_config('statement_timeout', '0', false)
"""


def _bound(conn: Conn, graph: Graph, *, workers: int, wait_s: float) -> None:
    """Set memory, parallel workers (beside the process that builds) and waits for a build."""
    place = 2 * graph.dimension + BYTES_A_PLACE + 2 * graph.links * BYTES_A_LINK
    conn.execute(
        BOUND,
        (graph.chunks * place // 1_000_000, MEMORY_MIN_MB, MEMORY_MAX_MB, str(workers), str(round(1000 * wait_s))),
    )


def _build(conn: Conn, graph: Graph, name: str) -> None:
    conn.execute(
        sql.SQL(
            """
            /* graphs.make */
            CREATE INDEX CONCURRENTLY {} ON {}
            USING hnsw ((embedding::halfvec({})) halfvec_cosine_ops)
            WITH (m = {}, ef_construction = {})
            WHERE company_id = {}
              AND space_id = {}
            """
        ).format(
            sql.Identifier(name), sql.Identifier(graph.table), sql.Literal(graph.dimension), sql.Literal(graph.links),
            sql.Literal(FOUND_WHILE_LINKING[graph.links]), sql.Literal(graph.company_id), sql.Literal(graph.space_id),
        )
    )  # fmt: skip


def drop(conn: Conn, name: str) -> None:
    """Drop an index, outside a transaction, in autocommit."""
    conn.execute(sql.SQL("/* graphs.drop */ DROP INDEX CONCURRENTLY IF EXISTS {}").format(sql.Identifier(name)))

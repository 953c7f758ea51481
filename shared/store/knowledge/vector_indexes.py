"""Finds, builds and drops the vector indexes (HNSW) of large companies. For the owner role."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg
from psycopg import sql
from psycopg.rows import class_row, scalar_row

from shared.store.db.pool import Conn

INDEXED_FROM, INDEXED_UNTIL = 5_000, 2_500
"""Chunks: a company with at least the first number gets an index, and loses it with fewer than the second. At 5,000
chunks an exact search takes as long as one by the index."""
LINKED_FROM = 50_000
"""Chunks: from this size on an index has more links and takes twice as long to build. Half the ef_search then reaches
the same recall: a large company's subjects lie far apart, and with few links the search misses the right one."""
LINKS, LINKS_LARGE = 16, 24
EF_CONSTRUCTION = {LINKS: 64, LINKS_LARGE: 160}
"""ef_construction for each m (LINKS). 16 and 64 are pgvector's defaults."""
MEMORY_MIN_MB, MEMORY_MAX_MB = 64, 1024
"""Bounds of a build's memory. A quarter of effective_cache_size is allowed if that is more than the maximum."""
BYTES_A_PLACE = 230
"""Memory that pgvector 0.8 needs for each vector during a build, in addition to the vector and its links."""
BYTES_A_LINK = 16
NEW, OLD = "_new", "_old"
"""Suffixes of an index that is being built to replace another one, and of one that has been replaced."""
TWO_FROM = 100_000
"""Chunks: from this size on two processes build. Smaller indexes take one process less than half a minute."""


@dataclass(frozen=True, slots=True)
class VectorIndex:
    """A company's index over its vectors of one embedding model.

    table: the partition with the company's vectors. chunks: about how many it covers. state: absent; building (by any
    process); broken (its build was interrupted); thin (the company has grown so large that the index should have more
    links).
    """

    company_id: int
    model_id: int
    dimension: int
    chunks: int
    table: str
    state: str

    @property
    def name(self) -> str:
        return f"embeddings_hnsw_{self.model_id}_{self.company_id}"

    @property
    def links(self) -> int:
        return LINKS_LARGE if self.chunks >= LINKED_FROM else LINKS


MISSING = """
    /* vector_indexes.missing */
    SELECT
        k.company_id,
        m.id AS model_id,
        m.dimension,
        k.chunks,
        one."table",
        CASE
            WHEN p.pid IS NOT NULL THEN 'building'
            WHEN i.indexrelid IS NULL THEN 'absent'
            WHEN i.indisvalid THEN 'thin'
            ELSE 'broken'
        END AS state
    FROM (SELECT company_id, sum(chunks)::bigint AS chunks FROM knowledge_stats GROUP BY 1) k
    JOIN embedding_models m ON m.dimension IS NOT NULL
      AND m.state <> 'dropping'
    CROSS JOIN LATERAL (
        SELECT e.tableoid::regclass::text AS "table"
        FROM embeddings e
        WHERE e.company_id = k.company_id
          AND e.model_id = m.id
        LIMIT 1
    ) one
    LEFT JOIN pg_index i ON i.indexrelid = to_regclass(
        format('public.embeddings_hnsw_%%s_%%s', m.id, k.company_id)
    )
    LEFT JOIN pg_class g ON g.oid = i.indexrelid
    LEFT JOIN pg_stat_progress_create_index p ON p.index_relid IN (
        i.indexrelid,
        to_regclass(format('public.embeddings_hnsw_%%s_%%s_new', m.id, k.company_id))
    )
    WHERE k.chunks >= %s
      AND (i.indisvalid IS NOT TRUE OR k.chunks >= %s AND NOT coalesce(g.reloptions @> ARRAY[%s], false))
    ORDER BY k.chunks DESC, k.company_id, m.id
"""


def missing(conn: Conn) -> list[VectorIndex]:
    """List the indexes that are missing, incomplete or thin, the largest first. A company without a vector of the model
    is left out."""
    with conn.cursor(row_factory=class_row(VectorIndex)) as cursor:
        return cursor.execute(MISSING, (INDEXED_FROM, LINKED_FROM, f"m={LINKS_LARGE}")).fetchall()


NEEDLESS = """
    /* vector_indexes.needless */
    SELECT c.relname::text
    FROM pg_class c
    WHERE c.relkind = 'i'
      AND c.relnamespace = 'public'::regnamespace
      AND c.relname ~ '^embeddings_hnsw_[0-9]+_[0-9]+(_new|_old)?$'
      AND (
          coalesce(
              (
                  SELECT sum(k.chunks)
                  FROM knowledge_stats k, embedding_models m
                  WHERE k.company_id = split_part(c.relname, '_', 4)::bigint
                    AND m.id = split_part(c.relname, '_', 3)::bigint
                    AND m.state <> 'dropping'
              ),
              0
          ) < %s
          OR c.relname ~ %s
      )
    ORDER BY 1
"""


def needless(conn: Conn) -> list[str]:
    """List the names of indexes to drop: of companies that have become small, of companies or models that are gone, and
    those that have been replaced."""
    with conn.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute(NEEDLESS, (INDEXED_UNTIL, f"{OLD}$")).fetchall()


def of_model(conn: Conn, model_id: int) -> list[str]:
    """List the names of all companies' indexes for a model."""
    with conn.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute(
            """
            /* vector_indexes.of_model */
            SELECT c.relname::text
            FROM pg_class c
            WHERE c.relkind = 'i'
              AND c.relnamespace = 'public'::regnamespace
              AND c.relname ~ %s
            ORDER BY 1
            """,
            (f"^embeddings_hnsw_{int(model_id)}_[0-9]+(_new|_old)?$",),
        ).fetchall()


def build(conn: Conn, index: VectorIndex, *, wait_s: float = 60.0) -> None:
    """Build an index without blocking readers and writers, then put it in the place of the old one. In autocommit.

    Sets the memory that the build needs, without which it takes several times as long. Two processes share it through
    /dev/shm; where that is too small (containers have 64 MB), one process builds alone. wait_s: how long to wait for
    transactions that began earlier. Raises psycopg's LockNotAvailable if they take longer; the next call starts over.
    """
    new, two = index.name + NEW, index.chunks >= TWO_FROM
    _bound(conn, index, workers=1 if two else 0, wait_s=wait_s)
    if not _whole(conn, new):  # a whole one was built by a process that ended before it could replace the old one
        drop(conn, new)
        try:
            _create(conn, index, new)
        except psycopg.errors.DiskFull:
            if not two:
                raise
            drop(conn, new)
            _bound(conn, index, workers=0, wait_s=wait_s)
            _create(conn, index, new)
    _replace(conn, index)


def _replace(conn: Conn, index: VectorIndex) -> None:
    """Swap the names in one transaction, so that there is always an index to search. Then drop the old one; its recall
    audit is deleted with the swap."""
    rename = sql.SQL("/* vector_indexes.replace */ ALTER INDEX IF EXISTS {} RENAME TO {}")
    drop(conn, index.name + OLD)
    with conn.transaction():
        for before, after in ((index.name, index.name + OLD), (index.name + NEW, index.name)):
            conn.execute(rename.format(sql.Identifier(before), sql.Identifier(after)))
        conn.execute(
            "/* vector_indexes.replace */ DELETE FROM recall_audits WHERE company_id = %s", (index.company_id,)
        )
    drop(conn, index.name + OLD)


def _whole(conn: Conn, name: str) -> bool:
    found = conn.execute(
        """
        /* vector_indexes.whole */
        SELECT indisvalid
        FROM pg_index
        WHERE indexrelid = to_regclass(%s)
        """,
        (f"public.{name}",),
    ).fetchone()
    return found is not None and bool(found[0])


BOUND = """
    /* vector_indexes.bound */
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


def _bound(conn: Conn, index: VectorIndex, *, workers: int, wait_s: float) -> None:
    """Set the session's memory, number of parallel workers (besides the leader) and timeouts for a build."""
    place = 2 * index.dimension + BYTES_A_PLACE + 2 * index.links * BYTES_A_LINK
    conn.execute(
        BOUND,
        (index.chunks * place // 1_000_000, MEMORY_MIN_MB, MEMORY_MAX_MB, str(workers), str(round(1000 * wait_s))),
    )


def _create(conn: Conn, index: VectorIndex, name: str) -> None:
    conn.execute(
        sql.SQL(
            """
            /* vector_indexes.build */
            CREATE INDEX CONCURRENTLY {} ON {}
            USING hnsw ((embedding::halfvec({})) halfvec_cosine_ops)
            WITH (m = {}, ef_construction = {})
            WHERE company_id = {}
              AND model_id = {}
            """
        ).format(
            sql.Identifier(name), sql.Identifier(index.table), sql.Literal(index.dimension), sql.Literal(index.links),
            sql.Literal(EF_CONSTRUCTION[index.links]), sql.Literal(index.company_id), sql.Literal(index.model_id),
        )
    )  # fmt: skip


def drop(conn: Conn, name: str) -> None:
    """Drop an index without blocking others. In autocommit, outside a transaction."""
    conn.execute(sql.SQL("/* vector_indexes.drop */ DROP INDEX CONCURRENTLY IF EXISTS {}").format(sql.Identifier(name)))

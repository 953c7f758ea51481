"""Builds vector indexes for companies that are too large for exact search, and drops those of companies that shrank."""

from __future__ import annotations

import structlog

from shared.store.knowledge import vector_indexes as store
from shared.store.knowledge.vector_indexes import VectorIndex
from shared.store.operations.jobs import Cursor
from tasks.operations.jobs import Batch, Job, Preview, Work

log = structlog.get_logger(__name__)

WAIT_S = 60.0
"""How long a build waits for transactions that began before it, so that a long dump does not block all other jobs. A
build that gives up leaves a broken index, which the next run replaces."""
CHUNKS_A_SECOND = 500
"""Speed of a build beside other work. A build may wait as long again as it takes, since giving up would lose that."""


def _build_next(work: Work, cursor: Cursor | None) -> Batch:
    """Drop or build one index a batch: a million chunks take minutes. If the process is killed, the next run drops what
    it left, or uses it if it is complete."""
    work.conn.execute(
        """
        /* vector_indexes.wait */
        SELECT set_config('lock_timeout', %s, false), set_config('statement_timeout', '0', false)
        """,
        (str(round(1000 * WAIT_S)),),
    )
    for name in store.needless(work.conn):
        store.drop(work.conn, name)
        log.info("vector_index_dropped", index=name)
        return Batch(1, next={})
    for index in store.missing(work.conn):
        if index.state == "building":
            continue
        _build(work, index)
        log.info("vector_index_built", company_id=index.company_id, model_id=index.model_id, chunks=index.chunks)
        return Batch(1, next={})
    return Batch()


def _build(work: Work, index: VectorIndex) -> None:
    wait_s = WAIT_S + index.chunks / CHUNKS_A_SECOND
    work.meanwhile(lambda conn: store.build(conn, index, wait_s=wait_s))


def _to_do(work: Work) -> Preview:
    lines = [f"would drop {name}" for name in store.needless(work.conn)]
    lines += [
        f"company {index.company_id}: would index {index.chunks} chunks of embedding model {index.model_id}"
        for index in store.missing(work.conn)
        if index.state != "building"
    ]
    return Preview(len(lines), 0, tuple(lines))


BUILD_VECTOR_INDEXES = Job("knowledge.build_vector_indexes", _build_next, _to_do)

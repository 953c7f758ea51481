"""Graphs for companies that have become too large to be searched exactly, and none for those that are small again."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor, wait

import structlog

from shared.store.knowledge import vector_indexes as store
from shared.store.knowledge.vector_indexes import Graph
from shared.store.operations.jobs import Cursor
from tasks.operations.jobs import Batch, Job, Preview, Work

log = structlog.get_logger(__name__)

WAIT_S = 60.0
"""Building waits for every transaction that began before it; a dump of hours must not hold the one child of all jobs.
What was begun is broken then, and made anew by the next run."""
CHUNKS_A_SECOND = 500
"""Built with others at work: a graph may wait as long again, because that is what giving up loses."""
KEEP_S = 10.0


def _make_graphs(work: Work, cursor: Cursor | None) -> Batch:
    """One graph a batch: a million chunks take minutes. Who is killed leaves one that is
    dropped by the next run, or takes its place if it is whole."""
    work.conn.execute(
        "/* graphs.wait */ SELECT set_config('lock_timeout', %s, false), set_config('statement_timeout', '0', false)",
        (str(round(1000 * WAIT_S)),),
    )
    for name in store.needless(work.conn):
        store.drop(work.conn, name)
        log.info("graph_dropped", graph=name)
        return Batch(1, next={})
    for graph in store.missing(work.conn):
        if graph.state == "building":
            continue
        _build(work, graph)
        log.info("graph_made", company_id=graph.company_id, space_id=graph.space_id, chunks=graph.chunks)
        return Batch(1, next={})
    return Batch()


def _build(work: Work, graph: Graph) -> None:
    """On a connection of its own: the job's lease, which is shorter than a large graph takes, is renewed meanwhile.
    Ended when that is lost or the task's time is over."""
    wait_s = WAIT_S + graph.chunks / CHUNKS_A_SECOND
    with work.beside() as conn, ThreadPoolExecutor(1) as builder:
        building = builder.submit(store.make, conn, graph, wait_s=wait_s)
        try:
            while wait([building], timeout=KEEP_S).not_done:
                work.keep()
        except BaseException:
            while not building.done():  # again, where the statement had not begun yet
                conn.cancel_safe()
                wait([building], timeout=1.0)
            raise
        building.result()


def _to_do(work: Work) -> Preview:
    lines = [f"would drop {name}" for name in store.needless(work.conn)]
    lines += [
        f"company {graph.company_id}: would make a graph of {graph.chunks} chunks in space {graph.space_id}"
        for graph in store.missing(work.conn)
        if graph.state != "building"
    ]
    return Preview(len(lines), 0, tuple(lines))


MAKE_GRAPHS = Job("knowledge.build_vector_indexes", _make_graphs, _to_do)

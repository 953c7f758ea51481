"""Graphs for companies that have become too large to be searched exactly, and none for those that are small again."""

from __future__ import annotations

import structlog

from shared.flow.jobs import Batch, Job, Preview, Work
from shared.store import graphs as store
from shared.store.jobs import Cursor

log = structlog.get_logger(__name__)

LOCK_MS = 60_000
"""Building waits for every transaction that began before it; a dump of hours must not hold the one child of all jobs.
What was begun is broken then, and made anew by the next run."""


def _make_graphs(work: Work, cursor: Cursor | None) -> Batch:
    """One graph a batch: a million chunks take minutes. Who is killed leaves a broken one, which is dropped here."""
    work.conn.execute(
        "/* graphs.wait */ SELECT set_config('lock_timeout', %s, false), set_config('statement_timeout', '0', false)",
        (str(LOCK_MS),),
    )
    for name in store.needless(work.conn):
        store.drop(work.conn, name)
        log.info("graph_dropped", graph=name)
        return Batch(1, next={})
    for graph in store.missing(work.conn):
        if graph.state == "building":
            continue
        if graph.state == "broken":
            store.drop(work.conn, graph.name)
        store.make(work.conn, graph)
        log.info("graph_made", company_id=graph.company_id, space_id=graph.space_id, chunks=graph.chunks)
        return Batch(1, next={})
    return Batch()


def _to_do(work: Work) -> Preview:
    lines = [f"would drop {name}" for name in store.needless(work.conn)]
    lines += [
        f"company {graph.company_id}: would make a graph of {graph.chunks} chunks in space {graph.space_id}"
        for graph in store.missing(work.conn)
        if graph.state != "building"
    ]
    return Preview(len(lines), 0, tuple(lines))


MAKE_GRAPHS = Job("maintenance.make_graphs", _make_graphs, _to_do)

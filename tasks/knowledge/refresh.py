"""Weekly refresh: queues documents that lack vectors, and websites that were imported before."""

from __future__ import annotations

from shared.store.knowledge import embedding_models, sites
from shared.store.operations.jobs import Cursor
from shared.store.tenants import companies
from tasks.operations.jobs import Batch, Job, Preview, Work

COMPANIES_A_BATCH = 20


def _refresh(work: Work, cursor: Cursor | None) -> Batch:
    """Add the queue rows; the index worker does the work. One short transaction for each company."""
    ids = companies.ids_after(work.conn, int(cursor["after"]) if cursor else 0, limit=COMPANIES_A_BATCH)
    asked = 0
    for company_id in ids:
        with work.transaction(company_id) as conn:
            asked += embedding_models.queue_missing(conn, company_id) + embedding_models.queue_incomplete(
                conn, company_id
            )
            asked += sites.queue_sites_again(conn, company_id)
    return Batch(asked, next={"after": ids[-1]} if len(ids) == COMPANIES_A_BATCH else None)


def _would(work: Work) -> Preview:
    incomplete, pending = embedding_models.count_incomplete(work.conn), sites.count_sites(work.conn)
    lines = (f"would have {incomplete} documents embedded again", f"would read {pending} websites again")
    return Preview(incomplete + pending, 0, lines)


REFRESH = Job("knowledge.refresh_documents", _refresh, _would, as_owner=False)

"""Finds the identifiers of documents that were stored without them: by an older version of the program, or under older
rules (a migration that sets documents.identified to null has all of them done again)."""

from __future__ import annotations

from shared.knowledge.identifiers import keys_of
from shared.store.knowledge import identified
from shared.store.operations.jobs import Cursor
from tasks.operations.jobs import Batch, Job, Preview, Work

COMPANIES_A_BATCH = 20
DOCUMENTS_A_COMPANY = 20
"""In a batch, so that no company waits for a large one."""


def _find(work: Work, cursor: Cursor | None) -> Batch:
    """One short transaction for each document."""
    after = int(cursor["after"]) if cursor else 0
    ids = identified.companies_due(work.conn, after, COMPANIES_A_BATCH)
    done, left = 0, bool(cursor and cursor.get("left"))
    for company_id in ids:
        for _ in range(DOCUMENTS_A_COMPANY):
            with work.transaction(company_id) as conn:
                due = identified.take_due(conn, company_id)
                if due is None:
                    break
                document_id, texts = due
                identified.add(conn, company_id, document_id, [keys_of(text) for text in texts])
            done += 1
        else:
            left = True
    if len(ids) == COMPANIES_A_BATCH:
        return Batch(done, next={"after": ids[-1], "left": left})
    return Batch(done, next={"after": 0, "left": False} if left else None)


def _would(work: Work) -> Preview:
    count = identified.count_due(work.conn)
    return Preview(count, 0, (f"would find the identifiers of {count} documents",))


FIND_IDENTIFIERS = Job("knowledge.find_identifiers", _find, _would, as_owner=False)

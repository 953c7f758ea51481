"""Bytes of attachments that no row names: of a fetch whose row did not come to be, of a message that was deleted while
whoever deleted it died before the bytes. Once a week they go."""

from __future__ import annotations

from datetime import timedelta

from shared.store.db import objects
from shared.store.db.objects import Kept, Objects
from shared.store.inbox import media
from shared.store.operations.jobs import Cursor
from shared.store.tenants import companies
from tasks.operations.jobs import Batch, Job, Preview, Work

GRACE = timedelta(days=1)
"""Bytes are put before their row: what is younger may still get one."""
LINES = 20


def _orphans(work: Work, store: Objects, company_id: int, shelf: str) -> list[Kept]:
    old = [kept for kept in store.on_shelf(company_id, shelf) if kept.put_at < work.clock.now() - GRACE]
    named = media.named(work.conn, company_id, [kept.sha256 for kept in old])
    return [kept for kept in old if kept.sha256 not in named]


def _batch(work: Work, cursor: Cursor | None) -> Batch:
    """Sweep one of the 256 folders of a company. size: bytes freed."""
    store = objects.from_settings(work.settings)
    at = _next(work, store, cursor)
    if at is None:
        return Batch()
    company_id, shelf = at
    gone = [
        kept for kept in _orphans(work, store, company_id, shelf)
        # put again this moment: a fetch of the same bytes is about to name them
        if store.put_at(company_id, kept.sha256) == kept.put_at
    ]  # fmt: skip
    for kept in gone:
        store.delete(company_id, kept.sha256)
    return Batch(len(gone), sum(kept.size for kept in gone), {"company": company_id, "shelf": shelf})


def _next(work: Work, store: Objects, cursor: Cursor | None) -> tuple[int, str] | None:
    """Return the folder after this one, of the same company or of the next one that has any."""
    company_id, shelf = (int(cursor["company"]), str(cursor["shelf"])) if cursor else (0, "")
    while True:
        behind = [name for name in store.shelves(company_id) if name > shelf] if company_id else []
        if behind:
            return company_id, behind[0]
        found = companies.ids_after(work.conn, company_id, limit=1)
        if not found:
            return None
        company_id, shelf = found[0], ""
        work.keep()


def _preview(work: Work) -> Preview:
    store, cursor, rows, size, lines = objects.from_settings(work.settings), None, 0, 0, list[str]()
    while (at := _next(work, store, cursor)) is not None:
        found = _orphans(work, store, *at)
        rows, size = rows + len(found), size + sum(kept.size for kept in found)
        lines += [f"would delete {kept.sha256} of company {at[0]}, {kept.size} bytes" for kept in found]
        cursor = {"company": at[0], "shelf": at[1]}
    return Preview(rows, size, tuple(lines[:LINES]))


SWEEP = Job("inbox.sweep_media", _batch, _preview)

"""Archival: moves messages of quiet conversations out of the hot tables, with all that belongs to them, and back.

What leaves: messages older than a term of conversations in which nobody has written for as long, but for the last
hundred of each. They stay readable where they were read.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

from shared import faults
from shared.settings import Settings
from shared.store.db import objects
from shared.store.lifecycle import archive as store
from shared.store.lifecycle import archive_preview, archive_restore, archive_runs, deletion
from shared.store.lifecycle.archive_restore import ArchivedConversation
from shared.store.lifecycle.archive_runs import Term
from shared.store.operations import partitions
from shared.store.operations.jobs import Cursor
from tasks.operations.jobs import Batch, Job, Preview, Work

MESSAGES_A_BATCH = 5_000
"""A transaction of a quarter of a second: what others wait for is never more than that."""
BATCH_EVERY_S = 2.5
"""Where a pace is kept. A batch moves messages at full speed, whoever writes meanwhile waits a little, and in the pause
behind it nobody does: few large ones leave others more time alone than many small ones, which cost twice as much."""
SEGMENTS_A_BATCH = 25
PLACES_A_LOOK = 500
MOVED = ("messages", "turns", "receipts", "outbound")


def _before(work: Work, term: Term) -> datetime:
    """Return the time before which a conversation's last message makes it quiet."""
    days = term.after_days or work.settings.archive.after_days
    return work.clock.now() - timedelta(days=days)


def _batch(work: Work, cursor: Cursor | None, only: int | None) -> Batch:
    """Archive conversations of one company in one transaction, the longest quiet ones first."""
    at = cursor or {"run": archive_runs.begin_run(work.conn), "company": 0}
    if "after" not in at:
        term = archive_runs.terms_after(work.conn, int(at["company"]), only=only)
        if term is None:
            archive_runs.end_run(work.conn, int(at["run"]))
            partitions.analyze(work.conn, (*MOVED, "archive_segments"))
            return Batch()
    else:
        term = archive_runs.terms_after(work.conn, int(at["company"]) - 1, only=int(at["company"]))
        if term is None:  # gone meanwhile
            return Batch(next={"run": at["run"], "company": at["company"]})
    after = (datetime.fromisoformat(at["after"]), int(at["id"])) if "after" in at else None
    began, pace = time.monotonic(), work.settings.archive.messages_per_s
    with work.transaction(lasting=False) as conn:
        stretches = store.pick(
            conn, term.company_id, before=_before(work, term), keep=work.settings.archive.keep_messages,
            limit=min(MESSAGES_A_BATCH, max(1, round(pace * BATCH_EVERY_S))) if pace else MESSAGES_A_BATCH, after=after,
        )  # fmt: skip
        faults.reach("archive.picked")
        moved = store.move(conn, term.company_id, stretches, int(at["run"]))
    faults.reach("archive.committed")
    if pace:
        time.sleep(max(0.0, moved.messages / pace - (time.monotonic() - began)))
    if not stretches:
        return Batch(next={"run": at["run"], "company": term.company_id})
    last = stretches[-1]
    # the last one again: what was too long for one batch continues there, and what is done is not chosen again
    here = {"company": term.company_id, "after": last.last_message_at.astimezone(UTC).isoformat()}
    return Batch(moved.rows, moved.bytes_before, {"run": at["run"], **here, "id": last.conversation_id})


def _preview(work: Work, only: int | None) -> Preview:
    lines, rows, size, company = [], 0, 0, 0
    while (term := archive_runs.terms_after(work.conn, company, only=only)) is not None:
        company = term.company_id
        found = archive_preview.foretell(
            work.conn, company, before=_before(work, term), keep=work.settings.archive.keep_messages
        )
        if not any(count for count, _ in found.values()):
            continue
        lines.append(f"company {company}  " + "  ".join(f"{kind} {count}" for kind, (count, _) in found.items()))
        rows += sum(count for count, _ in found.values())
        size += sum(of_kind for _, of_kind in found.values())
    return Preview(rows, size, tuple(lines))


def moving(only: int | None = None) -> Job:
    """The job; only: for one company."""
    return Job(
        "lifecycle.archive_messages",
        lambda work, cursor: _batch(work, cursor, only),
        lambda work: _preview(work, only),
        lasting=False,
    )


MOVE_MESSAGES = moving()


def restore(
    work: Work, *, run_id: int | None = None, company_id: int | None = None, conversation_id: int | None = None,
    told: Callable[[int], None] = lambda _: None,
) -> int:  # fmt: skip
    """Bring back what a run moved, or a company's, or one conversation; None is any. Returns the messages.

    In transactions of SEGMENTS_A_BATCH stretches, a conversation's newest first; ended half way and run again it
    goes on. told: how many came back so far, after each.
    """
    back = 0
    for place in _places(work, run_id, company_id, conversation_id):
        while True:
            with work.transaction():
                here = _restore_some(work, place)
            back += sum(here)
            told(back)
            if len(here) < SEGMENTS_A_BATCH:
                break
    if back >= MESSAGES_A_BATCH:
        partitions.analyze(work.conn, MOVED)
    return back


def _restore_some(work: Work, place: ArchivedConversation) -> list[int]:
    here: list[int] = []
    while len(here) < SEGMENTS_A_BATCH and (count := archive_restore.restore_newest(work.conn, place)):
        here.append(count)
    return here


def _places(
    work: Work, run_id: int | None, company_id: int | None, conversation_id: int | None
) -> Iterator[ArchivedConversation]:
    while places := archive_restore.places(
        work.conn, run_id=run_id, company_id=company_id, conversation_id=conversation_id, limit=PLACES_A_LOOK
    ):
        yield from places


# ------------------------------------------------------------------ for good
def deleting(only: int | None = None, older_than_days: int | None = None, by: str = "timetable") -> Job:
    """The job that deletes archives older than their company's bound, if it has one; older_than_days: than this
    bound, because a person wants it now. Each company gets a receipt."""

    def bound(work: Work, term: Term) -> datetime | None:
        days = older_than_days or term.delete_after_days or work.settings.archive.delete_after_days
        return work.clock.now() - timedelta(days=days) if days else None

    def batch(work: Work, cursor: Cursor | None) -> Batch:
        company = int(cursor["company"]) if cursor else 0
        term = archive_runs.terms_after(work.conn, company, only=only)
        if term is None:
            return Batch()
        before = bound(work, term)
        if before is None:
            return Batch(next={"company": term.company_id})
        with work.transaction() as conn:
            gone = deletion.delete_archived(conn, term.company_id, before=before, segments=SEGMENTS_A_BATCH * 4)
            faults.reach("archive.deleted")
            deletion.add_receipt(conn, term.company_id, "archive", f"archived up to {before:%Y-%m-%d}", by, gone.counts)
            forget_contents(work.settings, term.company_id, gone.contents)
        return Batch(
            sum(gone.counts.values()), gone.size,
            {"company": term.company_id - 1 if gone.counts else term.company_id},
        )  # fmt: skip

    def preview(work: Work) -> Preview:
        lines, rows, size, company = [], 0, 0, 0
        while (term := archive_runs.terms_after(work.conn, company, only=only)) is not None:
            company = term.company_id
            before = bound(work, term)
            counts, of_company = deletion.count_archived(work.conn, company, before=before) if before else ({}, 0)
            rows, size = rows + sum(counts.values()), size + of_company
            if counts:
                lines.append(f"company {company}  " + "  ".join(f"{kind} {n}" for kind, n in sorted(counts.items())))
        return Preview(rows, size, tuple(lines))

    return Job("lifecycle.delete_old_archives", batch, preview)


DELETE_OLD = deleting()


def forget_contents(settings: Settings, company_id: int, contents: Sequence[str]) -> None:
    """Delete attachments' bytes, before the transaction that forgets their rows commits: if it does not come to that,
    the rows are still there and the next run deletes both; the other way round, bytes would stay that nobody knows."""
    if not contents:
        return
    store_of_bytes = objects.from_settings(settings)
    for sha256 in contents:
        store_of_bytes.delete(company_id, sha256)

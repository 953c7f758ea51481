"""Celery tasks that read and embed documents: on a wake-up when they were added, and every minute for what is left."""

from __future__ import annotations

from shared import queues
from shared.store.knowledge.imports import Claim
from shared.store.operations import rounds
from shared.store.tenants import companies
from tasks.app import app
from tasks.base import Step
from tasks.context import Process
from tasks.dispatch import ClaimCapacity, Claimed, Dispatcher
from tasks.knowledge import identifiers, imports, index, index_audit, popular, refresh, vector_indexes
from tasks.knowledge.index import Result
from tasks.operations.job_task import LONG, task_of
from tasks.wakeups import wake_up

AUDIT_HALF_S = 12 * 3600.0
"""Half of the timetable's day: of two beats' wake-ups one audits."""


IMPORTS = "imports"


@app.task(base=Step, bind=True, name="knowledge.import_due", runs_on=queues.INDEX)
def import_due(self: Step) -> None:
    """Import due files and pages, as many as this process has capacity for, until none is due."""
    self.process.dispatchers[queues.INDEX].drain()


def dispatcher(process: Process) -> Dispatcher[Claim]:
    """Return the dispatcher of this process's imports: IMPORT_THREADS at a time, each file in a child process of its
    own."""
    r = process.resources

    def claim(after_company: int, room: ClaimCapacity) -> Claimed[Claim]:
        return imports.take_due(r, after_company, room)

    def work(claimed: Claim) -> None:
        if imports.do(r, claimed) is imports.Result.DONE:
            process.wakeups.request(embed_due)
            process.wakeups.request(import_due)  # a site became pages

    return Dispatcher(
        IMPORTS, r.settings.processes.import_threads, r.settings.processes.company_slots_share, claim=claim, work=work,
        pass_on=lambda: process.wakeups.request(import_due),
    )  # fmt: skip


@app.task(base=Step, bind=True, name="knowledge.audit_index", runs_on=queues.INDEX)
def audit_recall(self: Step) -> None:
    """Compare the vector indexes with exact search, company by company."""
    r = self.process.resources
    with r.db.transaction() as conn:
        if not rounds.begins(conn, self.name, not_within_s=AUDIT_HALF_S):
            return
        ids = companies.ids(conn)
    for company_id in ids:
        index_audit.audit(r, company_id)


@app.task(base=Step, bind=True, name="knowledge.embed_due", runs_on=queues.INDEX)
def embed_due(self: Step) -> None:
    """Embed a batch of the document that is due next, of the next company in this thread's round. Wakes its task again
    until nothing is due."""
    if index_one(self.process):
        wake_up(embed_due)


def index_one(process: Process) -> bool:
    """Embed one batch. Returns whether more may be due."""
    cursor = getattr(process.cursors, "index", 0)
    result, process.cursors.index = index.index_next_document(process.resources, cursor)
    # Nothing behind the cursor is not nothing: the next call begins at the first company.
    return result is not Result.NOTHING_DUE or cursor > 0


find_popular = task_of(popular.FIND, "Note what each company is asked often.", runs_on=queues.INDEX)
warm_popular = task_of(popular.WARM, "Renew the vectors and results of what is asked often.", runs_on=queues.INDEX)
refresh_knowledge = task_of(
    refresh.REFRESH, "Have embedded what has no vectors, and websites read again.", runs_on=queues.INDEX
)
find_identifiers = task_of(
    identifiers.FIND_IDENTIFIERS, "Find the identifiers of documents that were stored without them.",
    runs_on=queues.INDEX,
)  # fmt: skip
build_vector_indexes = task_of(
    vector_indexes.BUILD_VECTOR_INDEXES, "Build the vector indexes of large companies.", **LONG
)
